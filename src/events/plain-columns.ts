/**
 * Writes the values of a plain event (plain-events.ts) as they stand in a row: the fields of its line, and what is kept beside it.
 *
 * A value that is of another type than its column, or too wide for it, is not written: then the whole event goes the slow way.
 */
import { csvField, isPlainField } from './csv.ts';
import type { Step } from './column-plan.ts';
import type { Fallback } from './column-sources.ts';
import { copyWithin, literalOf, writeLiteral, type Literal } from './copy-bytes.ts';
import { SEND_TIME_HOLE, type RecordWriter } from './record-writer.ts';
import { copyUnescaped, writeActionRequestId } from './tape-bytes.ts';
import type { PlainVisitor } from './plain-visitor.ts';
import { MAP_LIMITS } from './wire-value.ts';
import { VALUE, type JsonTape } from '../wire/json-tape.ts';

/** CSV fields that all events of a request share; undefined where one needs the slow way (too long). */
export type SharedFields = Readonly<Partial<Record<Fallback, Literal | undefined>>>;

/** As in map-events.ts: what is kept of an xpath or a query. */
const KEPT_WIDTH = 5_000;
const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HOLE = literalOf(Buffer.from(SEND_TIME_HOLE));

export class PlainColumns {
  readonly #writer: RecordWriter;
  readonly #tape: JsonTape;
  readonly #rowId: Uint8Array;
  readonly #visitor: PlainVisitor;
  readonly #visitKeyLiteral = new KeyLiteral();
  readonly #pageKeyLiteral = new KeyLiteral();
  // Of the request.
  isWeb = false;
  shared: SharedFields = {};
  // Of the event: where its `tm` is among the values, the key of its page, and the domain that was remembered of the page.
  timeAt = 0;
  pageId: string | null = null;
  domain: string | null = null;
  /** Where the row has its send time. */
  holeAt = 0;

  /** `rowId` holds the id of the row that is being written; `visitor` is its visitor. */
  constructor(writer: RecordWriter, tape: JsonTape, rowId: Uint8Array, visitor: PlainVisitor) {
    this.#writer = writer;
    this.#tape = tape;
    this.#rowId = rowId;
    this.#visitor = visitor;
  }

  /** Writes a column's field; returns its end, or -1 when it needs the slow way. `value` and `orValue` are -1 where there is none. */
  field(step: Step, values: JsonTape['values'], value: number, orValue: number, out: Uint8Array, at: number): number {
    const { kinds, starts, ends } = values;
    let from = value;
    if (from < 0 || kinds[from] === VALUE.null) from = orValue;
    if (from < 0 || kinds[from] === VALUE.null) return this.#fallback(step.otherwise, at);
    const kind = kinds[from]!;
    const start = starts[from]!;
    const end = ends[from]!;
    const { json } = this.#tape;
    const { view } = this.#writer;
    switch (step.type) {
      case 'string':
        if (kind <= VALUE.object || end - start > step.width) return -1;
        if (kind >= VALUE.quotedText) {
          if (end === start && step.skipsEmpty) return this.#fallback(step.otherwise, at);
          out[at] = QUOTE;
          const textEnd = copyWithin(view, at + 1, start, end);
          out[textEnd] = QUOTE;
          return textEnd + 1;
        }
        return copyWithin(view, at, start, end);
      case 'int64':
        if (kind === VALUE.integer || (kind === VALUE.text && !step.isInteger && isPlainInteger(json, start, end)))
          return copyWithin(view, at, start, end);
        return -1;
      case 'double':
        return kind === VALUE.number || kind === VALUE.integer ? copyWithin(view, at, start, end) : -1;
      case 'map':
        if (kind === VALUE.object) return this.#map(start, out, at);
        return kind === VALUE.objects && start === end ? at : -1; // PHP writes an empty map as []
    }
  }

