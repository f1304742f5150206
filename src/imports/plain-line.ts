/**
 * Takes the import's own keys off a line without parsing it: the quick way for nearly all lines.
 *
 * One pass over the bytes finds the members of the outermost object; strings and brackets are told apart, all else is left to whoever
 * reads the event. So this may refuse too much, and must never read the own keys otherwise than import-line.ts; a property test compares both.
 * A line that is taken begins with `{` and ends with the `}` that belongs to it: in an array of such lines that can be parsed each
 * is one element.
 */
import { PATH_PLATFORMS } from '../events/map-events.ts';
import type { ImportLine } from './import-line.ts';

/** What a line says beside its event. */
export type LineFacts = Omit<ImportLine, 'event'>;

const NOT_PLAIN = -1;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OBJECT_START = 0x7b;
const OBJECT_END = 0x7d;
const ARRAY_START = 0x5b;
const ARRAY_END = 0x5d;
const BLANK = 0x20;
const SEND_TIME_DIGITS = 13;

// What a byte means where the end of a text is looked for, and where that of an object or array is.
const IN_TEXT = tableOf(QUOTE, BACKSLASH);
const IN_PLAIN_TEXT = tableOf(QUOTE, BACKSLASH, ...Array.from({ length: BLANK }, (_, byte) => byte));
const BETWEEN_TEXTS = tableOf(QUOTE, OBJECT_START, ARRAY_START, OBJECT_END, ARRAY_END);

type OwnKey = 'sendTime' | 'platform' | 'ip' | 'userAgent';
const OWN_KEYS: readonly OwnKey[] = ['sendTime', 'platform', 'ip', 'userAgent'];

export class PlainLine {
  sendTimeMs = 0;
  pathWord = '';
  ip: string | null = null;
  userAgent: string | null = null;
  #bytes: Buffer = Buffer.alloc(0);
  /** The event's members: runs of neighbours, each from its first quote to the end of its last value. */
  readonly #runs: { start: number; end: number }[] = [];
  #runCount = 0;
  readonly #found = new Set<OwnKey>();

  /** Reads a line. True when it could be taken; it holds until the next call. */
  read(bytes: Buffer): boolean {
    this.#bytes = bytes;
    this.#runCount = 0;
    this.#found.clear();
    this.ip = null;
    this.userAgent = null;
    let at = skipBlanks(bytes, 0);
    if (bytes[at] !== OBJECT_START) return false;
    at = skipBlanks(bytes, at + 1);
    let isRunOpen = false;
    for (;;) {
      const keyEnd = endOfPlainText(bytes, at);
      if (keyEnd === NOT_PLAIN) return false;
      const colon = skipBlanks(bytes, keyEnd);
      if (bytes[colon] !== COLON) return false;
      const valueStart = skipBlanks(bytes, colon + 1);
      const end = endOfValue(bytes, valueStart);
      if (end === NOT_PLAIN) return false;
      const own = ownKeyAt(bytes, at + 1, keyEnd - 1);
      if (own !== undefined) {
        if (this.#found.has(own) || !this.#take(own, valueStart, end)) return false;
        this.#found.add(own);
        isRunOpen = false;
      } else {
        if (!isRunOpen) this.#openRun(at);
        isRunOpen = true;
        this.#runs[this.#runCount - 1]!.end = end;
      }
      at = skipBlanks(bytes, end);
      if (bytes[at] === OBJECT_END) break;
      if (bytes[at] !== COMMA) return false;
      at = skipBlanks(bytes, at + 1);
    }
    return this.#found.has('sendTime') && this.#found.has('platform') && skipBlanks(bytes, at + 1) === bytes.length;
  }

  /** Says how many bytes `writeTo` may write at most. */
  get mostBytes(): number {
    return this.#bytes.length + 2;
  }

  /** Writes the event's JSON text; returns where it ends. */
  writeTo(target: Buffer, from: number): number {
    let at = from;
    target[at++] = OBJECT_START;
    for (let place = 0; place < this.#runCount; place += 1) {
      const { start, end } = this.#runs[place]!;
      if (place > 0) target[at++] = COMMA;
      at += this.#bytes.copy(target, at, start, end);
    }
    target[at++] = OBJECT_END;
    return at;
  }

  #openRun(start: number): void {
    const run = (this.#runs[this.#runCount] ??= { start, end: start });
    run.start = start;
    this.#runCount += 1;
  }

  /** Reads an own key's value; false when it is not written as it nearly always is. */
  #take(key: OwnKey, start: number, end: number): boolean {
    const bytes = this.#bytes;
    if (key === 'sendTime') {
      this.sendTimeMs = 0;
      for (let at = start; at < end; at += 1) {
        const digit = bytes[at]! - 0x30;
        if (digit < 0 || digit > 9) return false;
        this.sendTimeMs = this.sendTimeMs * 10 + digit;
      }
      return end - start === SEND_TIME_DIGITS && bytes[start] !== 0x30;
    }
    const isText = endOfPlainText(bytes, start) === end;
    const isNull = bytes[start] === 0x6e && bytes.toString('latin1', start, end) === 'null';
    if (!isText && !isNull) return false;
    const text = isText ? bytes.toString('utf8', start + 1, end - 1) : null;
    if (key === 'platform') {
      if (text === null || !Object.hasOwn(PATH_PLATFORMS, text)) return false;
      this.pathWord = text;
    } else this[key] = text;
    return true;
  }
}

