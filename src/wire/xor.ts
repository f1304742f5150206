/** The XOR that mobile SDKs put over a body ("X-Crypt-Codec: 1"): every byte with the low byte of the query's `stm`. */

/**
 * Reads the XOR key, the low byte of `stm`; undefined when `stm` is absent or not made of digits only.
 *
 * Works digit by digit because `stm` may have more digits than a double holds.
 */
export function xorKeyOf(stm: string | undefined): number | undefined {
  if (stm === undefined || !/^\d+$/.test(stm)) return undefined;
  let key = 0;
  for (let at = 0; at < stm.length; at += 1) key = (key * 10 + stm.charCodeAt(at) - 0x30) & 0xff;
  return key;
}

/** Undoes (or does) the XOR into a new buffer; the body itself stays as it is, because another coding may need it. */
export function applyXor(body: Buffer, key: number): Buffer {
  const result = Buffer.allocUnsafe(body.length);
  for (let at = 0; at < body.length; at += 1) result[at] = body[at]! ^ key;
  return result;
}
