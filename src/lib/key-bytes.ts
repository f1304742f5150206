/**
 * Compares bytes in the order of their values, many at a time: what sorting and merging spend most of their time on.
 *
 * Eight bytes a step, as two integers: for BigInts that are compared V8 makes both, which takes three times as long. A call of `Buffer.compare`
 * takes five times as long for the 100 bytes of a key.
 */

/** Makes a view of a buffer's bytes. */
export function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Gives how many bytes from these places on are equal, up to a length. */
export function equalLength(a: DataView, aStart: number, b: DataView, bStart: number, length: number): number {
  let at = 0;
  while (at + 8 <= length && isSameWord(a, aStart + at, b, bStart + at)) at += 8;
  while (at < length && a.getUint8(aStart + at) === b.getUint8(bStart + at)) at += 1;
  return at;
}

/** Says whether eight bytes are the same. */
function isSameWord(a: DataView, aAt: number, b: DataView, bAt: number): boolean {
  return a.getInt32(aAt, true) === b.getInt32(bAt, true) && a.getInt32(aAt + 4, true) === b.getInt32(bAt + 4, true);
}

/** Says whether [start, end) and [otherStart, otherEnd) of some bytes are the same. */
export function isSameWithin(
  bytes: DataView,
  start: number,
  end: number,
  otherStart: number,
  otherEnd: number,
): boolean {
  const length = end - start;
  return otherEnd - otherStart === length && equalLength(bytes, start, bytes, otherStart, length) === length;
}

/** Compares bytes [aStart, aEnd) with [bStart, bEnd): the first that differs decides, else the length. */
export function compareBytes(
  a: DataView,
  aStart: number,
  aEnd: number,
  b: DataView,
  bStart: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  const equal = equalLength(a, aStart, b, bStart, length);
  if (equal < length) return a.getUint8(aStart + equal) - b.getUint8(bStart + equal);
  return aEnd - aStart - (bEnd - bStart);
}
