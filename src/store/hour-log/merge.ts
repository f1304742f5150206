/**
 * Merges the sorted groups of several runs into one sorted stream of rows: a binary heap of cursors.
 *
 * Order: key, then send time, then the order in which the cursors were given. Memory: one block a run and one batch. Used in
 * worker threads.
 */
import { ROW_ID_BYTES } from '../../events/ids.ts';
import type { RowBatch } from '../hour-store.ts';
import type { RunCursor } from './run-reader.ts';

const BATCH_LINE_BYTES = 256 * 1024;
const BATCH_ROWS = 4_096;

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

/** Merges cursors into batches of rows. */
export function* mergeRows(cursors: readonly RunCursor[]): Generator<RowBatch> {
  let lines = Buffer.allocUnsafeSlow(BATCH_LINE_BYTES);
  let lineEnds = new Uint32Array(BATCH_ROWS);
  let rowIds = Buffer.allocUnsafeSlow(BATCH_ROWS * ROW_ID_BYTES);
  let bytes = 0;
  let count = 0;
  for (const cursor of mergeCursors(cursors)) {
    const lineBytes = cursor.extrasStart - cursor.lineStart;
    if (count === BATCH_ROWS || (count > 0 && bytes + lineBytes > lines.length)) {
      yield {
        count,
        lines: lines.subarray(0, bytes),
        lineEnds: lineEnds.subarray(0, count),
        rowIds: rowIds.subarray(0, count * ROW_ID_BYTES),
      };
      lines = Buffer.allocUnsafeSlow(BATCH_LINE_BYTES);
      lineEnds = new Uint32Array(BATCH_ROWS);
      rowIds = Buffer.allocUnsafeSlow(BATCH_ROWS * ROW_ID_BYTES);
      bytes = 0;
      count = 0;
    }
    if (lineBytes > lines.length) lines = Buffer.allocUnsafeSlow(lineBytes);
    cursor.block.copy(lines, bytes, cursor.lineStart, cursor.extrasStart);
    cursor.block.copy(rowIds, count * ROW_ID_BYTES, cursor.lineStart - ROW_ID_BYTES, cursor.lineStart);
    bytes += lineBytes;
    lineEnds[count] = bytes;
    count += 1;
  }
  if (count > 0) {
    yield {
      count,
      lines: lines.subarray(0, bytes),
      lineEnds: lineEnds.subarray(0, count),
      rowIds: rowIds.subarray(0, count * ROW_ID_BYTES),
    };
  }
}
