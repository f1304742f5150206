/**
 * Reads a JSON array of plain objects without making a value of it: the quick way for nearly all bodies of SDKs.
 *
 * One pass over the bytes notes where each value begins and ends, of what kind it is, and which keys each object has (its shape).
 * Whoever reads the tape copies bytes from the body to where they belong; no string, number or object is made in between.
 *
 * An element is *plain* if it is an object whose values are plain texts, plain numbers, true, false, null, objects of these, or arrays
 * of objects of these. A text is plain if nothing but quotes and backslashes is escaped in it, a number if JavaScript would print it as it
 * is written: so the bytes of a plain value are its canonical JSON too. Other elements have no shape here and are parsed (`parsed`). A text that is no array, is not UTF-8, may be no JSON, or is too
 * large or too odd for this way is refused whole (`read` returns false), and goes the way of json-array.ts, which says what is wrong with it.
 * So this may refuse too much, and must never take what that way would refuse or understand otherwise: a property test compares both.
 *
 * Cost: about 2.3 ns for each byte of clicks; arrays that grow to the values of the largest body, at most some 10 MB.
 */
import { isUtf8 } from 'node:buffer';
import { AppError } from '../errors/app-error.ts';
import { parseElements } from './json-array.ts';
import { Shapes, type KeyText, type Shape } from './json-shape.ts';
import { endOfOrdinary } from './string-bytes.ts';
import type { WireLimits } from './wire-limits.ts';

/** Kinds of values. From `number` on, the bytes between `starts` and `ends` are the value; of a text, without its quotes. */
export const VALUE = {
  null: 0,
  /** An array of plain objects; `starts` and `ends` count inner objects. */
  objects: 1,
  /** One plain object; `starts` says which inner object. */
  object: 2,
  true: 3,
  false: 4,
  /** A number that is no non-negative integer. */
  number: 5,
  /** A non-negative integer of at most 15 digits. */
  integer: 6,
  /** A text that a CSV field can hold as it is; not empty. */
  text: 7,
  /** A text that is empty, holds a comma, or begins or ends with a blank. */
  quotedText: 8,
  /** A text with escaped quotes or backslashes; they stand in the bytes as in the JSON text, and as in a quoted CSV field. */
  escapedText: 9,
} as const;

/** Larger bodies gain nothing that would pay for the arrays. */
const MAX_TAPE_BYTES = 2 * 1024 * 1024;
/** With more elements that are not plain, the whole body is quicker parsed at once. */
const MAX_PARSED = 50;
const MAX_SAFE_DIGITS = 15;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const ARRAY_START = 0x5b;
const BACKSLASH = 0x5c;
const ARRAY_END = 0x5d;
const OBJECT_START = 0x7b;
const OBJECT_END = 0x7d;
const BLANK = 0x20;

/** Position of a failed read: what follows is not plain. */
const NOT_PLAIN = -1;

/** The values of objects of one level, one after the other. */
class Values {
  kinds = new Uint8Array(1024);
  starts = new Int32Array(1024);
  ends = new Int32Array(1024);
  count = 0;

  grow(): void {
    this.kinds = grown(this.kinds, new Uint8Array(2 * this.kinds.length));
    this.starts = grown(this.starts, new Int32Array(2 * this.starts.length));
    this.ends = grown(this.ends, new Int32Array(2 * this.ends.length));
  }
}

/** Some objects: the shape of each, and where its values begin; those of `shapes[i]` are in the order of its keys. */
class Objects {
  readonly shapes: (Shape | undefined)[] = [];
  firsts = new Int32Array(256);
  count = 0;

  add(shape: Shape | undefined, first: number): void {
    if (this.count === this.firsts.length) this.firsts = grown(this.firsts, new Int32Array(2 * this.firsts.length));
    this.shapes[this.count] = shape;
    this.firsts[this.count] = first;
    this.count += 1;
  }
}

