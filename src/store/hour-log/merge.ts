/**
 * Merges the sorted groups of several runs into one sorted stream of records: a tree of losers over cursors.
 *
 * Every inner place of the tree holds the cursor that lost there, so the record that comes next is found with one comparison a
 * level. Records of one visitor come from all runs at once, and most of them would differ behind their first 70 bytes only. So a
 * *stem*, which is visitor and session, gets a number: two cursors that were found to stand on the same one are from then on
 * compared by time.
 *
 * Order: key, then send time, then the order in which the cursors were given. Memory: one block a run and three batches. Used in
 * worker threads.
 */
import { buildExtendedFields, type ExtendedColumn } from '../../events/extended-columns.ts';
import { ROW_ID_BYTES } from '../../events/ids.ts';
import type { RowBatch } from '../hour-store.ts';
import { compareBytes, viewOf } from '../../lib/key-bytes.ts';
import { decodeExtras } from './record-codec.ts';
import { KEY_END_BYTES, type RunCursor } from './run-reader.ts';

/** Small, because between batches an export looks whether its packages can go on. */
const BATCH_LINE_BYTES = 64 * 1024;
const BATCH_ROWS = 4_096;
/** How many batches have memory of their own; see `RowBatch`. */
const BATCHES = 3;
const LINE_FEED = 0x0a;

/** Merges cursors; closes them when it has come to the end, or is closed. */
export class CursorMerge {
  readonly #cursors: readonly RunCursor[];
  /** A number for the stem each cursor stands on: equal numbers are equal stems. */
  readonly #stems: Float64Array;
  #lastStem = 0;
  /** Place p has the places 2p and 2p + 1 below it; cursor c stands at place count + c. */
  readonly #losers: Int32Array;
  #winner = -1;

  constructor(cursors: readonly RunCursor[]) {
    this.#cursors = cursors;
    this.#stems = new Float64Array(cursors.length);
    this.#losers = new Int32Array(cursors.length);
  }

