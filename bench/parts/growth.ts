/** Growth: one, four and sixteen times the rows in one hour; what a row costs must stay, and memory must not grow along. */
import { join } from 'node:path';
import type { PartContext, Size } from './part.ts';
import { importRows, liveHour, writeImport } from './life.ts';

const BASE_ROWS: Readonly<Record<Size, number>> = { full: 250_000, small: 10_000, quick: 10_000 };
const TIMES = [1, 4, 16];

export async function measureGrowth({
  stage,
  recorder,
  size,
  rounds,
  rows = BASE_ROWS[size],
}: PartContext): Promise<void> {
  const folder = await stage.folder('growth');
  for (const times of TIMES) await writeImport(join(folder, `${times}.ndjson`), rows * times);
  for (let round = 1; round <= rounds; round += 1) {
    for (const times of TIMES) {
      const asked = { times, rows: rows * times };
      const live = await liveHour(stage, asked.rows);
      recorder.add({ round, contestant: 'tidegate', case: asked, figures: live });
      const imported = await importRows(stage, join(folder, `${times}.ndjson`), asked.rows);
      recorder.add({ round, contestant: 'tidegate import', case: asked, figures: imported });
    }
  }
}
