/** Makes proper UTF-8 of text in which each UTF-16 surrogate was written as three bytes of its own (CESU-8). */

/** First byte of every surrogate written alone; no other character but U+D000 to U+D7FF begins with it. */
const SURROGATE_LEAD = 0xed;
const REPLACEMENT = [0xef, 0xbf, 0xbd] as const;

/**
 * Joins pairs into their four bytes and puts U+FFFD for what has no partner, in place; returns the part that is left.
 *
 * The input must be CESU-8 as made from UTF-16 units; its bytes are overwritten.
 */
export function joinSurrogates(bytes: Buffer): Buffer {
  let to = 0;
  for (let from = 0; from < bytes.length;) {
    const high = surrogateAt(bytes, from);
    if (high === undefined) {
      bytes[to++] = bytes[from++]!;
      continue;
    }
    const low = high < 0xdc00 ? surrogateAt(bytes, from + 3) : undefined;
    if (low === undefined || low < 0xdc00) {
      for (const byte of REPLACEMENT) bytes[to++] = byte;
      from += 3;
      continue;
    }
    const codePoint = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    bytes[to++] = 0xf0 | (codePoint >>> 18);
    bytes[to++] = 0x80 | ((codePoint >>> 12) & 0x3f);
    bytes[to++] = 0x80 | ((codePoint >>> 6) & 0x3f);
    bytes[to++] = 0x80 | (codePoint & 0x3f);
    from += 6;
  }
  return bytes.subarray(0, to);
}

/** Reads the surrogate whose three bytes begin here; undefined when there is none. */
function surrogateAt(bytes: Buffer, at: number): number | undefined {
  if (at + 2 >= bytes.length || bytes[at] !== SURROGATE_LEAD || bytes[at + 1]! < 0xa0) return undefined;
  return 0xd000 | ((bytes[at + 1]! & 0x3f) << 6) | (bytes[at + 2]! & 0x3f);
}
