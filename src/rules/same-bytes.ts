/** Compares [start, end) of some bytes with that of others. Texts of actions are short: a call into C++ would cost more. */
export function isSameBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  others: Uint8Array,
  otherStart: number,
  otherEnd: number,
): boolean {
  const length = end - start;
  if (length !== otherEnd - otherStart) return false;
  for (let place = 0; place < length; place += 1) if (bytes[start + place] !== others[otherStart + place]) return false;
  return true;
}
