/**
 * Growth: one, four and sixteen times the work; what a row, a byte or a package costs must stay, and memory must not grow along.
 *
 * Rows that come in and are closed in one hour, rows that are imported, bytes that one client downloads, packages that the call for
 * a day lists. The close part has the same for hours of up to 20 million rows.
 */
import { join } from 'node:path';
import type { PartContext, Size } from './part.ts';
import { servePackage, takePackages } from './download.ts';
import { importRows, liveHour, writeImport } from './life.ts';
import { pollDay, serveDay } from './poll.ts';

const BASE_ROWS: Readonly<Record<Size, number>> = { full: 200_000, small: 10_000, quick: 10_000 };
const BASE_BYTES: Readonly<Record<Size, number>> = {
  full: 512 * 1024 ** 2,
  small: 32 * 1024 ** 2,
  quick: 32 * 1024 ** 2,
};
const PACKAGE_ROWS: Readonly<Record<Size, number>> = { full: 1_000_000, small: 50_000, quick: 50_000 };
const POLL_SECONDS: Readonly<Record<Size, number>> = { full: 3, small: 1, quick: 1 };
const TIMES = [1, 4, 16] as const;
/** The largest package of a day, so that the day has about so many times 186 of them. */
const PACKAGE_BYTES = { 1: 64 * 1024 ** 2, 4: 5_632, 16: 1_920 } as const;
/** The largest hour takes long. */
const MOST_ROUNDS = 2;

export async function measureGrowth(context: PartContext): Promise<void> {
  const rounds = Math.min(context.rounds, MOST_ROUNDS);
  await measureRows(context, rounds);
  await measureBytes(context, rounds);
  await measurePackages(context, rounds);
}

async function measureRows(
  { stage, recorder, size, rows = BASE_ROWS[size] }: PartContext,
  rounds: number,
): Promise<void> {
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

async function measureBytes({ stage, recorder, size }: PartContext, rounds: number): Promise<void> {
  const served = await servePackage(stage, PACKAGE_ROWS[size]);
  for (let round = 1; round <= rounds; round += 1) {
    for (const { name, ...peer } of await served.peers()) {
      if (name !== 'tidegate') continue;
      const load = { ...peer, packageBytes: served.bytes, clients: 1, way: 'whole' } as const;
      if (round === 1) await takePackages(stage, { ...load, bytes: BASE_BYTES[size] });
      for (const times of TIMES) {
        const bytes = BASE_BYTES[size] * times;
        const figures = await takePackages(stage, { ...load, bytes });
        const asked = { times, mebibytes: bytes / 1024 ** 2 };
        recorder.add({ round, contestant: 'tidegate download', case: asked, figures });
      }
    }
  }
}

async function measurePackages({ stage, recorder, size }: PartContext, rounds: number): Promise<void> {
  for (const times of TIMES) {
    const day = await serveDay(stage, PACKAGE_BYTES[times]);
    for (let round = 1; round <= rounds; round += 1) {
      const load = { connections: 1, seconds: POLL_SECONDS[size] };
      const figures = await pollDay(stage, day, day.peers.tidegate, load);
      recorder.add({ round, contestant: 'tidegate day call', case: { times, packages: day.links }, figures });
    }
    await day.close();
  }
}
