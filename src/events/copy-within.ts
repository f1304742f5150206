/**
 * Copies bytes within one buffer. Short spans byte by byte, because a call of copyWithin costs as much as some twenty bytes;
 * a copy between two buffers costs twice to three times as much as that.
 */
const CALL_WORTH_BYTES = 20;

/** Copies [start, end) to `at`; gives the end of the copy. */
export function copyWithin(bytes: Uint8Array, at: number, start: number, end: number): number {
  const length = end - start;
  if (length > CALL_WORTH_BYTES) bytes.copyWithin(at, start, end);
  else for (let place = 0; place < length; place += 1) bytes[at + place] = bytes[start + place]!;
  return at + length;
}
