/**
 * Merges the sorted groups of several runs into one sorted stream of rows: a binary heap of cursors.
 *
 * Order: key, then send time, then the order in which the cursors were given. Memory: one block a run and one batch. Used in
 * worker threads.
 */
import { buildExtendedFields, type ExtendedColumn } from '../../events/extended-columns.ts';
import { ROW_ID_BYTES } from '../../events/ids.ts';
import type { RowBatch } from '../hour-store.ts';
import { decodeExtras } from './record-codec.ts';
import type { RunCursor } from './run-reader.ts';

const BATCH_LINE_BYTES = 256 * 1024;
const BATCH_ROWS = 4_096;
const LINE_FEED = 0x0a;

/** Walks the records of all cursors in order. The yielded cursor stands on the record; it moves on afterwards. */
export function* mergeCursors(cursors: readonly RunCursor[]): Generator<RunCursor> {
  const heap: RunCursor[] = [];
  const rank = new Map(cursors.map((cursor, place) => [cursor, place]));
  const isBefore = (a: RunCursor, b: RunCursor): boolean =>
    compareCursors(a, b) < 0 || (compareCursors(a, b) === 0 && rank.get(a)! < rank.get(b)!);
  const siftDown = (): void => {
    const moving = heap[0]!;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, moving)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = moving;
  };
  try {
    const started = cursors.filter((cursor) => cursor.next());
    heap.push(...started.sort((a, b) => (isBefore(a, b) ? -1 : 1)));
    while (heap.length > 0) {
      const first = heap[0]!;
      yield first;
      if (!first.next()) {
        const last = heap.pop()!;
        if (heap.length === 0) return;
        heap[0] = last;
      }
      siftDown();
    }
  } finally {
    for (const cursor of cursors) cursor.close();
  }
}

/** Compares the records two cursors stand on, by key and send time. */
export function compareCursors(a: RunCursor, b: RunCursor): number {
  if (a.keyPrefix !== b.keyPrefix) return a.keyPrefix - b.keyPrefix;
  return a.block.compare(b.block, b.keyStart, b.lineStart, a.keyStart, a.lineStart) || a.sendTimeMs - b.sendTimeMs;
}

/** Merges cursors into batches of rows, with the fields of these columns at the end of their lines. */
export function* mergeRows(
  cursors: readonly RunCursor[],
  columns: readonly ExtendedColumn[] = [],
): Generator<RowBatch> {
  let batch = new BatchBuilder();
  for (const cursor of mergeCursors(cursors)) {
    const appended = columns.length === 0 ? NOTHING : fieldsOf(cursor, columns);
    if (!batch.hasRoomFor(cursor, appended)) {
      yield batch.build();
      batch = new BatchBuilder();
    }
    batch.add(cursor, appended);
  }
  if (batch.count > 0) yield batch.build();
}

const NOTHING = Buffer.alloc(0);

/** Gives what the columns add to the line before its line feed; nothing to a row that has no line. */
function fieldsOf({ block, lineStart, extrasStart, recordEnd }: RunCursor, columns: readonly ExtendedColumn[]): Buffer {
  if (extrasStart === lineStart) return NOTHING;
  return Buffer.from(buildExtendedFields(columns, decodeExtras(block.subarray(extrasStart, recordEnd))));
}

/** Gathers the rows of one batch. A batch keeps its buffers, because whoever removes duplicates looks at two at a time. */
class BatchBuilder {
  count = 0;
  #lines = Buffer.allocUnsafeSlow(BATCH_LINE_BYTES);
  #bytes = 0;
  readonly #lineEnds = new Uint32Array(BATCH_ROWS);
  readonly #flags = new Uint8Array(BATCH_ROWS);
  readonly #rowIds = Buffer.allocUnsafeSlow(BATCH_ROWS * ROW_ID_BYTES);

  hasRoomFor(cursor: RunCursor, appended: Buffer): boolean {
    if (this.count === 0) return true;
    const lineBytes = cursor.extrasStart - cursor.lineStart + appended.length;
    return this.count < BATCH_ROWS && this.#bytes + lineBytes <= this.#lines.length;
  }

  add(cursor: RunCursor, appended: Buffer): void {
    const { block, lineStart, extrasStart } = cursor;
    const lineBytes = extrasStart - lineStart + appended.length;
    if (lineBytes > this.#lines.length) this.#lines = Buffer.allocUnsafeSlow(lineBytes);
    block.copy(this.#lines, this.#bytes, lineStart, extrasStart);
    if (appended.length > 0) {
      const lineFeedAt = this.#bytes + extrasStart - lineStart - 1;
      this.#lines[lineFeedAt + appended.copy(this.#lines, lineFeedAt)] = LINE_FEED;
    }
    block.copy(this.#rowIds, this.count * ROW_ID_BYTES, lineStart - ROW_ID_BYTES, lineStart);
    this.#bytes += lineBytes;
    this.#lineEnds[this.count] = this.#bytes;
    this.#flags[this.count] = cursor.flags;
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
