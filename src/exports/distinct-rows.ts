/**
 * Removes duplicates from sorted rows. Rows with the same row id are neighbours, so this looks at neighbours only and its memory
 * is three batches: the one being walked, and its neighbours.
 *
 * Of neighbours with the same row id the first stays, or the last; none does where the first of them is flagged as published in
 * the hour before. Rows so flagged are no rows of this hour and never stay.
 */
import { ROW_FLAGS } from '../events/event-row.ts';
import { ROW_ID_BYTES } from '../events/ids.ts';
import type { RowBatch } from '../store/hour-store.ts';

/** Rows [from, until) of a batch. */
export type RowRange = { readonly batch: RowBatch; readonly from: number; readonly until: number };

/** Gives the rows that stay, in order. */
export function* distinctRows(batches: Iterable<RowBatch>, keep: 'first' | 'last'): Generator<RowRange> {
  const filter = new DuplicateFilter(keep);
  let current: RowBatch | undefined;
  for (const next of batches) {
    if (current) yield* filter.rangesOf(current, next);
    current = next;
  }
  if (current) yield* filter.rangesOf(current, undefined);
}

class DuplicateFilter {
  readonly #keep: 'first' | 'last';
  #previous: RowBatch | undefined;
  /** Whether the group of equal row ids that is being walked was published before. */
  #isPublished = false;

  constructor(keep: 'first' | 'last') {
    this.#keep = keep;
  }

  *rangesOf(batch: RowBatch, next: RowBatch | undefined): Generator<RowRange> {
    let from = 0;
    for (let row = 0; row < batch.count; row += 1) {
      if (this.#stays(batch, row, next)) continue;
      if (row > from) yield { batch, from, until: row };
      from = row + 1;
    }
    if (batch.count > from) yield { batch, from, until: batch.count };
    this.#previous = batch;
  }

  #stays(batch: RowBatch, row: number, next: RowBatch | undefined): boolean {
    const isFirst = row > 0 ? !isSameRow(batch, row - 1, batch, row) : !this.#continuesPrevious(batch);
    if (isFirst) this.#isPublished = (batch.flags[row]! & ROW_FLAGS.published) !== 0;
    if (this.#isPublished) return false;
    if (this.#keep === 'first') return isFirst;
    return row + 1 < batch.count ? !isSameRow(batch, row, batch, row + 1) : !next || !isSameRow(batch, row, next, 0);
  }

  #continuesPrevious(batch: RowBatch): boolean {
    return this.#previous !== undefined && isSameRow(this.#previous, this.#previous.count - 1, batch, 0);
  }
}

function isSameRow(a: RowBatch, aRow: number, b: RowBatch, bRow: number): boolean {
  const aAt = aRow * ROW_ID_BYTES;
  const bAt = bRow * ROW_ID_BYTES;
  // Two bytes first, which differ between most rows: nearly every comparison ends here, without a call.
  if (a.rowIds[aAt + 4] !== b.rowIds[bAt + 4] || a.rowIds[aAt + 9] !== b.rowIds[bAt + 9]) return false;
  return a.rowIds.compare(b.rowIds, bAt, bAt + ROW_ID_BYTES, aAt, aAt + ROW_ID_BYTES) === 0;
}