  /** Gives the cursor that stands on the next record. It moves on at the following call. */
  next(): RunCursor | undefined {
    if (this.#cursors.length === 0) return undefined;
    if (this.#winner < 0) this.#start();
    else this.#replay(this.#winner);
    const first = this.#cursors[this.#winner]!;
    return first.keyPrefix === Infinity ? undefined : first;
  }

  /** Closes all cursors. May be called again. */
  close(): void {
    for (const cursor of this.#cursors) cursor.close();
  }

  #start(): void {
    const count = this.#cursors.length;
    const winners = new Int32Array(2 * count);
    for (let number = 0; number < count; number += 1) {
      this.#advance(number);
      winners[count + number] = number;
    }
    for (let place = count - 1; place > 0; place -= 1) {
      const [left, right] = [winners[2 * place]!, winners[2 * place + 1]!];
      const isLeft = this.#isBefore(left, right);
      winners[place] = isLeft ? left : right;
      this.#losers[place] = isLeft ? right : left;
    }
    this.#winner = winners[1]!;
  }

  /** Moves the cursor that won on, and lets it play against those that lost on its way. */
  #replay(number: number): void {
    this.#advance(number);
    const losers = this.#losers;
    let winner = number;
    for (let place = (this.#cursors.length + number) >> 1; place > 0; place >>= 1) {
      const loser = losers[place]!;
      if (this.#isBefore(winner, loser)) continue;
      losers[place] = winner;
      winner = loser;
    }
    this.#winner = winner;
  }

  #advance(number: number): void {
    const cursor = this.#cursors[number]!;
    if (!cursor.next() || cursor.isSameStem) return;
    this.#lastStem += 1;
    this.#stems[number] = this.#lastStem;
  }

  #isBefore(aNumber: number, bNumber: number): boolean {
    const a = this.#cursors[aNumber]!;
    const b = this.#cursors[bNumber]!;
    if (a.keyPrefix !== b.keyPrefix) return a.keyPrefix < b.keyPrefix;
    if (a.keyPrefix === Infinity) return aNumber < bNumber;
    if (this.#stems[aNumber] !== this.#stems[bNumber]) {
      const order = compareStems(a, b);
      if (order !== 0) return order < 0;
      this.#stems[bNumber] = this.#stems[aNumber]!;
    }
    if (a.timeMs !== b.timeMs) return a.timeMs < b.timeMs;
    const order =
      compareBytes(a.view, a.lineStart - ROW_ID_BYTES, a.lineStart, b.view, b.lineStart - ROW_ID_BYTES, b.lineStart) ||
      a.sendTimeMs - b.sendTimeMs;
    return order === 0 ? aNumber < bNumber : order < 0;
  }
}

/** Compares two keys as far as their stems differ: 0 when the stems are the same. */
function compareStems(a: RunCursor, b: RunCursor): number {
  const aEnd = a.lineStart - KEY_END_BYTES;
  const bEnd = b.lineStart - KEY_END_BYTES;
  if (aEnd - a.keyStart === bEnd - b.keyStart) return compareBytes(a.view, a.keyStart, aEnd, b.view, b.keyStart, bEnd);
  return compareBytes(a.view, a.keyStart, a.lineStart, b.view, b.keyStart, b.lineStart);
}

/** Walks the records of all cursors in order. The yielded cursor stands on the record; it moves on afterwards. */
export function* mergeCursors(cursors: readonly RunCursor[]): Generator<RunCursor> {
  const merge = new CursorMerge(cursors);
  try {
    for (let cursor = merge.next(); cursor; cursor = merge.next()) yield cursor;
  } finally {
    merge.close();
  }
}

/** Merges cursors into batches of rows, with the fields of these columns at the end of their lines. */
export function* mergeRows(
  cursors: readonly RunCursor[],
  columns: readonly ExtendedColumn[] = [],
): Generator<RowBatch> {
  const merge = new CursorMerge(cursors);
  const builders = Array.from({ length: BATCHES }, () => new BatchBuilder());
  let made = 0;
  let batch = builders[0]!;
  try {
    for (let cursor = merge.next(); cursor; cursor = merge.next()) {
      const appended = columns.length === 0 ? NOTHING : fieldsOf(cursor, columns);
      if (!batch.hasRoomFor(cursor, appended)) {
        yield batch.build();
        made += 1;
        batch = builders[made % BATCHES]!;
        batch.empty();
      }
      batch.add(cursor, appended);
    }
    if (batch.count > 0) yield batch.build();
  } finally {
    merge.close();
  }
}

const NOTHING = Buffer.alloc(0);

/** Gives what the columns add to the line before its line feed; nothing to a row that has no line. */
function fieldsOf({ block, lineStart, extrasStart, recordEnd }: RunCursor, columns: readonly ExtendedColumn[]): Buffer {
  if (extrasStart === lineStart) return NOTHING;
  return Buffer.from(buildExtendedFields(columns, decodeExtras(block.subarray(extrasStart, recordEnd))));
}

/** Gathers the rows of one batch. */
class BatchBuilder {
  count = 0;
  #lines = Buffer.alloc(0);
  #bytes = 0;
  readonly #lineEnds = new Uint32Array(BATCH_ROWS);
  readonly #flags = new Uint8Array(BATCH_ROWS);
  readonly #rowIds = Buffer.allocUnsafeSlow(BATCH_ROWS * ROW_ID_BYTES);
  readonly #rowIdView = viewOf(this.#rowIds);

  empty(): void {
    this.count = 0;
    this.#bytes = 0;
  }

  hasRoomFor(cursor: RunCursor, appended: Buffer): boolean {
    if (this.count === 0) return true;
    const lineBytes = cursor.extrasStart - cursor.lineStart + appended.length;
    return this.count < BATCH_ROWS && this.#bytes + lineBytes <= BATCH_LINE_BYTES;
  }

  add(cursor: RunCursor, appended: Buffer): void {
    const { block, view, lineStart, extrasStart, flags } = cursor;
    const bytes = this.#bytes;
    const end = bytes + extrasStart - lineStart + appended.length;
    if (end > this.#lines.length) this.#lines = Buffer.allocUnsafeSlow(Math.max(BATCH_LINE_BYTES, end));
    block.copy(this.#lines, bytes, lineStart, extrasStart);
    if (appended.length > 0) {
      appended.copy(this.#lines, end - appended.length - 1);
      this.#lines[end - 1] = LINE_FEED;
    }
    const idAt = this.count * ROW_ID_BYTES;
    this.#rowIdView.setBigUint64(idAt, view.getBigUint64(lineStart - ROW_ID_BYTES));
    this.#rowIdView.setBigUint64(idAt + 8, view.getBigUint64(lineStart - ROW_ID_BYTES + 8));
    this.#bytes = end;
    this.#lineEnds[this.count] = end;
    this.#flags[this.count] = flags;
    this.count += 1;
  }

  build(): RowBatch {
    return {
      count: this.count,
      lines: this.#lines.subarray(0, this.#bytes),
      lineEnds: this.#lineEnds.subarray(0, this.count),
      rowIds: this.#rowIds.subarray(0, this.count * ROW_ID_BYTES),
      flags: this.#flags.subarray(0, this.count),
    };
  }
}
