/**
 * Reads runs: the index, and the records of one group through a cursor. Synchronous: used in worker threads, and for an index
 * (a few KiB) elsewhere. Every block's checksum is checked. Memory: one block a cursor.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { RecordKind } from '../../events/event-row.ts';
import { ROW_ID_BYTES } from '../../events/ids.ts';
import { refuseNewerFile } from './file-version.ts';
import { shortPath } from './layout.ts';
import { AppError } from '../../errors/app-error.ts';
import { crc32 } from '../../lib/crc32.ts';
import { isSystemError } from '../../lib/system-error.ts';
import { equalLength, viewOf } from '../../lib/key-bytes.ts';
import { KEY_TIME_BYTES } from './record-codec.ts';
import {
  BLOCK_BYTES,
  BLOCK_HEADER_BYTES,
  RUN_MAGIC,
  RUN_MAGIC_BYTES,
  RUN_RECORD_HEADER_BYTES,
  RUN_TRAILER_BYTES,
  type RunGroup,
  type RunGroupPart,
  type RunIndex,
} from './run-format.ts';

/** Reads a run's index. @throws AppError store_corrupt, format_too_new; the system error ENOENT when there is no such run */
export function readRunIndex(path: string): RunIndex {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const trailer = readExactly(fd, size - RUN_TRAILER_BYTES, RUN_TRAILER_BYTES, path);
    refuseNewerFile(trailer.subarray(8), RUN_MAGIC, path);
    const length = trailer.readUInt32LE(0);
    if (trailer.toString('latin1', 8) !== RUN_MAGIC || length > size)
      throw corrupt(path, 'its end is not that of a run');
    const json = readExactly(fd, size - RUN_TRAILER_BYTES - length, length, path);
    if (crc32(json) !== trailer.readUInt32LE(4)) throw corrupt(path, 'the checksum of its index does not fit');
    return JSON.parse(json.toString()) as RunIndex;
  } finally {
    closeSync(fd);
  }
}

/** A run and its index. */
export type IndexedRun = { readonly path: string; readonly index: RunIndex };

/** Reads the index of a run that must be there, and keeps its path beside it. @throws AppError store_corrupt, format_too_new */
export function readRun(path: string): IndexedRun {
  try {
    return { path, index: readRunIndex(path) };
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
    throw new AppError('store_corrupt', `The run ${shortPath(path)} is missing.`, { cause: error });
  }
}

/** What a key has behind its stem: visitor and session, each with a NUL. */
export const KEY_END_BYTES = KEY_TIME_BYTES + ROW_ID_BYTES;

/** Opens a cursor on each group of this project, kind and part. */
export function openCursors(
  runs: readonly IndexedRun[],
  ai: string,
  kind: RecordKind,
  part: RunGroupPart,
): RunCursor[] {
  const cursors: RunCursor[] = [];
  try {
    for (const { path, index } of runs) {
      for (const group of index.groups)
        if (group.ai === ai && group.kind === kind && group.part === part) cursors.push(new RunCursor(path, group));
    }
    return cursors;
  } catch (error) {
    for (const cursor of cursors) cursor.close();
    throw error;
  }
}

/** Says whether an error means that a run is not there: an erasure may have put another into its place. */
export function isMissingRun(error: unknown): boolean {
  return isSystemError(error, 'ENOENT') || (error instanceof AppError && isSystemError(error.cause, 'ENOENT'));
}

/** Reads a cursor to its end, which checks every checksum. @throws AppError store_corrupt */
export function readThrough(cursor: RunCursor): void {
  try {
    while (cursor.next());
  } finally {
    cursor.close();
  }
}

