/**
 * Reads runs: the index, and the records of one group through a cursor. Synchronous: used in worker threads, and for an index
 * (a few KiB) elsewhere. Every block's checksum is checked. Memory: one block a cursor.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { RecordKind } from '../../events/event-row.ts';
import { refuseNewerFile } from './file-version.ts';
import { shortPath } from './layout.ts';
import { AppError } from '../../errors/app-error.ts';
import { isSystemError } from '../../lib/system-error.ts';
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

/** Reads which bytes of its segment a run was made of; undefined when there is no such run. */
export function readRunSource(path: string): { readonly bytes: number } | undefined {
  try {
    return readRunIndex(path).source ?? undefined;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

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
  block: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  flags = 0;
  sendTimeMs = 0;
  keyStart = 0;
  lineStart = 0;
  extrasStart = 0;
  recordEnd = 0;
  /** The first six bytes of the key as a number: decides most comparisons without a call. */
  keyPrefix = 0;

  constructor(path: string, group: RunGroup) {
    this.#path = path;
    this.#fd = openSync(path, 'r');
    this.#offset = group.offset;
    this.#end = group.offset + group.bytes;
  }

  /** Moves to the next record. False at the end, when the file is closed. @throws AppError store_corrupt */
  next(): boolean {
    if (this.#nextAt >= this.#blockEnd && !this.#readBlock()) return false;
    const { block } = this;
    const at = this.#nextAt;
    this.#nextAt = at + 4 + block.readUInt32LE(at);
    this.flags = block[at + 4]!;
    this.sendTimeMs = block.readDoubleLE(at + 12);
    this.keyStart = at + RUN_RECORD_HEADER_BYTES;
    this.lineStart = this.keyStart + block.readUInt16LE(at + 6);
    this.extrasStart = this.lineStart + block.readUInt32LE(at + 8);
    this.recordEnd = this.#nextAt;
    this.keyPrefix = block.readUIntBE(this.keyStart, 6); // a key has at least 26 bytes
    return true;
  }

  /** Closes the file. May be called again. */
  close(): void {
    if (this.#offset === Infinity) return;
    this.#offset = Infinity;
    closeSync(this.#fd);
  }

  #readBlock(): boolean {
    if (this.#offset >= this.#end) {
      this.close();
      return false;
    }
    const header = readExactly(this.#fd, this.#offset, BLOCK_HEADER_BYTES, this.#path);
    const length = header.readUInt32LE(0);
    if (this.#offset + BLOCK_HEADER_BYTES + length > this.#end)
      throw corrupt(this.#path, `the block at byte ${this.#offset} is too long`);
    if (length > this.block.length) this.block = Buffer.allocUnsafeSlow(length);
    readInto(this.#fd, this.block, length, this.#offset + BLOCK_HEADER_BYTES, this.#path);
    if (crc32(this.block.subarray(0, length)) !== header.readUInt32LE(4)) {
      throw corrupt(this.#path, `the checksum of the block at byte ${this.#offset} does not fit`);
    }
    this.#offset += BLOCK_HEADER_BYTES + length;
    this.#blockEnd = length;
    this.#nextAt = 0;
    return true;
  }
}

function readExactly(fd: number, position: number, length: number, path: string): Buffer {
  if (position < RUN_MAGIC_BYTES) throw corrupt(path, 'it is too short');
  const bytes = Buffer.allocUnsafe(length);
  readInto(fd, bytes, length, position, path);
  return bytes;
}

function readInto(fd: number, target: Buffer, length: number, position: number, path: string): void {
  for (let got = 0; got < length;) {
    const count = readSync(fd, target, got, length - got, position + got);
    if (count === 0) throw corrupt(path, 'it is too short');
    got += count;
  }
}

function corrupt(path: string, what: string): AppError {
  return new AppError('store_corrupt', `The run ${shortPath(path)} is damaged: ${what}.`);
}
