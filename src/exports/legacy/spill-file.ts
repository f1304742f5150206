/**
 * A file of sorted chunks of lines, for a group of rows that is too large for memory.
 *
 * The file has no name from the moment it is made, so that it is gone with the process, whatever ends it: nothing of a row is left
 * on the disk. One record is its send time as f64, its length as u32, its line. Memory when merged: the given bytes for all chunks
 * together, but for a chunk whose next line is larger than its share. Synchronous: made for worker threads.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const RECORD_HEADER_BYTES = 12;
const MIN_READ_BYTES = 4_096;
const WRITE_BYTES = 1024 * 1024;

/** A line of a chunk; good until the chunk's next one is read. */
export type SpilledLine = { readonly sendTimeMs: number; readonly line: Buffer };

type ChunkRange = { readonly from: number; readonly until: number };

export class SpillFile {
  readonly #fd: number;
  #chunks: ChunkRange[] = [];
  #bytes = 0;
  /** What is gathered for the next write. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  constructor(folder: string) {
    const path = join(folder, `.spill-${randomUUID()}.tmp`);
    this.#fd = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
  }

  get chunks(): number {
    return this.#chunks.length;
  }

  /** Adds a chunk of lines that are sorted by send time. */
  add(lines: Iterable<SpilledLine>): void {
    const from = this.#bytes;
    for (const { sendTimeMs, line } of lines) {
      const header = Buffer.allocUnsafe(RECORD_HEADER_BYTES);
      header.writeDoubleLE(sendTimeMs, 0);
      header.writeUInt32LE(line.length, 8);
      this.#write(header);
      this.#write(line);
    }
    this.#flush();
    this.#chunks.push({ from, until: this.#bytes });
  }

  /** Gives all lines by send time, those of an earlier chunk first where it is equal. Then the file is empty again. */
  *merge(memoryBytes: number): Generator<SpilledLine> {
    const readBytes = Math.max(MIN_READ_BYTES, Math.floor(memoryBytes / this.#chunks.length));
    const heap = this.#chunks
      .map((chunk, rank) => new ChunkReader(this.#fd, chunk, rank, readBytes))
      .filter((reader) => reader.next())
      .sort((a, b) => (isBefore(a, b) ? -1 : 1));
    while (heap.length > 0) {
      const first = heap[0]!;
      yield first.current;
      if (!first.next()) {
        const last = heap.pop()!;
        if (heap.length === 0) break;
        heap[0] = last;
      }
      siftDown(heap);
    }
    this.#chunks = [];
    this.#bytes = 0;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #write(bytes: Buffer): void {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes >= WRITE_BYTES) this.#flush();
  }

  #flush(): void {
    const block = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    for (let at = 0; at < block.length;) {
      const written = writeSync(this.#fd, block, at, block.length - at, this.#bytes);
      at += written;
      this.#bytes += written;
    }
  }
}

/** Reads one chunk from its first line to its last. */
class ChunkReader {
  readonly rank: number;
  readonly #fd: number;
  readonly #until: number;
  /** Where in the file the bytes behind the buffer's lie. */
  #at: number;
  #buffer: Buffer;
  #from = 0;
  #filled = 0;
  #current: SpilledLine | undefined;

  constructor(fd: number, { from, until }: ChunkRange, rank: number, readBytes: number) {
    this.#fd = fd;
    this.#at = from;
    this.#until = until;
    this.rank = rank;
    this.#buffer = Buffer.allocUnsafeSlow(readBytes);
  }

  /** The line that `next` has found. */
  get current(): SpilledLine {
    if (!this.#current) throw new Error('the chunk has no line here');
    return this.#current;
  }

  /** Moves to the next line; false when there is none. */
  next(): boolean {
    if (this.#from === this.#filled && this.#at === this.#until) return false;
    this.#need(RECORD_HEADER_BYTES);
    const bytes = this.#buffer.readUInt32LE(this.#from + 8);
    this.#need(RECORD_HEADER_BYTES + bytes);
    const lineFrom = this.#from + RECORD_HEADER_BYTES;
    this.#current = {
      sendTimeMs: this.#buffer.readDoubleLE(this.#from),
      line: this.#buffer.subarray(lineFrom, lineFrom + bytes),
    };
    this.#from = lineFrom + bytes;
    return true;
  }

  /** Sees to it that so many bytes lie in the buffer. */
  #need(bytes: number): void {
    if (this.#filled - this.#from >= bytes) return;
    const target = bytes > this.#buffer.length ? Buffer.allocUnsafeSlow(bytes) : this.#buffer;
    this.#buffer.copy(target, 0, this.#from, this.#filled);
    this.#buffer = target;
    this.#filled -= this.#from;
    this.#from = 0;
    while (this.#filled < bytes) {
      const wanted = Math.min(target.length - this.#filled, this.#until - this.#at);
      const read = readSync(this.#fd, target, this.#filled, wanted, this.#at);
      if (read === 0) throw new Error('a spill file is shorter than what was written');
      this.#filled += read;
      this.#at += read;
    }
  }
}

function isBefore(a: ChunkReader, b: ChunkReader): boolean {
  const difference = a.current.sendTimeMs - b.current.sendTimeMs;
  return difference < 0 || (difference === 0 && a.rank < b.rank);
}

/** Moves the first reader down to its place. */
function siftDown(heap: ChunkReader[]): void {
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
}
