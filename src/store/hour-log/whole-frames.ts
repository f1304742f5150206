/**
 * Measures a segment's whole frames on the disk, piece by piece: the main process does this for every hour, and must neither hold a
 * segment in memory nor stand still for as long as one takes.
 *
 * Only behind the last whole frame, where a tail is torn or something is damaged, the rest of the file is read at once.
 */
import type { FileHandle } from 'node:fs/promises';
import type { Hour } from '../../events/hour.ts';
import { crc32 } from '../../lib/crc32.ts';
import { refuseNewerFile } from './file-version.ts';
import { BODY_HEADER_BYTES, FRAME_HEADER_BYTES } from './record-codec.ts';
import { hasFrameBehind, SEGMENT_HEADER_BYTES, SEGMENT_MAGIC } from './segment.ts';

/** Up to where a segment's frames are whole, and whether one that is whole follows behind, which is damage. */
export type WholeFrames = { readonly bytes: number; readonly isDamaged: boolean };

const PIECE_BYTES = 1024 * 1024;

/** Measures an open segment. @throws AppError format_too_new */
export async function measureWholeFrames(handle: FileHandle, path: string, hour: Hour): Promise<WholeFrames> {
  const { size } = await handle.stat();
  const file = new FilePieces(handle, size);
  const magic = await file.take(0, Math.min(size, SEGMENT_HEADER_BYTES));
  refuseNewerFile(magic, SEGMENT_MAGIC, path);
  let bytes = 0;
  if (magic.length === SEGMENT_HEADER_BYTES && magic.toString('latin1', 0, 8) === SEGMENT_MAGIC) {
    bytes = SEGMENT_HEADER_BYTES;
    for (let end = await frameEnd(file, bytes); end !== undefined; end = await frameEnd(file, bytes)) bytes = end;
  }
  if (bytes === size) return { bytes, isDamaged: false };
  return { bytes, isDamaged: hasFrameBehind(await file.whole(bytes), 0, hour) };
}

/** Gives the end of the frame at this place; undefined when there is no whole one. */
async function frameEnd(file: FilePieces, at: number): Promise<number | undefined> {
  const bodyAt = at + FRAME_HEADER_BYTES;
  if (bodyAt + BODY_HEADER_BYTES > file.size) return undefined;
  const header = await file.take(at, FRAME_HEADER_BYTES);
  const end = bodyAt + header.readUInt32LE(0);
  const expected = header.readUInt32LE(4);
  if (end > file.size || end < bodyAt + BODY_HEADER_BYTES) return undefined;
  let crc = 0;
  for (let place = bodyAt; place < end;) {
    const piece = await file.some(place, end);
    crc = crc32(piece, crc);
    place += piece.length;
  }
  return crc === expected ? end : undefined;
}

/** A file of which one piece is in memory. */
class FilePieces {
  readonly size: number;
  readonly #handle: FileHandle;
  readonly #memory: Buffer;
  #start = 0;
  #end = 0;

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.size = size;
    this.#memory = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, size));
  }

  /** Gives exactly these few bytes, which hold until the next call. */
  async take(at: number, count: number): Promise<Buffer> {
    if (at < this.#start || at + count > this.#end) await this.#load(at);
    return this.#memory.subarray(at - this.#start, at - this.#start + count);
  }

  /** Gives at least one byte from this place, and none from `until` on; they hold until the next call. */
  async some(at: number, until: number): Promise<Buffer> {
    if (at < this.#start || at >= this.#end) await this.#load(at);
    return this.#memory.subarray(at - this.#start, Math.min(until, this.#end) - this.#start);
  }

  /** Gives everything from this place on, in memory of its own. */
  async whole(at: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(this.size - at);
    await this.#read(bytes, at);
    return bytes;
  }

  async #load(at: number): Promise<void> {
    const length = Math.min(this.#memory.length, this.size - at);
    await this.#read(this.#memory.subarray(0, length), at);
    this.#start = at;
    this.#end = at + length;
  }

  /** Fills the memory. What the file has lost since reads as zeros, which are no frame. */
  async #read(memory: Buffer, at: number): Promise<void> {
    for (let got = 0; got < memory.length;) {
      const { bytesRead } = await this.#handle.read(memory, got, memory.length - got, at + got);
      if (bytesRead === 0) return void memory.fill(0, got);
      got += bytesRead;
    }
  }
}
