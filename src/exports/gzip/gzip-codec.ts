/**
 * Compressors that write one single-member gzip stream a piece at a time.
 *
 * One member, because commons-compress, which the vendor's own guide uses, stops after the first and loses the rest without an
 * error. Every piece ends on a byte boundary, so that the compressed size is known after each. The same pieces give the same
 * bytes for one `name`: no time and no operating system in the header.
 *
 * Implementations: `isa-l-codec.ts`, `zlib-codec.ts`; `open-gzip-codec.ts` chooses. Both compress on a thread of libuv's pool,
 * so the caller can hash the piece meanwhile.
 */
export interface GzipCodec {
  /** What decides the bytes, such as `isa-l 2.30.0 level 1`; manifests record it. */
  readonly name: string;
  /** Starts a gzip stream. It holds memory only, so there is nothing to close. */
  open(): GzipStream;
}

/** One gzip stream being written. The caller waits for each call before the next, and leaves the chunk alone until then. */
export interface GzipStream {
  /**
   * Compresses a chunk and flushes it to a byte boundary: all of it can be decompressed from the bytes given so far. Gives at
   * most `maxCompressedBytes` of its size, in memory that is good until the next `write` but one, or `finish`. An empty chunk gives nothing.
   */
  write(chunk: Uint8Array): Promise<Uint8Array>;
  /** Ends the stream and gives its last bytes, at most `FINISH_MAX_BYTES`. A stream without chunks is a valid, empty one. */
  finish(): Promise<Uint8Array>;
}