/** Reads which bytes of its segment a run was made of; undefined when there is no such run. */
export function readRunSource(path: string): { readonly bytes: number } | undefined {
  try {
    return readRunIndex(path).source ?? undefined;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

const NO_BLOCK = Buffer.alloc(0);

/**
 * Walks the records of one group. After `next()` returned true the fields say where the current record lies in `block`; they
 * hold until the following call.
 */
export class RunCursor {
  readonly #path: string;
  readonly #fd: number;
  #offset: number;
  readonly #end: number;
  #blockEnd = 0;
  #nextAt = 0;
  block: Buffer<ArrayBuffer>;
  view: DataView;
  flags = 0;
  sendTimeMs = 0;
  keyStart = 0;
  lineStart = 0;
  extrasStart = 0;
  recordEnd = 0;
  /** The first 52 bits of the key as a number: they decide most comparisons. Infinity behind the last record. */
  keyPrefix = 0;
  /** The key's time, by which the records of one visitor and session are ordered. */
  timeMs = 0;
  /** Whether visitor and session are surely those of the record before. */
  isSameStem = false;

  constructor(path: string, group: RunGroup) {
    this.#path = path;
    this.#fd = openSync(path, 'r');
    this.#offset = group.offset;
    this.#end = group.offset + group.bytes;
    this.block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, group.bytes));
    this.view = viewOf(this.block);
  }

  /** Moves to the next record. False at the end, when the file is closed. @throws AppError store_corrupt */
  next(): boolean {
    const isFirstOfBlock = this.#nextAt >= this.#blockEnd;
    if (isFirstOfBlock && !this.#readBlock()) {
      this.keyPrefix = Infinity;
      return false;
    }
    const { view, keyStart, keyPrefix } = this;
    const stemBytes = this.lineStart - keyStart - KEY_END_BYTES;
    const at = this.#nextAt;
    const start = at + RUN_RECORD_HEADER_BYTES;
    const lineStart = start + view.getUint16(at + 6, true);
    this.#nextAt = at + 4 + view.getUint32(at, true);
    this.flags = view.getUint8(at + 4);
    this.sendTimeMs = view.getFloat64(at + 12, true);
    this.keyStart = start;
    this.lineStart = lineStart;
    this.extrasStart = lineStart + view.getUint32(at + 8, true);
    this.recordEnd = this.#nextAt;
    // A key has at least 26 bytes.
    this.keyPrefix = view.getUint32(start) * 2 ** 20 + (view.getUint32(start + 4) >>> 12);
    this.timeMs =
      (view.getUint32(lineStart - KEY_END_BYTES) - 2 ** 31) * 2 ** 32 + view.getUint32(lineStart - KEY_END_BYTES + 4);
    this.isSameStem =
      this.keyPrefix === keyPrefix &&
      !isFirstOfBlock &&
      lineStart - start - KEY_END_BYTES === stemBytes &&
      equalLength(view, keyStart, view, start, stemBytes) === stemBytes;
    return true;
  }

  /** Closes the file and gives back the block at once, not when somebody collects garbage. May be called again. */
  close(): void {
    if (this.#offset === Infinity) return;
    this.#offset = Infinity;
    closeSync(this.#fd);
    this.block.buffer.transfer(0);
    this.block = NO_BLOCK;
    this.view = viewOf(NO_BLOCK);
  }

  #readBlock(): boolean {
    if (this.#offset >= this.#end) {
      this.close();
      return false;
    }
    // In one call: blocks are of nearly the same size, so what is read beyond this one is a few bytes.
    const known = Math.min(this.block.length, this.#end - this.#offset);
    readInto(this.#fd, this.block, 0, known, this.#offset, this.#path);
    const length = known < BLOCK_HEADER_BYTES ? Infinity : this.view.getUint32(0, true);
    const blockEnd = BLOCK_HEADER_BYTES + length;
    if (this.#offset + blockEnd > this.#end) throw corrupt(this.#path, `the block at byte ${this.#offset} is too long`);
    if (blockEnd > known) this.#readRest(known, blockEnd);
    if (crc32(this.block.subarray(BLOCK_HEADER_BYTES, blockEnd)) !== this.view.getUint32(4, true)) {
      throw corrupt(this.#path, `the checksum of the block at byte ${this.#offset} does not fit`);
    }
    this.#offset += blockEnd;
    this.#blockEnd = blockEnd;
    this.#nextAt = BLOCK_HEADER_BYTES;
    return true;
  }

  /** Reads what a block, of which the beginning is there, has beyond: it holds one large record. */
  #readRest(known: number, blockEnd: number): void {
    if (blockEnd > this.block.length) {
      const larger = Buffer.allocUnsafeSlow(blockEnd);
      this.block.copy(larger, 0, 0, known);
      this.block = larger;
      this.view = viewOf(larger);
    }
    readInto(this.#fd, this.block, known, blockEnd - known, this.#offset + known, this.#path);
  }
}

function readExactly(fd: number, position: number, length: number, path: string): Buffer {
  if (position < RUN_MAGIC_BYTES) throw corrupt(path, 'it is too short');
  const bytes = Buffer.allocUnsafe(length);
  readInto(fd, bytes, 0, length, position, path);
  return bytes;
}

function readInto(fd: number, target: Buffer, at: number, length: number, position: number, path: string): void {
  for (let got = 0; got < length;) {
    const count = readSync(fd, target, at + got, length - got, position + got);
    if (count === 0) throw corrupt(path, 'it is too short');
    got += count;
  }
}

function corrupt(path: string, what: string): AppError {
  return new AppError('store_corrupt', `The run ${shortPath(path)} is damaged: ${what}.`);
}