export class JsonTape {
  /** The text that was read. */
  json: Buffer = Buffer.alloc(0);
  /** The elements, in order; one that is not plain has no shape. */
  readonly elements = new Objects();
  /** Where each element lies in the text. */
  elementStarts = new Int32Array(256);
  elementEnds = new Int32Array(256);
  /** The values of the elements that are not plain, by place. */
  readonly parsed = new Map<number, unknown>();
  /** The values of the elements, and those of the objects inside of them. */
  readonly values = new Values();
  readonly inner = new Objects();
  readonly innerValues = new Values();
  readonly #shapes = new Shapes();
  /** The bytes of the text. */
  #view: DataView = new DataView(new ArrayBuffer(0));
  #end = 0;

  /** Reads a text. True when it is on the tape now, until the next call. */
  read(json: Buffer, limits: WireLimits): boolean {
    this.json = json;
    this.#view = new DataView(json.buffer, json.byteOffset, json.length);
    this.#end = json.length;
    this.#shapes.trim();
    this.elements.count = 0;
    this.inner.count = 0;
    this.values.count = 0;
    this.innerValues.count = 0;
    this.parsed.clear();
    if (json.length > MAX_TAPE_BYTES || json.length > limits.maxElementBytes || !isUtf8(json)) return false;
    let at = this.#skipBlanks(0);
    if (json[at] !== ARRAY_START) return false;
    at = this.#skipBlanks(at + 1);
    if (json[at] === ARRAY_END) return this.#skipBlanks(at + 1) === json.length;
    for (;;) {
      const start = at;
      at = json[at] === OBJECT_START ? this.#element(start) : NOT_PLAIN;
      if (at === NOT_PLAIN) {
        at = this.#skipElement(start);
        if (at === NOT_PLAIN || this.parsed.size === MAX_PARSED || !this.#parse(start, at, limits)) return false;
        this.elements.add(undefined, 0);
      }
      this.#noteElement(start, at);
      const { count } = this.elements;
      if (count > limits.maxElements || count + this.values.count + this.innerValues.count > limits.maxValues)
        return false;
      at = this.#skipBlanks(at);
      if (json[at] === COMMA) at = this.#skipBlanks(at + 1);
      else return json[at] === ARRAY_END && this.#skipBlanks(at + 1) === json.length;
    }
  }

  #noteElement(start: number, end: number): void {
    const place = this.elements.count - 1;
    if (place >= this.elementStarts.length) {
      this.elementStarts = grown(this.elementStarts, new Int32Array(2 * place));
      this.elementEnds = grown(this.elementEnds, new Int32Array(2 * place));
    }
    this.elementStarts[place] = start;
    this.elementEnds[place] = end;
  }

  /** Gives the value of an element, plain or not. */
  valueOf(element: number): unknown {
    if (this.elements.shapes[element] === undefined) return this.parsed.get(element);
    return JSON.parse(this.json.toString('utf8', this.elementStarts[element], this.elementEnds[element]));
  }

