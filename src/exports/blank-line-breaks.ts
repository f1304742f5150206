/**
 * Turns the line breaks inside values into blanks, for readers that cut their input at every line feed before they look for quotes.
 *
 * Works on the bytes of encoded lines, as they are exported: `\r\n`, `\n` and `\r` each become one blank. In a line of ours they stand
 * inside quoted fields only, but for the line feed that ends it; values of maps have them escaped by JSON, and keep those. Row ids
 * and the order of rows are not touched: they were made of what was sent. Cost: one search a row; a batch that has any is copied.
 */
import type { RowBatch } from '../store/hour-store.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BLANK = 0x20;

/** Gives the batches with no line break but those that end rows. */
export function* blankLineBreaks(batches: Iterable<RowBatch>): Generator<RowBatch> {
  for (const batch of batches) yield hasInnerBreak(batch) ? blanked(batch) : batch;
}

function hasInnerBreak({ lines, lineEnds }: RowBatch): boolean {
  if (lines.includes(CARRIAGE_RETURN)) return true;
  let start = 0;
  for (const end of lineEnds) {
    if (end > start && lines.indexOf(LINE_FEED, start) < end - 1) return true;
    start = end; // a row without a line stands for one of the hour before
  }
  return false;
}

function blanked(batch: RowBatch): RowBatch {
  const lines = Buffer.allocUnsafeSlow(batch.lines.length);
  const lineEnds = new Uint32Array(batch.count);
  let at = 0;
  let from = 0;
  for (let row = 0; row < batch.count; row += 1) {
    const end = batch.lineEnds[row]!;
    for (; from < end - 1; from += 1) {
      const byte = batch.lines[from]!;
      if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) lines[at] = byte;
      else {
        lines[at] = BLANK;
        if (byte === CARRIAGE_RETURN && from + 1 < end - 1 && batch.lines[from + 1] === LINE_FEED) from += 1;
      }
      at += 1;
    }
    if (from < end) lines[at++] = batch.lines[from++]!;
    lineEnds[row] = at;
  }
  return { ...batch, lines: lines.subarray(0, at), lineEnds };
}