function ownKeyAt(bytes: Buffer, start: number, end: number): OwnKey | undefined {
  const length = end - start;
  if (length !== 8 && length !== 2 && length !== 9) return undefined;
  for (const key of OWN_KEYS) {
    if (key.length !== length) continue;
    let same = 0;
    while (same < length && bytes[start + same] === key.charCodeAt(same)) same += 1;
    if (same === length) return key;
  }
  return undefined;
}

/** Finds the end of a text, its quotes included, in which nothing is escaped. */
function endOfPlainText(bytes: Buffer, at: number): number {
  const { length } = bytes;
  if (bytes[at] !== QUOTE) return NOT_PLAIN;
  let place = at + 1;
  while (place < length && IN_PLAIN_TEXT[bytes[place]!] === 0) place += 1;
  return place < length && bytes[place] === QUOTE ? place + 1 : NOT_PLAIN;
}

/** Finds the end of a text, its quotes included. */
function endOfText(bytes: Buffer, at: number): number {
  const { length } = bytes;
  for (let place = at + 1; place < length; place += 2) {
    while (place < length && IN_TEXT[bytes[place]!] === 0) place += 1;
    if (place < length && bytes[place] === QUOTE) return place + 1;
  }
  return NOT_PLAIN;
}

/** Finds the end of a value by quotes and brackets alone. */
function endOfValue(bytes: Buffer, from: number): number {
  const first = bytes[from];
  if (first === QUOTE) return endOfText(bytes, from);
  if (first === OBJECT_START || first === ARRAY_START) return endOfNested(bytes, from);
  let at = from;
  while (at < bytes.length) {
    const byte = bytes[at]!;
    if (byte <= BLANK || byte === COMMA || byte === OBJECT_END) break;
    if (byte === QUOTE || byte === OBJECT_START || byte === ARRAY_START || byte === ARRAY_END) return NOT_PLAIN;
    at += 1;
  }
  return at === from ? NOT_PLAIN : at;
}

function skipBlanks(bytes: Buffer, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte === BLANK || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = bytes[at])
    at += 1;
  return at;
}

/** Finds the end of an object or array. */
function endOfNested(bytes: Buffer, from: number): number {
  const { length } = bytes;
  let depth = 0;
  for (let at = from; at < length;) {
    const byte = bytes[at]!;
    if (BETWEEN_TEXTS[byte] === 0) at += 1;
    else if (byte === QUOTE) {
      at = endOfText(bytes, at);
      if (at === NOT_PLAIN) return NOT_PLAIN;
    } else {
      depth += byte === OBJECT_START || byte === ARRAY_START ? 1 : -1;
      at += 1;
      if (depth === 0) return at;
    }
  }
  return NOT_PLAIN;
}

function tableOf(...bytes: number[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of bytes) table[byte] = 1;
  return table;
}
