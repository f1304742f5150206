/** Reads and writes single values of a tape as bytes. Called several times for every event, so: no strings. */
import { VALUE, type JsonTape } from '../wire/json-tape.ts';

const BACKSLASH = 0x5c;
/** Two hex digits for each byte, as they are written. */
const HEX_PAIRS = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, '0')).readUInt16BE(),
);

/** Reads a whole number that is not negative, four digits at a time. */
export function integerOf(text: DataView, start: number, end: number): number {
  let number = 0;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const digits = text.getInt32(at, true) - 0x3030_3030;
    const pairs = (digits * 10 + (digits >>> 8)) & 0x00ff_00ff;
    number = number * 10_000 + (pairs & 0xff) * 100 + (pairs >>> 16);
  }
  for (; at < end; at += 1) number = number * 10 + text.getUint8(at) - 0x30;
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

/** Writes the action's key that `actionRequestId` (ids.ts) cuts from a row id; returns its end. One byte behind it is written, too. */
export function writeActionRequestId(to: DataView, at: number, isWeb: boolean, rowId: Uint8Array): number {
  to.setUint8(at, isWeb ? 0x77 : 0x6d);
  to.setUint16(at + 1, 0x613a);
  for (let byte = 0; byte < 14; byte += 1) to.setUint16(at + 3 + 2 * byte, HEX_PAIRS[rowId[byte]!]!);
  return at + 30; // of the last pair, one digit
}

function nibble(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57;
}

/** Says whether a value is a text whose bytes are itself. */
export function isRawText(kind: number): boolean {
  return kind === VALUE.text || kind === VALUE.quotedText;
}

/** Says whether an event, whose values begin at `first`, has a text at this place that is not empty. */
export function isFilledText({ kinds, starts, ends }: JsonTape['values'], first: number, place: number): boolean {
  if (place < 0) return false;
  return kinds[first + place]! >= VALUE.text && ends[first + place]! > starts[first + place]!;
}

/** Writes a non-negative time as eight bytes, the highest first, with these bits flipped in the upper four. */
export function writeTime(to: DataView, at: number, timeMs: number, flip: number): void {
  to.setUint32(at, Math.floor(timeMs / 0x1_0000_0000) ^ flip);
  to.setUint32(at + 4, timeMs >>> 0);
}
