/**
 * Says of a stored record whether it is of a visitor who is to be erased, from the record's bytes.
 *
 * A row is the visitor's if its sort key names the visitor, or, where the key names nobody (server events completed after the
 * seal), if its line or the visitor kept in its extras does. An id as wide as its column also takes the rows of longer ids that an export shows
 * as this one: nobody outside can tell them apart. A rejected event is the visitor's if its `u` is; one that has no readable `u`, or of which only the
 * beginning was kept, if one of its texts is exactly the id. Where nothing names the visitor, nothing is taken. A click is told by the
 * devices and origins of the visitor (click-matcher.ts), and by his id where it stands as the id of a device.
 *
 * Cost: one look-up a row; a rejected event is parsed only if it holds an id's bytes.
 */
import { findField } from '../../events/csv-line.ts';
import { columnsOf } from '../../events/data-types.ts';
import type { RecordKind } from '../../events/event-row.ts';
import { OAID_WIDTH, readDeviceId } from '../../events/device-id.ts';
import { CUT_MARK, mayBeCut, visitorFieldOf, visitorKeyOf } from '../../events/visitor-key.ts';
import { readText, safeText } from '../../events/wire-value.ts';
import { ClickMatcher, type ErasedClicks } from './click-matcher.ts';
import { decodeExtras } from './record-codec.ts';

/** A visitor whose records up to an instant are to go; `erasure` is the caller's number for whom they are counted. */
export type ErasedVisitor = { readonly visitor: string; readonly untilMs: number; readonly erasure: number };

/** What is to go: the records of visitors, and the clicks of their devices. */
export type Erased = ErasedVisitor | ErasedClicks;

/** Where the parts of a record lie; a run's cursor and a segment's record both can be given so. */
export type RecordParts = {
  readonly bytes: Buffer;
  readonly sendTimeMs: number;
  readonly keyStart: number;
  readonly lineStart: number;
  readonly extrasStart: number;
  readonly end: number;
};

/** The name under which a row without a visitor's column keeps its visitor beside its line, as in a sort key. */
export const VISITOR_EXTRA = 'u';

/** `"u":` and its value, a text or a number, in JSON text that may end anywhere. */
const HEAD_VISITOR = /"u"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*)/g;
const JSON_TEXT = /"(?:[^"\\]|\\.)*"/g;

export class VisitorMatcher {
  readonly #byKey = new Map<string, ErasedVisitor[]>();
  readonly #byField = new Map<string, ErasedVisitor[]>();
  /** Those whose id may be what an export shows of a longer one, by id. */
  readonly #byCutKey = new Map<string, ErasedVisitor[]>();
  readonly #byId = new Map<string, ErasedVisitor[]>();
  /** What a rejected event that names one of the ids surely holds. Undefined when only parsing can tell. */
  readonly #needles: readonly Buffer[] | undefined;
  readonly #clicks: ClickMatcher;

