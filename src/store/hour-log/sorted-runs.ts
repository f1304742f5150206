/**
 * Sorts any number of records into runs, in chunks of bounded size: each full chunk is sorted and ends a run. Whoever reads the
 * runs merges them. Synchronous: used in worker threads only.
 *
 * A record is put together piece by piece, so that nothing is made of it on the way: `begin`, then `key`, `line` and `extras` any
 * number of times and in this order. A run may hold the groups of many projects, a group of each at most.
 *
 * Memory: one chunk, which grows as far as it is needed, and some 60 bytes a record.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordKind } from '../../events/event-row.ts';
import { RUN_SUFFIX } from './layout.ts';
import { RunWriter } from './run-writer.ts';

export type SortedRunsOptions = {
  readonly folder: string;
  /** Runs are named by this and a number. */
  readonly prefix: string;
  /** Temporary runs have names that count for nothing, and are not synced. */
  readonly isTemporary?: boolean;
};

const CHUNK_BYTES = 32 * 1024 * 1024;
const FIRST_CHUNK_BYTES = 64 * 1024;
/** Room for the record that fills the chunk; one that is larger makes its own. */
const LAST_RECORD_BYTES = 256 * 1024;
/** Stands before each record in the chunk: u32 key, u32 line, u32 extras (lengths), u32 flags, f64 send time. */
const HEADER_BYTES = 24;
/** What of a key decides most comparisons as a number: this many bytes, twice. */
const PREFIX_BYTES = 6;

export class SortedRuns {
  readonly names: string[] = [];
  readonly #options: SortedRunsOptions;
  #writer: RunWriter | undefined;
  #group: { readonly ai: string; readonly kind: RecordKind } | undefined;
  #chunk = Buffer.alloc(0);
  #chunkBytes = 0;
  /** Where each record's key begins in the chunk. */
  #starts: number[] = [];

  constructor(options: SortedRunsOptions) {
    this.#options = options;
  }

