/**
 * Maps plain events of a tape (json-tape.ts) to stored rows, from bytes to bytes: the quick way of map-events.ts for the events that
 * SDKs send nearly always.
 *
 * `map` either writes all rows of an event or none. It says no to everything that is not plain sailing: events to be rejected, values
 * of another type than their column's, too wide ones, a visitor whose id is no text. Those go the slow way. What it writes is, byte
 * for byte, what the slow way would write; map-tape.test.ts compares both.
 *
 * Called for every event, so: no strings, no objects, no calls into C++ but the hash.
 */
import { NO_RULES, type MatchCost, type RuleSet } from '../rules/rule-set.ts';
import { VALUE, type JsonTape } from '../wire/json-tape.ts';
import { MAX_ACTION_ELEMENTS } from './check-event.ts';
import {
  ELEMENT_KEYS,
  ELEMENT_XPATH,
  elementPlacesOf,
  planNoteOf,
  planOf,
  type KeyPlaces,
  type Plan,
} from './column-plan.ts';
import { copyWithin, literalOf, writeLiteral } from './copy-bytes.ts';
import { ROW_FLAGS } from './event-row.ts';
import { eventRowId, ROW_ID_BYTES } from './ids.ts';
import { MAX_ROWS, tooManyTags } from './map-events.ts';
import { Occurrences } from './occurrences.ts';
import type { PageDomains } from './page-domains.ts';
import { PlainColumns, type SharedFields } from './plain-columns.ts';
import { PlainDigests } from './plain-digests.ts';
import { PlainVisitor } from './plain-visitor.ts';
import { KEY_TIME_BYTES, RECORD_HEADER_BYTES, type RecordWriter } from './record-writer.ts';
import { writeTag } from './tag-record.ts';
import { TapeActionFields } from './tape-action-fields.ts';
import { integerOf, isFilledText, isRawText, writeHex, writeTime } from './tape-bytes.ts';

/** Data types whose events this takes, with what it has to know of each. */
const PLAIN_TYPES = {
  visit: { t: ['vst'] },
  page: { t: ['page'] },
  action: { t: ['clck', 'chng', 'sbmt'] },
  custom_event: { t: ['cstm'] },
  pvar: { t: ['pvar'] },
  evar: { t: ['evar'] },
  vstr: { t: ['vstr'] },
} as const;
export type PlainType = keyof typeof PLAIN_TYPES;

/** What the events of one request share. */
export type PlainRequest = {
  readonly ai: string;
  readonly isWeb: boolean;
  readonly fields: SharedFields;
  /** Equal events so far. Shared with the slow way. */
  readonly occurrences: Occurrences;
  /** What trying rules has cost so far. Shared with the slow way. */
  readonly matchCost: MatchCost;
  /** The project's tagging rules. */
  readonly rules: RuleSet;
};

/** More than all that a line can hold besides the event's own values: user agent, ip, ids, numbers, commas. */
const LINE_ROOM_BYTES = 8 * 1024;

const COMMA = 0x2c;
const NO_PLACES = new Int32Array(ELEMENT_KEYS.length).fill(-1);

export class PlainEvents {
  readonly #writer: RecordWriter;
  readonly #pageDomains: PageDomains;
  readonly #rowIdLiteral = literalOf(Buffer.alloc(ROW_ID_BYTES));
  readonly #rowId = Buffer.from(this.#rowIdLiteral.words.buffer, 0, ROW_ID_BYTES);
  readonly #columns: PlainColumns;
  readonly #visitor: PlainVisitor;
  readonly #digests: PlainDigests;
  readonly #fields: TapeActionFields;
  /** Rows of action_tag that the last mapped event has made. */
  tags = 0;
  readonly #tape: JsonTape;
  #request: PlainRequest;
  /** The type of the element before. */
  #type = '';
  // The event being mapped.
  #timeMs = 0;
  /** Where the sort key of the row that was written last has its time. */
  #keyTimeAt = 0;