  /** Parses an element that is not plain; false when it cannot be parsed. */
  #parse(start: number, end: number, limits: WireLimits): boolean {
    // In an array, as it stands in the body: it may be anything, and its depth counts from there.
    const text = Buffer.concat([Buffer.from('['), this.json.subarray(start, end), Buffer.from(']')]);
    try {
      const { values, oversize } = parseElements(text, limits);
      if (values.length !== 1 || oversize.size > 0) return false;
      this.parsed.set(this.elements.count, values[0]);
      return true;
    } catch (error) {
      if (error instanceof AppError) return false;
      throw error;
    }
  }

  /** Reads a plain element; returns its end. What a failed one has left is taken back. */
  #element(start: number): number {
    const first = this.values.count;
    const [innerCount, innerValueCount] = [this.inner.count, this.innerValues.count];
    const end = this.#object(start + 1, this.values, this.elements, first);
    if (end !== NOT_PLAIN) return end;
    this.values.count = first;
    this.inner.count = innerCount;
    this.innerValues.count = innerValueCount;
    return NOT_PLAIN;
  }

  /** Reads an object from behind its bracket, and adds it to `objects`; returns its end. */
  #object(from: number, values: Values, objects: Objects, first: number): number {
    const { json } = this;
    let shape: Shape = this.#shapes.root;
    let at = json[from] === QUOTE ? from : this.#skipBlanks(from);
    if (json[at] === OBJECT_END) {
      objects.add(shape, first);
      return at + 1;
    }
    for (;;) {
      const known = this.#knownNext(shape, at);
      if (known !== undefined) {
        shape.likely = known;
        shape = known;
        at += known.literal.length;
      } else {
        const keyEnd = this.#key(at);
        if (keyEnd === NOT_PLAIN) return NOT_PLAIN;
        const next = this.#shapes.follow(shape, json.toString('utf8', at + 1, keyEnd));
        if (next === null) return NOT_PLAIN;
        shape.likely = next;
        shape = next;
        at = this.#skipBlanks(keyEnd + 1);
        if (json[at] !== COLON) return NOT_PLAIN;
        at += 1;
      }
      if (json[at]! <= BLANK) at = this.#skipBlanks(at);
      at = this.#value(at, values);
      if (at === NOT_PLAIN) return NOT_PLAIN;
      if (json[at]! <= BLANK) at = this.#skipBlanks(at);
      const mark = json[at];
      if (mark === OBJECT_END) break;
      if (mark !== COMMA) return NOT_PLAIN;
      at += 1;
      if (json[at]! <= BLANK) at = this.#skipBlanks(at);
    }
    objects.add(shape, first);
    return at + 1;
  }

  /** Gives the shape that a key leads to, if it is one of those that came first after this one. */
  #knownNext(shape: Shape, at: number): Shape | undefined {
    const { likely, first } = shape;
    if (likely !== undefined && startsWith(this.#view, at, this.#end, likely.literal)) return likely;
    for (const next of first) if (startsWith(this.#view, at, this.#end, next.literal)) return next;
    return undefined;
  }

  /** Finds the quote that ends a key. */
  #key(at: number): number {
    const { json } = this;
    if (json[at] !== QUOTE) return NOT_PLAIN;
    let place = at;
    do place = endOfOrdinary(this.#view, place + 1, this.#end);
    while (json[place] === COMMA);
    return json[place] === QUOTE ? place : NOT_PLAIN;
  }

  /** Reads a value and notes it; returns its end. */
  #value(at: number, values: Values): number {
    const byte = this.json[at];
    if (values.count === values.kinds.length) values.grow();
    if (byte === QUOTE) return this.#text(at + 1, values);
    if (byte === OBJECT_START || byte === ARRAY_START)
      return values === this.values ? this.#nested(at, byte) : NOT_PLAIN;
    if (byte === 0x6e) return this.#word(at, 'null', VALUE.null, values);
    if (byte === 0x74) return this.#word(at, 'true', VALUE.true, values);
    if (byte === 0x66) return this.#word(at, 'false', VALUE.false, values);
    return this.#number(at, values);
  }

  #text(from: number, values: Values): number {
    const { json } = this;
    const end = this.#end;
    let at = from;
    let kind: number = VALUE.text;
    for (;;) {
      at = endOfOrdinary(this.#view, at, end);
      const byte = json[at];
      if (byte === QUOTE) break;
      if (byte === COMMA) {
        if (kind === VALUE.text) kind = VALUE.quotedText;
        at += 1;
      } else if (byte === BACKSLASH && (json[at + 1] === QUOTE || json[at + 1] === BACKSLASH)) {
        kind = VALUE.escapedText;
        at += 2;
      } else return NOT_PLAIN;
    }
    if (kind === VALUE.text && (at === from || json[from] === BLANK || json[at - 1] === BLANK)) kind = VALUE.quotedText;
    const place = values.count++;
    values.kinds[place] = kind;
    values.starts[place] = from;
    values.ends[place] = at;
    return at + 1;
  }

  #word(at: number, word: string, kind: number, values: Values): number {
    const { json } = this;
    for (let place = 0; place < word.length; place += 1)
      if (json[at + place] !== word.charCodeAt(place)) return NOT_PLAIN;
    const place = values.count++;
    values.kinds[place] = kind;
    values.starts[place] = at;
    values.ends[place] = at + word.length;
    return at + word.length;
  }

  #number(from: number, values: Values): number {
    const { json } = this;
    const first = json[from] === MINUS ? from + 1 : from;
    const wholeEnd = endOfDigits(json, first);
    let end = wholeEnd;
    let isInteger = first === from;
    if (json[first] === ZERO) {
      // 0 and 0.5, but no -0 and no 00; smaller ones than 0.000001 JavaScript prints otherwise
      if (wholeEnd !== first + 1 || (json[wholeEnd] !== DOT && first !== from)) return NOT_PLAIN;
    }
    if (wholeEnd === first) return NOT_PLAIN;
    if (json[wholeEnd] === DOT) {
      isInteger = false;
      end = endOfDigits(json, wholeEnd + 1);
      if (end === wholeEnd + 1 || json[end - 1] === ZERO) return NOT_PLAIN;
      if (json[first] === ZERO && json[wholeEnd + 1] === ZERO) return NOT_PLAIN;
    }
    if (end - first > MAX_SAFE_DIGITS + (isInteger || end === wholeEnd ? 0 : 1)) return NOT_PLAIN;
    const behind = json[end];
    if (behind !== COMMA && behind !== OBJECT_END && !(behind !== undefined && behind <= BLANK)) return NOT_PLAIN;
    const place = values.count++;
    values.kinds[place] = isInteger ? VALUE.integer : VALUE.number;
    values.starts[place] = from;
    values.ends[place] = end;
    return end;
  }

  /** Reads an object or an array of objects inside of an element. */
  #nested(from: number, bracket: number): number {
    const { json, inner, innerValues, values } = this;
    const place = values.count++;
    const firstObject = inner.count;
    values.starts[place] = firstObject;
    let at: number;
    if (bracket === OBJECT_START) {
      values.kinds[place] = VALUE.object;
      at = this.#object(from + 1, innerValues, inner, innerValues.count);
    } else {
      values.kinds[place] = VALUE.objects;
      at = this.#skipBlanks(from + 1);
      if (json[at] === ARRAY_END) at += 1;
      else {
        for (;;) {
          if (json[at] !== OBJECT_START) return NOT_PLAIN;
          at = this.#object(at + 1, innerValues, inner, innerValues.count);
          if (at === NOT_PLAIN) return NOT_PLAIN;
          if (json[at]! <= BLANK) at = this.#skipBlanks(at);
          const mark = json[at];
          at += 1;
          if (mark === ARRAY_END) break;
          if (mark !== COMMA) return NOT_PLAIN;
          if (json[at]! <= BLANK) at = this.#skipBlanks(at);
        }
      }
    }
    values.ends[place] = inner.count;
    return at;
  }

  /** Finds the end of an element by its brackets; NOT_PLAIN when it does not end. */
  #skipElement(from: number): number {
    const { json } = this;
    const end = this.#end;
    let depth = 0;
    let at = from;
    for (; at < end; at += 1) {
      const byte = json[at]!;
      if (byte === QUOTE) {
        at += 1;
        while (at < end && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
      } else if (byte === OBJECT_START || byte === ARRAY_START) depth += 1;
      else if (byte === OBJECT_END || byte === ARRAY_END) {
        if (depth === 0) break;
        depth -= 1;
      } else if (byte === COMMA && depth === 0) break;
    }
    return at >= end || at === from ? NOT_PLAIN : at;
  }

  #skipBlanks(from: number): number {
    const { json } = this;
    let at = from;
    for (let byte = json[at]; byte === BLANK || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = json[at])
      at += 1;
    return at;
  }
}

function startsWith(
  text: DataView,
  at: number,
  end: number,
  { words, wholeLength, length, lastMask }: KeyText,
): boolean {
  if (at + wholeLength > end) return false;
  let place = 0;
  for (; place + 4 <= length; place += 4) if (text.getInt32(at + place) !== words.getInt32(place)) return false;
  return lastMask === 0 || ((text.getInt32(at + place) ^ words.getInt32(place)) & lastMask) === 0;
}

function endOfDigits(json: Uint8Array, from: number): number {
  let at = from;
  while (json[at]! >= ZERO && json[at]! <= 0x39) at += 1;
  return at;
}

function grown<T extends Uint8Array | Int32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
