/** Undoes percent-encoding to bytes, not to text: what a query value holds need not be UTF-8. */

/** Decodes each `%` and two hex digits to one byte; any other `%`, and `+`, stay as they are. Never throws. */
export function percentDecode(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1'); // a request line is bytes, one for each character
  let to = 0;
  for (let from = 0; from < bytes.length; from += 1) {
    const high = bytes[from] === 0x25 ? hexValue(bytes[from + 1] ?? 0) : -1;
    const low = high < 0 ? -1 : hexValue(bytes[from + 2] ?? 0);
    if (low < 0) {
      bytes[to++] = bytes[from]!;
    } else {
      bytes[to++] = high * 16 + low;
      from += 2;
    }
  }
  return bytes.subarray(0, to);
}

function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
