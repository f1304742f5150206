/**
 * gzip by Intel ISA-L, levels 1 to 3: level 1 does about 700 MB/s of CSV a core, at the ratio of zlib's level 1.
 *
 * C writes into memory that is given here by address, so three rules hold. The memory lies outside the JavaScript heap and never
 * moves; while a call runs it is held in `#running`, whatever the caller does with the stream; and the output has more room than
 * the worst case needs, so that one call takes a whole chunk and ISA-L never has to suspend a block for want of output.
 *
 * Cost: 360 to 430 KiB a stream, and twice the worst case of its largest chunk.
 */
import { FINISH_MAX_BYTES, maxCompressedBytes } from './compressed-size.ts';
import type { GzipCodec, GzipStream } from './gzip-codec.ts';
import type { IsaL } from './isa-l-library.ts';

// struct isal_zstream of igzip_lib.h on x64, the same in 2.30 and 2.31: 82,384 bytes, of which all after byte 64 is its own.
const STREAM_BYTES = 84 * 1024;
const OFFSET = {
  nextIn: 0,
  availableIn: 8,
  nextOut: 16,
  availableOut: 24,
  level: 40,
  levelBufferBytes: 44,
  levelBuffer: 48,
  endOfStream: 56,
  flush: 58,
  gzipFlag: 60,
} as const;
/** ISAL_DEF_LVL1_DEFAULT to ISAL_DEF_LVL3_DEFAULT: ISA-L refuses less than it needs, and what it has decides the bytes. */
const LEVEL_BUFFER_BYTES = { 1: 282_624, 2: 331_776, 3: 348_160 } as const;
/** ISA-L's own levels that were tested. Its level 0, which has no counterpart in gzip, is left out. */
export type IsaLLevel = keyof typeof LEVEL_BUFFER_BYTES;
const NO_FLUSH = 0;
const SYNC_FLUSH = 1;
const IGZIP_GZIP = 1;
const LITTLE_ENDIAN = true;
const EMPTY = Buffer.alloc(0);
// ISAL_DEF_MAX_HDR_SIZE (328) and the gzip header: with less room ISA-L writes a block's header by way of a side buffer.
const SPARE_OUTPUT_BYTES = 512;

/** Says whether ISA-L has this level. */
export function isIsaLLevel(level: number): level is IsaLLevel {
  return Object.hasOwn(LEVEL_BUFFER_BYTES, level);
}

/** Gives the codec of a loaded library. */
export function openIsaLCodec(library: IsaL, level: IsaLLevel = 1): GzipCodec {
  return { name: `isa-l ${library.version} level ${level}`, open: () => new IsaLStream(library, level) };
}

class IsaLStream implements GzipStream {
  readonly #library: IsaL;
  // Zeroed; like all buffers of their size, each with memory of its own outside the JavaScript heap.
  readonly #stream = Buffer.alloc(STREAM_BYTES);
  readonly #levelBuffer: Buffer<ArrayBuffer>;
  readonly #fields = new DataView(this.#stream.buffer, this.#stream.byteOffset, this.#stream.byteLength);
  readonly #streamAddress: bigint;
  /** Each for every other chunk: the caller stores what came of one while the next is compressed. */
  readonly #outputs = [EMPTY, EMPTY];
  #running: readonly Uint8Array[] | undefined;
  #state: 'open' | 'finished' | 'failed' = 'open';

  constructor(library: IsaL, level: IsaLLevel) {
    this.#library = library;
    this.#levelBuffer = Buffer.alloc(LEVEL_BUFFER_BYTES[level]);
    this.#streamAddress = library.addressOf(this.#stream);
    library.initStream(this.#streamAddress);
    this.#fields.setUint32(OFFSET.level, level, LITTLE_ENDIAN);
    this.#fields.setUint32(OFFSET.levelBufferBytes, this.#levelBuffer.byteLength, LITTLE_ENDIAN);
    this.#fields.setBigUint64(OFFSET.levelBuffer, library.addressOf(this.#levelBuffer), LITTLE_ENDIAN);
    this.#fields.setUint16(OFFSET.gzipFlag, IGZIP_GZIP, LITTLE_ENDIAN);
  }

  async write(chunk: Uint8Array): Promise<Uint8Array> {
    if (chunk.byteLength === 0) return EMPTY;
    return this.#deflate(chunk, false);
  }

  async finish(): Promise<Uint8Array> {
    const last = await this.#deflate(EMPTY, true);
    this.#state = 'finished';
    // Given back at once, and not when somebody collects garbage: an hour may have hundreds of small packages.
    for (const memory of [this.#stream, this.#levelBuffer]) memory.buffer.transfer(0);
    return last;
  }

  async #deflate(chunk: Uint8Array, isLast: boolean): Promise<Uint8Array> {
    if (this.#state !== 'open') throw new Error(`the gzip stream is ${this.#state}`);
    if (this.#running !== undefined) throw new Error('the gzip stream is still busy with the chunk before');
    const outputBytes = maxCompressedBytes(chunk.byteLength) + FINISH_MAX_BYTES + SPARE_OUTPUT_BYTES;
    // Kept for the next chunk: fresh memory for each makes V8 collect garbage five times a second.
    // The end goes into the memory of the last chunk: how ISA-L writes an empty last block depends on what it finds there.
    const free = isLast ? this.#outputs.pop()! : this.#outputs.shift()!;
    const output = free.byteLength < outputBytes ? Buffer.allocUnsafeSlow(outputBytes) : free;
    this.#outputs.push(output);
    this.#fields.setBigUint64(
      OFFSET.nextIn,
      this.#library.addressOf(chunk.byteLength === 0 ? output : chunk),
      LITTLE_ENDIAN,
    );
    this.#fields.setUint32(OFFSET.availableIn, chunk.byteLength, LITTLE_ENDIAN);
    this.#fields.setBigUint64(OFFSET.nextOut, this.#library.addressOf(output), LITTLE_ENDIAN);
    this.#fields.setUint32(OFFSET.availableOut, outputBytes, LITTLE_ENDIAN);
    this.#fields.setUint16(OFFSET.endOfStream, isLast ? 1 : 0, LITTLE_ENDIAN);
    this.#fields.setUint16(OFFSET.flush, isLast ? NO_FLUSH : SYNC_FLUSH, LITTLE_ENDIAN);
    this.#running = [chunk, output, this.#stream, this.#levelBuffer];
    try {
      const code = await this.#library.deflate(this.#streamAddress);
      const leftIn = this.#fields.getUint32(OFFSET.availableIn, LITTLE_ENDIAN);
      const leftOut = this.#fields.getUint32(OFFSET.availableOut, LITTLE_ENDIAN);
      // With output left over, ISA-L has flushed everything (igzip_lib.h, isal_deflate); without, the bound was wrong.
      if (code !== 0 || leftIn !== 0 || leftOut === 0) {
        throw new Error(`isal_deflate answered ${code} with ${leftIn} bytes unread and room for ${leftOut}`);
      }
      return output.subarray(0, outputBytes - leftOut);
    } catch (error) {
      this.#state = 'failed';
      throw error;
    } finally {
      this.#running = undefined;
    }
  }
}
