/**
 * Keeps the wire text of numbers that JavaScript would print otherwise: it puts quotes around them before JSON.parse.
 *
 * Shops on Java and Android put 64-bit order ids and decimals such as 50.0 into `var`, and the export shows values as text:
 * through a double, 9007199254740993 would become 9007199254740992 and 50.0 would become 50. Such a number becomes a string of
 * its wire text; all others stay numbers, and so do the times `tm`, `ptm` and `stm`, with which one calculates.
 *
 * Quotes in the bytes rather than JSON.parse's reviver with `context.source`: a body with one such number would be parsed a second
 * time, and the reviver is called for every value (measured 6 times the cost of a plain parse).
 */

const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const QUOTE = 0x22;
const COLON = 0x3a;

/** A double holds every decimal of so many significant digits, and prints it back the same. */
const SAFE_DIGITS = 15;
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Finds the end of an integer that a double surely holds: the quick way for nearly all numbers of an event.
 * Returns 0 for any other number.
 */
export function endOfSafeInteger(json: Buffer, from: number): number {
  const end = endOfDigits(json, from + 1);
  const digits = end - from;
  const lead = json[from]!;
  if (digits > SAFE_DIGITS || lead === MINUS || (lead === ZERO && digits > 1)) return 0;
  return end < json.length && isNumberByte(json[end]!) ? 0 : end;
}

/** Finds the end of the number that begins here: the first byte that can be in no number. */
export function endOfNumber(json: Buffer, from: number): number {
  let at = from + 1;
  while (at < json.length && isNumberByte(json[at]!)) at += 1;
  return at;
}

/** Says whether the number in [from, until) is to become a string of its text. A number in a place where JSON has none is not. */
export function losesText(json: Buffer, from: number, until: number): boolean {
  if (isSafeDecimal(json, from, until)) return false;
  const text = json.toString('latin1', from, until);
  if (String(Number(text)) === text || !JSON_NUMBER.test(text)) return false;
  return json[skipBlanks(json, until)] !== COLON && !isTimeValue(json, from);
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
    to += json.copy(quoted, to, start, from);
    quoted[to++] = QUOTE;
  }
  json.copy(quoted, to, from);
  return quoted;
}

/** Finds the first byte from here on that is no JSON blank. */
export function skipBlanks(json: Buffer, from: number): number {
  let at = from;
  while (at < json.length && isBlank(json[at]!)) at += 1;
  return at;
}

/** Finds the end of what lies before, without the JSON blanks there. */
export function skipBlanksBack(json: Buffer, until: number): number {
  let at = until;
  while (at > 0 && isBlank(json[at - 1]!)) at -= 1;
  return at;
}

/** A quick yes for most decimals: up to 15 digits that begin and end as JavaScript prints them. */
function isSafeDecimal(json: Buffer, from: number, until: number): boolean {
  const first = json[from] === MINUS ? from + 1 : from;
  if (until - first > SAFE_DIGITS + 1 || !isDigit(json[first]!) || json[first] === ZERO) return false;
  const dot = endOfDigits(json, first);
  if (dot === until) return until - first <= SAFE_DIGITS;
  return json[dot] === DOT && endOfDigits(json, dot + 1) === until && json[until - 1]! > ZERO;
}

/** Says whether the value that begins here belongs to the key `tm`, `ptm` or `stm`. */
function isTimeValue(json: Buffer, valueStart: number): boolean {
  const colon = skipBlanksBack(json, valueStart) - 1;
  if (json[colon] !== COLON) return false;
  const keyEnd = skipBlanksBack(json, colon);
  const tail = json.toString('latin1', Math.max(0, keyEnd - 6), keyEnd);
  return /(?:^|[^\\])"[ps]?tm"$/.test(tail);
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

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