  constructor(writer: RecordWriter, pageDomains: PageDomains, tape: JsonTape) {
    this.#writer = writer;
    this.#pageDomains = pageDomains;
    this.#tape = tape;
    this.#request = {
      ai: '',
      isWeb: false,
      fields: {},
      occurrences: new Occurrences(),
      matchCost: { bytes: 0 },
      rules: NO_RULES,
    };
    this.#fields = new TapeActionFields(tape);
    this.#visitor = new PlainVisitor(writer, tape);
    this.#digests = new PlainDigests(writer, tape);
    this.#columns = new PlainColumns(writer, tape, this.#rowId, this.#visitor);
  }

  /** Begins with a request, whose body is on the tape. */
  begin(request: PlainRequest): void {
    this.#writer.clearBehind(this.#tape.json);
    this.#request = request;
    this.#columns.isWeb = request.isWeb;
    this.#columns.shared = request.fields;
    this.#visitor.begin(request.ai);
    this.#digests.begin(request.ai);
  }

  /** Gives the `t` of an element; undefined when the element is not plain, or its type is no text. */
  typeOf(element: number): string | undefined {
    const { elements, values, json } = this.#tape;
    const shape = elements.shapes[element];
    if (shape === undefined) return undefined;
    const { t } = planNoteOf(shape).places;
    if (t < 0) return undefined;
    const value = elements.firsts[element]! + t;
    if (!isRawText(values.kinds[value]!)) return undefined;
    const start = values.starts[value]!;
    const end = values.ends[value]!;
    if (!isText(json, start, end, this.#type)) this.#type = json.toString('utf8', start, end);
    return this.#type;
  }

  /** Counts the elements of `e[]`, or of what stands for it, of a plain element. */
  countActions(element: number): number {
    const { elements, values } = this.#tape;
    const { e, elem } = planNoteOf(elements.shapes[element]!).places;
    const first = elements.firsts[element]!;
    const place = e >= 0 && values.kinds[first + e] !== VALUE.null ? e : elem;
    if (place < 0) return 0;
    const value = first + place;
    if (values.kinds[value] !== VALUE.objects) return 0;
    const count = values.ends[value]! - values.starts[value]!;
    return count > MAX_ACTION_ELEMENTS ? 0 : count;
  }

  /** Remembers the domain of a page event, if it is one and plain; false when it has to be done the slow way. */
  rememberDomain(element: number): boolean {
    const tape = this.#tape;
    const { places } = planNoteOf(tape.elements.shapes[element]!);
    const first = tape.elements.firsts[element]!;
    if (places.d < 0) return true;
    const { kinds, starts, ends } = tape.values;
    const domain = first + places.d;
    if (kinds[domain] === VALUE.null) return true;
    if (!isRawText(kinds[domain]!) || !this.#readTime(first, places) || !this.#visitor.read(first, places))
      return false;
    const id = this.#visitor.pageId(this.#timeMs);
    this.#pageDomains.set(id, tape.json.toString('utf8', starts[domain], ends[domain]));
    return true;
  }

  /**
   * Writes the rows of a plain element of this type, and of the tags of an action. Returns how many without tags, or 0 when the event has to go
   * the slow way. @throws AppError too_large when there are more tags than a request may have rows
   */
  map(element: number, dataType: PlainType, type: string): number {
    const writer = this.#writer;
    const tape = this.#tape;
    const { at: begin, count } = writer;
    this.tags = 0;
    const shape = tape.elements.shapes[element]!;
    const first = tape.elements.firsts[element]!;
    const note = planNoteOf(shape);
    if (!this.#readEvent(first, note.places, dataType)) return 0;
    let plan = note.last?.dataType === dataType ? note.last : note.plans.get(dataType);
    if (plan === undefined) {
      plan = planOf(shape, dataType);
      note.plans.set(dataType, plan);
    }
    note.last = plan;
    const eventBytes = tape.elementEnds[element]! - tape.elementStarts[element]!;
    const roomBytes = 4 * eventBytes + LINE_ROOM_BYTES;
    writer.reserve(roomBytes);
    const digest = dataType === 'visit' || dataType === 'page' ? undefined : this.#digests.of(element, dataType);
    const occurrence = digest === undefined ? 0 : this.#request.occurrences.count(digest);
    let rows = 1;
    let firstElement = 0;
    if (dataType === 'action') {
      const elements = first + note.places.e;
      firstElement = tape.values.starts[elements]!;
      rows = tape.values.ends[elements]! - firstElement;
    }
    for (let place = 0; place < rows; place += 1) {
      writer.reserve(roomBytes);
      this.#identify(dataType, digest, place, occurrence);
      const isWritten = this.#row(
        plan,
        first,
        note.places,
        dataType,
        dataType === 'action' ? firstElement + place : -1,
        place,
      );
      if (isWritten) {
        if (dataType === 'action' && !this.#request.rules.isEmpty)
          this.#tag(type, first, note.places, firstElement + place, place);
        continue;
      }
      writer.at = begin;
      writer.count = count;
      this.tags = 0;
      return 0;
    }
    if (digest !== undefined) this.#request.occurrences.add(digest);
    return rows;
  }

  /** Writes a row for each rule that the action fits whose row was written last. */
  #tag(type: string, first: number, event: KeyPlaces, innerObject: number, place: number): void {
    const { inner } = this.#tape;
    const fields = this.#fields;
    if (place === 0) fields.ofEvent(type, event, first);
    fields.ofElement(elementPlacesOf(inner.shapes[innerObject]!), inner.firsts[innerObject]!);
    const { rules, isWeb, matchCost } = this.#request;
    const ruleIds = rules.match(fields, matchCost);
    if (ruleIds.length === 0) return;
    this.tags += ruleIds.length;
    if (this.tags > MAX_ROWS) throw tooManyTags();
    const action = {
      isWeb,
      rowId: this.#rowId,
      keyTimeAt: this.#keyTimeAt,
      visitorStart: this.#visitor.start,
      visitorEnd: this.#visitor.end,
    };
    for (const ruleId of ruleIds) writeTag(this.#writer, action, ruleId);
  }

  /** Reads what every row of the event needs; false when it is not there in the plain form. */
  #readEvent(first: number, places: KeyPlaces, dataType: PlainType): boolean {
    const { kinds } = this.#tape.values;
    if (!this.#readTime(first, places) || !this.#visitor.read(first, places)) return false;
    if (dataType === 'action') {
      if (places.e < 0 || kinds[first + places.e] !== VALUE.objects) return false;
      const count = this.#tape.values.ends[first + places.e]! - this.#tape.values.starts[first + places.e]!;
      if (count === 0 || count > MAX_ACTION_ELEMENTS) return false;
    }
    if (dataType === 'custom_event' && !isFilledText(this.#tape.values, first, places.n)) return false;
    this.#columns.pageId = null;
    this.#columns.domain = null;
    if (dataType === 'visit') return true;
    if (dataType === 'page') {
      this.#columns.pageId = this.#visitor.pageId(this.#timeMs);
      return true;
    }
    if (dataType === 'evar' || dataType === 'vstr') return true; // no column of theirs needs the page
    if (places.ptm >= 0 && kinds[first + places.ptm] !== VALUE.null) {
      if (kinds[first + places.ptm] !== VALUE.integer) return false;
      this.#columns.pageId = this.#visitor.pageId(this.#integer(first + places.ptm));
    }
    if (dataType === 'action' || (places.d >= 0 && kinds[first + places.d] !== VALUE.null)) return true;
    if (this.#columns.pageId === null) return true;
    this.#columns.domain = this.#pageDomains.get(this.#columns.pageId) ?? null;
    return this.#columns.domain !== null; // else it is completed later, and its row says so
  }

  #readTime(first: number, { tm }: KeyPlaces): boolean {
    if (tm < 0 || this.#tape.values.kinds[first + tm] !== VALUE.integer) return false;
    this.#columns.timeAt = first + tm;
    this.#timeMs = this.#integer(first + tm);
    return true;
  }

  #integer(value: number): number {
    const { values } = this.#tape;
    return integerOf(this.#writer.view, values.starts[value]!, values.ends[value]!);
  }

  /** Leaves the row's id in `#rowId`. */
  #identify(dataType: PlainType, digest: string | undefined, place: number, occurrence: number): void {
    const id = this.#rowId;
    if (digest === undefined) {
      id.fill(0);
      if (dataType === 'visit') writeHex(id, 0, this.#visitor.visitId(), 0, 16);
      else {
        const pageId = this.#columns.pageId!;
        const timeMs = Number(pageId.slice(0, 13));
        writeTime(this.#rowIdLiteral.words, 0, timeMs, 0);
        writeHex(id, 8, pageId, 13, 10);
      }
    } else if (place === 0 && occurrence === 0) {
      for (let byte = 0; byte < ROW_ID_BYTES; byte += 1) id[byte] = digest.charCodeAt(byte);
    } else eventRowId(digest, place, occurrence).copy(id);
  }

  /** Writes one row; false when a value needs the slow way. */
  #row(plan: Plan, first: number, places: KeyPlaces, dataType: PlainType, innerObject: number, place: number): boolean {
    const writer = this.#writer;
    const tape = this.#tape;
    const { bytes: out, view } = writer;
    const start = writer.at;
    const elementPlaces = innerObject < 0 ? NO_PLACES : elementPlacesOf(tape.inner.shapes[innerObject]!);
    const innerFirst = innerObject < 0 ? 0 : tape.inner.firsts[innerObject]!;
    let timeMs = this.#timeMs;
    if (innerObject >= 0 && elementPlaces[0]! >= 0) {
      const elementTime = innerFirst + elementPlaces[0]!;
      const kind = tape.innerValues.kinds[elementTime];
      if (kind === VALUE.integer)
        timeMs = integerOf(view, tape.innerValues.starts[elementTime]!, tape.innerValues.ends[elementTime]!);
      else if (kind !== VALUE.null) return false;
    }

    const visitor = this.#visitor;
    let at = start + RECORD_HEADER_BYTES;
    at = copyWithin(view, at, visitor.start, visitor.end);
    out[at++] = 0;
    at = copyWithin(view, at, visitor.sessionStart, visitor.sessionEnd);
    out[at++] = 0;
    this.#keyTimeAt = at;
    writeTime(view, at, dataType === 'visit' ? 0 : timeMs, 0x8000_0000);
    at = writeLiteral(view, at + KEY_TIME_BYTES, this.#rowIdLiteral);

    const lineStart = at;
    const { steps, lastCommas } = plan;
    for (const step of steps) {
      for (let comma = step.commas; comma > 0; comma -= 1) out[at++] = COMMA;
      if (step.elementKey >= 0) {
        const key = elementPlaces[step.elementKey]!;
        at = this.#columns.field(step, tape.innerValues, key < 0 ? -1 : innerFirst + key, -1, out, at);
      } else
        at = this.#columns.field(
          step,
          tape.values,
          step.at < 0 ? -1 : first + step.at,
          step.orAt < 0 ? -1 : first + step.orAt,
          out,
          at,
        );
      if (at < 0) return false;
    }
    for (let comma = lastCommas; comma > 0; comma -= 1) out[at++] = COMMA;
    out[at++] = 0x0a;
    const lineEnd = at;

    writer.at = at;
    if (dataType === 'action') {
      if (!this.#columns.extra('q', tape.values, places.q < 0 ? -1 : first + places.q)) return false;
      const xpath = elementPlaces[ELEMENT_XPATH]!;
      if (!this.#columns.extra('x', tape.innerValues, xpath < 0 ? -1 : innerFirst + xpath)) return false;
    }
    const flags = place === 0 ? ROW_FLAGS.firstOfEvent : 0;
    writer.header({ start, code: plan.kindCode, flags, lineStart, holeAt: this.#columns.holeAt, lineEnd });
    return true;
  }
}

function isText(json: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let place = 0; place < text.length; place += 1) {
    const unit = text.charCodeAt(place);
    if (unit > 0x7e || json[start + place] !== unit) return false;
  }
  return true;
}

/** The plain data types by event type. */
export const PLAIN_TYPE_OF: ReadonlyMap<string, PlainType> = new Map(
  Object.entries(PLAIN_TYPES).flatMap(([dataType, { t }]) =>
    t.map((type): [string, PlainType] => [type, dataType as PlainType]),
  ),
);
