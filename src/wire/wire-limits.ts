/** How much one request body may make the collector do. Every limit holds while decoding, not after it. */
export type WireLimits = {
  /** Bytes of the body as it came over the wire. */
  readonly maxBytes: number;
  /** Bytes of the JSON text that a coding may decode to. */
  readonly maxDecodedBytes: number;
  /** Levels of `[` and `{` in the JSON text, the outermost one counted. */
  readonly maxDepth: number;
  /** Elements of the outermost array. */
  readonly maxElements: number;
  /**
   * Commas and opening brackets of the whole text, which stand for its values. Bounds the heap: `{},` takes 3 bytes of text and
   * 56 bytes of heap, so that a snappy body of 3 MiB could otherwise ask for 1.2 GB. Real events have one for 15 bytes of text.
   */
  readonly maxValues: number;
  /** Bytes of one element's text; a larger element is set aside and its neighbours are taken. */
  readonly maxElementBytes: number;
  /** Bytes of the beginning that is kept of an element that was set aside. */
  readonly oversizeHeadBytes: number;
};

/** The limits of a server that was not told otherwise: 8 MiB on the wire, 64 MiB decoded, 1 MiB for one element. */
export const DEFAULT_WIRE_LIMITS: WireLimits = {
  maxBytes: 8 * 1024 * 1024,
  maxDecodedBytes: 64 * 1024 * 1024,
  maxDepth: 64,
  maxElements: 100_000,
  maxValues: 5_000_000,
  maxElementBytes: 1024 * 1024,
  oversizeHeadBytes: 64 * 1024,
};
