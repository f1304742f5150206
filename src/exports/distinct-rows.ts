/**
 * Removes duplicates from sorted rows. Rows with the same row id are neighbours, so this looks at neighbours only and its memory
 * is two batches.
 */
import { ROW_ID_BYTES } from '../events/ids.ts';
import type { RowBatch } from '../store/hour-store.ts';

/** Rows [from, until) of a batch. */
export type RowRange = { readonly batch: RowBatch; readonly from: number; readonly until: number };

/**
 * Gives the rows that stay, in order: of neighbours with the same row id the first, or the last. The caller counts what is
 * missing from the batches as duplicates.
 */
export function* distinctRows(batches: Iterable<RowBatch>, keep: 'first' | 'last'): Generator<RowRange> {
  let previous: RowBatch | undefined;
  let current: RowBatch | undefined;
  for (const next of batches) {
    if (current) yield* rangesOf(current, previous, next, keep);
    previous = current;
    current = next;
  }
  if (current) yield* rangesOf(current, previous, undefined, keep);
}

function* rangesOf(
  batch: RowBatch,
  previous: RowBatch | undefined,
  next: RowBatch | undefined,
  keep: 'first' | 'last',
): Generator<RowRange> {
  let from = 0;
  for (let row = 0; row < batch.count; row += 1) {
    const isDuplicate =
      keep === 'first'
        ? row > 0
          ? isSameRow(batch, row - 1, batch, row)
          : previous !== undefined && isSameRow(previous, previous.count - 1, batch, 0)
        : row + 1 < batch.count
          ? isSameRow(batch, row, batch, row + 1)
          : next !== undefined && isSameRow(batch, row, next, 0);
    if (!isDuplicate) continue;
    if (row > from) yield { batch, from, until: row };
    from = row + 1;
  }
  if (batch.count > from) yield { batch, from, until: batch.count };
}

function isSameRow(a: RowBatch, aRow: number, b: RowBatch, bRow: number): boolean {
  const aAt = aRow * ROW_ID_BYTES;
  const bAt = bRow * ROW_ID_BYTES;
  // Two bytes first, which are of a hash in every kind of row id: different rows nearly always end here, without a call.
  if (a.rowIds[aAt + 4] !== b.rowIds[bAt + 4] || a.rowIds[aAt + 9] !== b.rowIds[bAt + 9]) return false;
  return a.rowIds.compare(b.rowIds, bAt, bAt + ROW_ID_BYTES, aAt, aAt + ROW_ID_BYTES) === 0;
}
