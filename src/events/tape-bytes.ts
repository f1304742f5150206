/** Reads and writes single values of a tape as bytes. Called several times for every event, so: no strings. */

const BACKSLASH = 0x5c;
const HEX = Buffer.from('0123456789abcdef');

/** Reads a whole number that is not negative. */
export function integerOf(json: Uint8Array, start: number, end: number): number {
  let number = 0;
  for (let at = start; at < end; at += 1) number = number * 10 + json[at]! - 0x30;
  return number;
}

/** Copies a text with escapes as the text that it stands for; returns the end of the copy. The two may be the same bytes. */
export function copyUnescaped(to: Uint8Array, at: number, from: Uint8Array, start: number, end: number): number {
  let target = at;
  for (let place = start; place < end; place += 1) {
    if (from[place] === BACKSLASH) place += 1;
    to[target++] = from[place]!;
  }
  return target;
}

/** Writes hex digits of a text as bytes. */
export function writeHex(to: Uint8Array, at: number, text: string, from: number, digits: number): void {
  for (let digit = 0; digit < digits; digit += 2)
    to[at + (digit >> 1)] = (nibble(text.charCodeAt(from + digit)) << 4) | nibble(text.charCodeAt(from + digit + 1));
}

/** Writes the action's key that `actionRequestId` (ids.ts) cuts from a row id; returns its end. */
export function writeActionRequestId(to: Uint8Array, at: number, isWeb: boolean, rowId: Uint8Array): number {
  to[at] = isWeb ? 0x77 : 0x6d;
  to[at + 1] = 0x61;
  to[at + 2] = 0x3a;
  for (let digit = 0; digit < 27; digit += 1) {
    const byte = rowId[digit >> 1]!;
    to[at + 3 + digit] = HEX[(digit & 1) === 0 ? byte >> 4 : byte & 15]!;
  }
  return at + 30;
}

function nibble(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57;
}