  constructor(erasedThings: readonly Erased[]) {
    const visitors = erasedThings.filter((erased) => 'visitor' in erased);
    this.#clicks = new ClickMatcher(erasedThings.flatMap(clicksOf));
    for (const erased of visitors) {
      const visitor = safeText(erased.visitor); // as rows hold it
      add(this.#byKey, bytesOf(visitorKeyOf(visitor)), erased);
      add(this.#byField, bytesOf(visitorFieldOf(visitor)), erased);
      if (mayBeCut(visitor)) add(this.#byCutKey, bytesOf(visitor), erased);
      add(this.#byId, visitor, erased);
    }
    const ids = [...this.#byId.keys()];
    // U+FFFD may stand for a character that the stored event still holds as it was.
    this.#needles = ids.some((id) => id.includes('\uFFFD'))
      ? undefined
      : ids.map((id) => Buffer.from(JSON.stringify(id).slice(1, -1)));
  }

  /** Says whether a record of a kind can be one of those looked for: where only clicks are, nothing else is read. */
  mayMatch(kind: RecordKind): boolean {
    return this.#byId.size > 0 || kind === 'ads_track_click';
  }

  /** Gives the number of the erasure that a record is to go for; undefined when it stays. */
  match(kind: RecordKind, record: RecordParts): number | undefined {
    if (kind === 'ads_track_click')
      return record.lineStart === record.extrasStart ? undefined : this.#clicks.match(record); // no tail names a device
    const found = this.#find(kind, record);
    return found?.find(({ untilMs }) => record.sendTimeMs <= untilMs)?.erasure;
  }

  #find(kind: RecordKind, record: RecordParts): readonly ErasedVisitor[] | undefined {
    const { bytes, keyStart, lineStart, extrasStart, end } = record;
    const keyEnd = bytes.indexOf(0, keyStart);
    if (keyEnd > keyStart) {
      return this.#findKey(bytes.toString('latin1', keyStart, keyEnd));
    }
    if (lineStart === extrasStart) return undefined; // the key of a tail
    if (kind === 'rejected') return this.#findRejected(bytes.subarray(lineStart, extrasStart));
    if (columnsOf(kind)[0]?.name === 'visitUserId') {
      const field = findField(bytes, lineStart, extrasStart, 0);
      return field && this.#byField.get(bytes.toString('latin1', field.start, field.end));
    }
    if (extrasStart === end) return undefined;
    const visitor = decodeExtras(bytes.subarray(extrasStart, end))[VISITOR_EXTRA];
    return visitor === undefined ? undefined : this.#findKey(bytesOf(visitor));
  }

  #findKey(key: string): readonly ErasedVisitor[] | undefined {
    return this.#byKey.get(key) ?? this.#findCut(key);
  }

  #findCut(key: string): readonly ErasedVisitor[] | undefined {
    if (this.#byCutKey.size === 0) return undefined;
    const mark = key.lastIndexOf(CUT_MARK);
    return mark === -1 ? undefined : this.#byCutKey.get(key.slice(0, mark));
  }

  #findId(id: string): readonly ErasedVisitor[] | undefined {
    return this.#findKey(bytesOf(visitorKeyOf(id)));
  }

  #findRejected(line: Buffer): readonly ErasedVisitor[] | undefined {
    const isHead = line.includes('"eventHead":'); // text within text: an id may be escaped there in many ways
    if (!isHead && this.#needles && !this.#needles.some((needle) => line.includes(needle))) return undefined;
    const rejected = parseRejected(line);
    // What cannot be read and holds an id goes: nobody could show later whose it was.
    if (!rejected) return [...this.#byId].find(([id]) => line.includes(id))?.[1];
    const { event, eventHead } = rejected;
    return eventHead === undefined ? this.#findInEvent(event) : this.#findInHead(eventHead);
  }

  #findInEvent(event: unknown): readonly ErasedVisitor[] | undefined {
    const isObject = typeof event === 'object' && event !== null && !Array.isArray(event);
    const visitor = isObject && 'u' in event ? readText(event.u) : null;
    if (visitor !== null && visitor !== '') return this.#findId(visitor);
    for (const text of textsOf(event)) {
      const found = this.#byId.get(readText(text) ?? '');
      if (found) return found;
    }
    return undefined;
  }

  #findInHead(head: string): readonly ErasedVisitor[] | undefined {
    const named = [...head.matchAll(HEAD_VISITOR)].map(([, value]) => textOf(value!));
    if (named.length > 0) return firstOf(named, (visitor) => this.#findId(visitor));
    return firstOf(
      [...head.matchAll(JSON_TEXT)].map(([text]) => textOf(text)),
      (text) => this.#byId.get(text),
    );
  }
}

/** Apps name their devices as visitors: such an id is also looked for among the ids of clicks. */
function clicksOf(erased: Erased): readonly ErasedClicks[] {
  if ('owner' in erased) return [erased];
  const device = readDeviceId(erased.visitor, OAID_WIDTH);
  return device === null ? [] : [{ ...erased, owner: { device } }];
}

/** Undefined for what is no JSON; the parser's own error would carry a piece of the event into logs. */
function parseRejected(line: Buffer): { readonly event?: unknown; readonly eventHead?: string } | undefined {
  try {
    return JSON.parse(line.toString()) as { readonly event?: unknown; readonly eventHead?: string };
  } catch {
    return undefined;
  }
}

function firstOf<Found>(texts: readonly string[], find: (text: string) => Found | undefined): Found | undefined {
  for (const text of texts) {
    const found = find(text);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Reads a JSON text or number as the mapping reads a visitor; what is none is left as it stands. */
function textOf(json: string): string {
  try {
    return readText(JSON.parse(json) as unknown) ?? '';
  } catch {
    return json;
  }
}

/** Walks all texts of a JSON value. */
function* textsOf(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) yield* textsOf(inner);
}

/** The bytes of a text, one character each: cheap to compare with bytes that were read. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function add<Key>(map: Map<Key, ErasedVisitor[]>, key: Key, erased: ErasedVisitor): void {
  const known = map.get(key);
  if (known) known.push(erased);
  else map.set(key, [erased]);
}
