/**
 * Keeps the wire text of numbers that JavaScript would print otherwise: it puts quotes around them before JSON.parse.
 *
 * Shops on Java and Android put 64-bit order ids and decimals such as 50.0 into `var`, and the export shows values as text:
 * through a double, 9007199254740993 would become 9007199254740992 and 50.0 would become 50. Such a number becomes a string of
 * its wire text; all others stay numbers, and so do the times `tm`, `ptm` and `stm` of events and of the elements of `e[]`, with which
 * one calculates. In `var` these keys are a shop's own, like all others.
 *
 * Quotes in the bytes rather than JSON.parse's reviver with `context.source`: a body with one such number would be parsed a second
 * time, and the reviver is called for every value (measured 6 times the cost of a plain parse).
 */
import { skipBlanks, skipBlanksBack } from './json-blanks.ts';

const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const QUOTE = 0x22;
const COLON = 0x3a;
const LETTER_M = 0x6d;
const LETTER_T = 0x74;

/** A double holds every decimal of so many significant digits, and prints it back the same. */
const SAFE_DIGITS = 15;
/** The end of the text before the colon: the key in its quotes, of which the first is not an escaped one inside another key. */
const TIME_KEY = /(?:^|[^\\])"[ps]?tm"$/;
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Finds the end of an integer that a double surely holds: the quick way for nearly all numbers of an event.
 * Returns 0 for any other number.
 */
export function endOfSafeInteger(json: Buffer, from: number): number {
  const end = endOfDigits(json, from + 1);
  const digits = end - from;
  if (digits > SAFE_DIGITS || json[from] === MINUS) return 0;
  return end < json.length && isNumberByte(json[end]!) ? 0 : end;
}

/** Finds the end of the number that begins here: the first byte that can be in no number. */
export function endOfNumber(json: Buffer, from: number): number {
  let at = from + 1;
  while (at < json.length && isNumberByte(json[at]!)) at += 1;
  return at;
}

/**
 * Says whether the number in [from, until) is to become a string of its text. A number in a place where JSON has none is not.
 * `openAt` is where the bracket stands that the number is directly in.
 */
export function losesText(json: Buffer, from: number, until: number, openAt: number): boolean {
  if (printsAsWritten(json, from, until)) return false;
  return json[skipBlanks(json, until)] !== COLON && !isTimeValue(json, from, openAt);
}

/** Puts quotes around the numbers that begin at these places; the text stays JSON. */
export function quoteNumbers(json: Buffer, starts: readonly number[]): Buffer {
  const quoted = Buffer.allocUnsafe(json.length + 2 * starts.length);
  let from = 0;
  let to = 0;
  for (const start of starts) {
    to += json.copy(quoted, to, from, start);
    from = endOfNumber(json, start);
    quoted[to++] = QUOTE;
    for (let at = start; at < from; at += 1) quoted[to++] = json[at]!;
    quoted[to++] = QUOTE;
  }
  json.copy(quoted, to, from);
  return quoted;
}

/** Says whether JavaScript prints the number as it is written; yes too for what is no JSON number, which JSON.parse refuses. */
function printsAsWritten(json: Buffer, from: number, until: number): boolean {
  if (isShortDecimal(json, from, until)) return json[until - 1] !== ZERO;
  const text = json.toString('latin1', from, until);
  return String(Number(text)) === text || !JSON_NUMBER.test(text);
}

/** Says whether it has a point, no exponent and at most 15 digits that do not begin with 0: then only a 0 at its end can be lost. */
function isShortDecimal(json: Buffer, from: number, until: number): boolean {
  const first = json[from] === MINUS ? from + 1 : from;
  if (until - first > SAFE_DIGITS + 1 || json[first] === ZERO) return false;
  const dot = endOfDigits(json, first);
  return dot > first && dot + 1 < until && json[dot] === DOT && endOfDigits(json, dot + 1) === until;
}

/** Says whether the value that begins here belongs to the key `tm`, `ptm` or `stm` of an object that is no other object's value. */
function isTimeValue(json: Buffer, valueStart: number, openAt: number): boolean {
  const colon = skipBlanksBack(json, valueStart) - 1;
  if (json[colon] !== COLON) return false;
  const keyEnd = skipBlanksBack(json, colon);
  if (json[keyEnd - 2] !== LETTER_M || json[keyEnd - 3] !== LETTER_T) return false;
  if (json[skipBlanksBack(json, openAt) - 1] === COLON) return false;
  return TIME_KEY.test(json.toString('latin1', Math.max(0, keyEnd - 6), keyEnd));
}

function endOfDigits(json: Buffer, from: number): number {
  const end = json.length;
  let at = from;
  while (at < end && isDigit(json[at]!)) at += 1;
  return at;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function isNumberByte(byte: number): boolean {
  return isDigit(byte) || byte === DOT || byte === MINUS || byte === PLUS || (byte | 0x20) === 0x65;
}