  get paths(): readonly string[] {
    return this.names.map((name) => join(this.#options.folder, name));
  }

  /** Begins the records of a project and kind; each pair comes once only. */
  beginGroup(ai: string, kind: RecordKind): void {
    this.#writeChunk();
    this.#group = { ai, kind };
  }

  /** Begins a record, in any order. Its line has its send time already. */
  begin(flags: number, sendTimeMs: number): void {
    if (this.#chunkBytes >= CHUNK_BYTES) this.#endRun();
    this.#reserve(HEADER_BYTES);
    const at = this.#chunkBytes;
    this.#chunk.fill(0, at, at + HEADER_BYTES);
    this.#chunk.writeUInt32LE(flags, at + 12);
    this.#chunk.writeDoubleLE(sendTimeMs, at + 16);
    this.#chunkBytes += HEADER_BYTES;
    this.#starts.push(this.#chunkBytes);
  }

  /** Adds the bytes [start, end) to the record's key. */
  key(bytes: Buffer, start: number, end: number): void {
    this.#add(0, bytes, start, end);
  }

  line(bytes: Buffer, start: number, end: number): void {
    this.#add(4, bytes, start, end);
  }

  extras(bytes: Buffer, start: number, end: number): void {
    this.#add(8, bytes, start, end);
  }

  /** Makes all runs whole, and durable unless they are temporary. */
  finish(): void {
    this.#endRun();
    this.#chunk.buffer.transfer(0);
    this.#chunk = Buffer.alloc(0);
  }

  /** Forgets the run at hand after an error. */
  abort(): void {
    this.#writer?.abort();
  }

  /** Deletes the runs, and forgets the one at hand. */
  remove(): void {
    this.abort();
    for (const path of this.paths) rmSync(path, { force: true });
  }

  #add(lengthAt: number, bytes: Buffer, start: number, end: number): void {
    if (end <= start) return;
    this.#reserve(end - start);
    const header = this.#starts.at(-1)! - HEADER_BYTES;
    this.#chunk.writeUInt32LE(this.#chunk.readUInt32LE(header + lengthAt) + end - start, header + lengthAt);
    bytes.copy(this.#chunk, this.#chunkBytes, start, end);
    this.#chunkBytes += end - start;
  }

  #reserve(bytes: number): void {
    const needed = this.#chunkBytes + bytes;
    if (needed <= this.#chunk.length) return;
    const roomy = Math.min(Math.max(2 * this.#chunk.length, FIRST_CHUNK_BYTES), CHUNK_BYTES + LAST_RECORD_BYTES);
    // Moved, not copied: the old memory is given back at once, and not when somebody collects garbage.
    this.#chunk = Buffer.from(this.#chunk.buffer.transfer(Math.max(needed, roomy)));
  }

  #endRun(): void {
    this.#writeChunk();
    this.#writer?.finish([], null);
    this.#writer = undefined;
  }

  #writeChunk(): void {
    if (!this.#group || this.#starts.length === 0) return;
    this.#writer ??= this.#openWriter();
    this.#writer.beginGroup(this.#group.ai, this.#group.kind, 'rows');
    const [bytes, starts] = [this.#chunk, this.#starts];
    for (const record of sortRecords(bytes, starts)) {
      const keyStart = starts[record]!;
      const lineStart = keyStart + bytes.readUInt32LE(keyStart - HEADER_BYTES);
      const extrasStart = lineStart + bytes.readUInt32LE(keyStart - HEADER_BYTES + 4);
      this.#writer.add({
        bytes,
        flags: bytes.readUInt32LE(keyStart - HEADER_BYTES + 12),
        sendTimeMs: sendTimeOf(bytes, keyStart),
        keyStart,
        lineStart,
        extrasStart,
        end: extrasStart + bytes.readUInt32LE(keyStart - HEADER_BYTES + 8),
      });
    }
    this.#starts = [];
    this.#chunkBytes = 0;
  }

  #openWriter(): RunWriter {
    const { folder, prefix, isTemporary = false } = this.#options;
    const number = String(this.names.length + 1).padStart(6, '0');
    const name = `${prefix}-${number}${RUN_SUFFIX}${isTemporary ? '.tmp' : ''}`;
    this.names.push(name);
    return new RunWriter(join(folder, name), { syncs: !isTemporary });
  }
}

/** Sorts records by key, send time and arrival. Returns their places, in order. */
function sortRecords(bytes: Buffer, starts: readonly number[]): Uint32Array {
  const ends = starts.map((start) => start + bytes.readUInt32LE(start - HEADER_BYTES));
  const common = commonBytes(bytes, starts, ends);
  const first = new Float64Array(starts.length);
  const second = new Float64Array(starts.length);
  const order = new Uint32Array(starts.length);
  for (let record = 0; record < starts.length; record += 1) {
    const at = starts[record]! + common;
    first[record] = prefixAt(bytes, at, ends[record]!);
    second[record] = prefixAt(bytes, at + PREFIX_BYTES, ends[record]!);
    order[record] = record;
  }
  return order.sort(
    (a, b) =>
      first[a]! - first[b]! ||
      second[a]! - second[b]! ||
      bytes.compare(bytes, starts[b], ends[b], starts[a], ends[a]) ||
      sendTimeOf(bytes, starts[a]!) - sendTimeOf(bytes, starts[b]!) ||
      a - b,
  );
}

/** Counts the bytes that all keys begin with: what is behind them tells keys apart. */
function commonBytes(bytes: Buffer, starts: readonly number[], ends: readonly number[]): number {
  let common = ends[0]! - starts[0]!;
  for (let record = 1; record < starts.length && common > 0; record += 1) {
    const limit = Math.min(common, ends[record]! - starts[record]!);
    let same = 0;
    while (same < limit && bytes[starts[0]! + same] === bytes[starts[record]! + same]) same += 1;
    common = same;
  }
  return common;
}

/** Reads some bytes as a number; missing ones are zeros, as a key that ends comes before those that go on. */
function prefixAt(bytes: Buffer, at: number, end: number): number {
  if (at + PREFIX_BYTES <= end) return bytes.readUIntBE(at, PREFIX_BYTES);
  let prefix = 0;
  for (let place = at; place < at + PREFIX_BYTES; place += 1) prefix = prefix * 256 + (place < end ? bytes[place]! : 0);
  return prefix;
}

function sendTimeOf(bytes: Buffer, keyStart: number): number {
  return bytes.readDoubleLE(keyStart - 8);
}
