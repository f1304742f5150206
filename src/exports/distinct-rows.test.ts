import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ROW_FLAGS } from '../events/event-row.ts';
import type { RowBatch } from '../store/hour-store.ts';
import { distinctRows } from './distinct-rows.ts';

type Row = { readonly id: number; readonly text: string; readonly isPublished?: boolean };

function batchOf(rows: readonly Row[]): RowBatch {
  const lines = rows.map((row) => Buffer.from(`${row.text}\n`));
  let end = 0;
  return {
    count: rows.length,
    lines: Buffer.concat(lines),
    lineEnds: Uint32Array.from(lines, (line) => (end += line.length)),
    flags: Uint8Array.from(rows, (row) => (row.isPublished ? ROW_FLAGS.published : ROW_FLAGS.firstOfEvent)),
    rowIds: Buffer.concat(rows.map((row) => createHash('sha256').update(String(row.id)).digest().subarray(0, 16))),
  };
}

function keptTexts(batches: readonly RowBatch[], keep: 'first' | 'last'): string[] {
  return [...distinctRows(batches, keep)].flatMap(({ batch, from, until }) =>
    batch.lines
      .subarray(batch.lineEnds[from - 1] ?? 0, batch.lineEnds[until - 1])
      .toString()
      .split('\n')
      .slice(0, -1),
  );
}

describe('distinctRows', () => {
  for (const keep of ['first', 'last'] as const) {
    it(`keeps the ${keep} of neighbours with the same row id, and none behind a published one, wherever batches are cut`, () => {
      const idGroups = fc.array(
        fc.record({ length: fc.integer({ min: 1, max: 5 }), published: fc.integer({ min: 0, max: 2 }) }),
        {
          maxLength: 40,
        },
      );
      fc.assert(
        fc.property(idGroups, fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1 }), (groups, batchSizes) => {
          const rows = groups.flatMap(({ length, published }, id): Row[] => [
            ...Array.from({ length: published }, () => ({ id, text: 'published', isPublished: true })),
            ...Array.from({ length }, (_, copy) => ({ id, text: `${id}/${copy}` })),
          ]);
          const batches: RowBatch[] = [];
          for (let at = 0, i = 0; at < rows.length; i += 1) {
            const size = batchSizes[i % batchSizes.length]!;
            batches.push(batchOf(rows.slice(at, at + size)));
            at += size;
          }
          const expected = groups.flatMap(({ length, published }, id) =>
            published > 0 ? [] : [`${id}/${keep === 'first' ? 0 : length - 1}`],
          );
          assert.deepEqual(keptTexts(batches, keep), expected);
        }),
      );
    });
  }
});
