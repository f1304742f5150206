import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { SendTimeSorter, type SortedLines } from './send-time-sorter.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';

type Row = { readonly group: number; readonly sendTimeMs: number; readonly line: string };

/** Sorts rows, and gives the lines as they came out. */
function sort(spillFolder: string, rows: readonly Row[], bufferBytes: number): readonly string[] {
  const sorter = new SendTimeSorter({ spillFolder, bufferBytes });
  const out: string[] = [];
  const take = (batches: Iterable<SortedLines>): void => {
    for (const { lines, lineEnds, count } of batches)
      for (let row = 0; row < count; row += 1)
        out.push(lines.toString('utf8', row === 0 ? 0 : lineEnds[row - 1], lineEnds[row]));
  };
  try {
    let group: number | undefined;
    for (const row of rows) {
      take(sorter.add(Buffer.from(row.line), row.sendTimeMs, row.group !== group));
      group = row.group;
    }
    take(sorter.finish());
  } finally {
    sorter.close();
  }
  return out;
}

/** What must come out: groups in their order, send times within, and the order of coming where those are equal. */
function expectedOf(rows: readonly Row[]): readonly string[] {
  return rows.toSorted((a, b) => a.group - b.group || a.sendTimeMs - b.sendTimeMs).map(({ line }) => line);
}

/** Numbers that are the same in every run. */
function* randomNumbers(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    yield state >>> 8;
  }
}

/** Rows in groups of up to so many, with lines of up to so many letters. */
function randomRows(seed: number, groups: number, groupRows: number, lineLetters: number): readonly Row[] {
  const numbers = randomNumbers(seed);
  const below = (limit: number): number => numbers.next().value % limit;
  return Array.from({ length: groups }, (_, group) =>
    Array.from({ length: 1 + below(groupRows) }, (_row, row) => {
      const sendTimeMs = 1_795_400_000_000 + below(20);
      return { group, sendTimeMs, line: `${group},${sendTimeMs},${row},${'x'.repeat(below(lineLetters))}\n` };
    }),
  ).flat();
}

describe('SendTimeSorter', () => {
  it('sorts by send time within each group, whatever fits into its buffer', async (t) => {
    const folder = await temporaryFolder(t);
    for (let seed = 1; seed <= 40; seed += 1) {
      const rows = randomRows(seed, 1 + (seed % 7) * 5, 1 + (seed % 5) * 40, 1 + (seed % 3) * 60);
      for (const bufferBytes of [1, 64, 300, 2_000, 1_000_000])
        assert.deepEqual(sort(folder, rows, bufferBytes), expectedOf(rows), `seed ${seed}, ${bufferBytes} bytes`);
    }
  });

  it('gives nothing of nothing', async (t) => assert.deepEqual(sort(await temporaryFolder(t), [], 100), []));

  it('sorts a group of many chunks, and the groups around it', async (t) => {
    const rows = [
      ...randomRows(1, 3, 5, 10),
      ...randomRows(2, 1, 20_000, 40).map((row) => ({ ...row, group: 3 })),
      ...randomRows(3, 3, 5, 10).map((row) => ({ ...row, group: row.group + 4 })),
    ];
    assert.deepEqual(sort(await temporaryFolder(t), rows, 16_384), expectedOf(rows));
  });

  it('leaves no name on the disk, not even while it spills', async (t) => {
    const folder = await temporaryFolder(t);
    const sorter = new SendTimeSorter({ spillFolder: folder, bufferBytes: 100 });
    for (let row = 0; row < 100; row += 1)
      for (const _ of sorter.add(Buffer.from(`row ${row} of a person\n`), 100 - row, row === 0))
        assert.fail('too early');
    assert.deepEqual(readdirSync(folder), []);
    assert.equal(
      [...sorter.finish()].reduce((rows, { count }) => rows + count, 0),
      100,
    );
    sorter.close();
    assert.deepEqual(readdirSync(folder), []);
  });
});
