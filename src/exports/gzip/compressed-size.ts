/**
 * How large compressed bytes can become at worst, for both codecs: what holds packages under their limit.
 *
 * Both write each deflate block in the cheapest of its forms, so none is longer than with the fixed Huffman code of RFC 1951
 * §3.2.6: a literal takes at most 9 bits; the shortest match, 3 bytes, 7 + 5 + 13 = 25 bits; a block 10 bits more. zlib closes a
 * block after 16 Ki symbols, ISA-L after 64 Ki. zlib's own bound for this case (`fixedlen` in deflate.c) is the same formula.
 */

// Gzip header 10, flush to a byte boundary 6, and slack.
const CHUNK_EXTRA_BYTES = 40;

/** An empty last block (2 bytes, ISA-L may take more) and the gzip trailer (8); also the header when there was no chunk. */
export const FINISH_MAX_BYTES = 32;

/** Gives the most bytes that `GzipStream.write` makes of a chunk. */
export function maxCompressedBytes(chunkBytes: number): number {
  return chunkBytes + Math.ceil(chunkBytes / 8) + Math.ceil(chunkBytes / 128) + CHUNK_EXTRA_BYTES;
}

/** Gives the size of the largest chunk that, compressed, surely leaves a finished stream within this room; 0 when none does. */
export function largestChunkBytes(roomBytes: number): number {
  // The inverse of the above, at least 2 bytes smaller for the rounding up.
  return Math.max(0, Math.floor(((roomBytes - FINISH_MAX_BYTES - CHUNK_EXTRA_BYTES - 2) * 128) / 145));
}