  /** Writes a map as its JSON text in a quoted field: `"{\"key\":\"value\"}"`. */
  #map(object: number, out: Uint8Array, from: number): number {
    const { inner, innerValues } = this.#tape;
    const { view } = this.#writer;
    const { keys } = inner.shapes[object]!;
    if (keys.length > MAP_LIMITS.keys) return -1;
    const { kinds, starts, ends } = innerValues;
    const first = inner.firsts[object]!;
    let at = from;
    out[at++] = QUOTE;
    out[at++] = 0x7b;
    let isEmpty = true;
    for (let place = 0; place < keys.length; place += 1) {
      const value = first + place;
      if (kinds[value] === VALUE.null) continue;
      const key = keys[place]!;
      const start = starts[value]!;
      const end = ends[value]!;
      if (key.length > MAP_LIMITS.keyWidth || end - start > MAP_LIMITS.valueWidth) return -1;
      if (!isEmpty) out[at++] = COMMA;
      isEmpty = false;
      out[at++] = BACKSLASH;
      out[at++] = QUOTE;
      for (let unit = 0; unit < key.length; unit += 1) {
        const code = key.charCodeAt(unit);
        if (code > 0x7e) return -1;
        out[at++] = code;
      }
      out[at++] = BACKSLASH;
      out[at++] = QUOTE;
      out[at++] = 0x3a;
      out[at++] = BACKSLASH;
      out[at++] = QUOTE;
      at = kinds[value] === VALUE.escapedText ? copyQuoted(out, at, start, end) : copyWithin(view, at, start, end);
      out[at++] = BACKSLASH;
      out[at++] = QUOTE;
    }
    if (isEmpty) return from;
    if (at - from > MAP_LIMITS.encodedBytes) return -1;
    out[at++] = 0x7d;
    out[at++] = QUOTE;
    return at;
  }

  /** Writes what stands in a column for which the event has no value; -1 when that needs the slow way. */
  #fallback(otherwise: Fallback, at: number): number {
    const { view } = this.#writer;
    switch (otherwise) {
      case 'null':
        return at;
      case 'sendTime':
        this.holeAt = at;
        return writeLiteral(view, at, HOLE);
      case 'time': {
        const { starts, ends } = this.#tape.values;
        return copyWithin(view, at, starts[this.timeAt]!, ends[this.timeAt]!);
      }
      case 'visitKey':
        return writeLiteral(view, at, this.#visitKeyLiteral.of(this.#visitor.visitId()));
      case 'ownPageKey':
      case 'pageKey':
        return this.pageId === null ? at : writeLiteral(view, at, this.#pageKeyLiteral.of(this.pageId));
      case 'actionKey':
        return writeActionRequestId(view, at, this.isWeb, this.#rowId);
      case 'rememberedDomain': {
        if (this.domain === null) return at;
        const field = isPlainField(this.domain) ? this.domain : csvField(this.domain);
        return at + this.#writer.bytes.write(field, at);
      }
      default: {
        const field = this.shared[otherwise];
        return field === undefined ? -1 : writeLiteral(view, at, field);
      }
    }
  }

  /** Writes a value that is kept beside the line; false when it needs the slow way. */
  extra(name: string, values: JsonTape['values'], value: number): boolean {
    if (value < 0 || values.kinds[value] === VALUE.null) return true;
    const kind = values.kinds[value]!;
    const start = values.starts[value]!;
    const end = values.ends[value]!;
    if (kind <= VALUE.object || end - start > KEPT_WIDTH) return false;
    const writer = this.#writer;
    const out = writer.bytes;
    let at = writer.at;
    out[at++] = name.length;
    for (let unit = 0; unit < name.length; unit += 1) out[at++] = name.charCodeAt(unit);
    const lengthAt = at;
    at += 4;
    if (kind === VALUE.escapedText) at = copyUnescaped(out, at, out, start, end);
    else at = copyWithin(writer.view, at, start, end);
    writer.u32At(lengthAt, at - lengthAt - 4);
    writer.at = at;
    return true;
  }
}

/** The bytes of a key that mostly is that of the row before. */
class KeyLiteral {
  #key = '';
  #literal = literalOf(new Uint8Array(0));

  of(key: string): Literal {
    if (key !== this.#key) {
      this.#key = key;
      this.#literal = literalOf(Buffer.from(key));
    }
    return this.#literal;
  }
}

/** Makes the CSV field of a text that all events of a request share; undefined when it is wider than its column. */
export function sharedField(text: string | null, width: number): Literal | undefined {
  if (text === null) return literalOf(new Uint8Array(0));
  if (text.length > width) return undefined;
  return literalOf(Buffer.from(isPlainField(text) ? text : csvField(text)));
}

/** Copies a text as it stands in JSON, with all of its quotes and backslashes escaped once more. */
function copyQuoted(bytes: Uint8Array, at: number, start: number, end: number): number {
  let target = at;
  for (let place = start; place < end; place += 1) {
    const byte = bytes[place]!;
    if (byte === BACKSLASH || byte === QUOTE) bytes[target++] = BACKSLASH;
    bytes[target++] = byte;
  }
  return target;
}

/** Says whether a text is a whole number that is printed as it is written. */
function isPlainInteger(json: Uint8Array, start: number, end: number): boolean {
  if (end - start > 15 || (json[start] === 0x30 && end - start > 1)) return false;
  for (let at = start; at < end; at += 1) if (json[at]! < 0x30 || json[at]! > 0x39) return false;
  return true;
}
