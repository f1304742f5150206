/**
 * Maps the elements of one request whose body is on a tape: plain events from bytes to bytes (plain-events.ts), all others, and the
 * actions of projects with tagging rules, by way of values (map-events.ts), each in its place, so that rows stand in the order in which they came.
 *
 * The result is what map-events.ts makes of the parsed body, in the form in which rows are stored; map-tape.test.ts compares both.
 */
import type { JsonTape } from '../wire/json-tape.ts';
import { isWireObject } from './check-event.ts';
import type { EventBatch } from './event-row.ts';
import { dataTypeOf, ledgerLineOf, ledgerLineOfType, type LedgerLine } from './event-types.ts';
import {
  addTo,
  beginRun,
  checkRowCount,
  countActionRows,
  mapElement,
  mapEvents,
  MAX_LINE_UNITS,
  MAX_ROWS,
  PATH_PLATFORMS,
  receiptsOf,
  rememberDomain,
  tooManyTags,
  type Mapper,
  type MapRequest,
  type Run,
} from './map-events.ts';
import { sharedField } from './plain-columns.ts';
import { PLAIN_TYPE_OF, PlainEvents, type PlainRequest, type PlainType } from './plain-events.ts';
import { Occurrences } from './occurrences.ts';
import type { OperatingSystem } from './user-agent.ts';
import { BatchTooLargeError, RecordWriter } from './record-writer.ts';
import { widthOf } from './row-encoder.ts';

const ACTIVATION = 'activate';

/** The request whose body is on the tape. */
export type TapeRequest = Omit<MapRequest, 'elements' | 'oversize'>;

const NOTHING_OVERSIZE: MapRequest['oversize'] = new Map();

export class TapeMapper {
  readonly #tape: JsonTape;
  readonly #mapper: Mapper;
  readonly #writer = new RecordWriter(MAX_LINE_UNITS);
  readonly #plain: PlainEvents;
  /** Of the request that is being mapped: memory anew for each costs more than to clear it. */
  readonly #occurrences = new Occurrences();
  /** The event type of each element that is plain and has one; the value of each other. */
  readonly #types: (string | undefined)[] = [];
  readonly #values: unknown[] = [];
  /** Neighbours mostly are of one type. */
  #lastType: { readonly type: string; readonly dataType: PlainType | undefined } = { type: '', dataType: undefined };
  #lastFields: (Pick<TapeRequest, 'ip' | 'userAgent' | 'pathWord'> & Pick<PlainRequest, 'fields'>) | undefined;

  /** Makes a mapper of what is on this tape whenever `map` is called. */
  constructor(tape: JsonTape, mapper: Mapper) {
    this.#tape = tape;
    this.#mapper = mapper;
    this.#plain = new PlainEvents(this.#writer, mapper.pageDomains, tape);
  }

  /**
   * Says whether there are activations among the elements. What is to become of them is asked first, which takes a while, and the
   * tape belongs to the next request then: such a request is mapped from its `values`.
   */
  holdsActivations(): boolean {
    const { count } = this.#tape.elements;
    for (let place = 0; place < count; place += 1) {
      const type = this.#plain.typeOf(place);
      if (type === ACTIVATION || (type === undefined && isActivation(this.#tape.valueOf(place)))) return true;
    }
    return false;
  }

  /** Gives the values of all elements. */
  values(): unknown[] {
    return Array.from({ length: this.#tape.elements.count }, (_, place) => this.#tape.valueOf(place));
  }

  /** Maps the request. The batch's records hold until the next call. @throws AppError too_large */
  map(request: TapeRequest): EventBatch {
    try {
      return this.#mapTape(request);
    } catch (error) {
      if (!(error instanceof BatchTooLargeError)) throw error;
      // So much that it may be refused: the slow way decides, which counts characters and not bytes.
      return mapEvents({ ...request, elements: this.values(), oversize: NOTHING_OVERSIZE }, this.#mapper);
    } finally {
      this.#values.length = 0; // so that no event is held in memory until the next request
    }
  }

  #mapTape(request: TapeRequest): EventBatch {
    this.#readElements();
    const received = this.#countReceived();
    this.#occurrences.clear();
    const run = beginRun(request, this.#mapper, this.#occurrences);
    this.#plain.begin({
      ai: request.ai,
      isWeb: run.isWeb,
      occurrences: run.occurrences,
      matchCost: run.matchCost,
      fields: this.#fieldsOf(run),
      rules: this.#mapper.rulesOf(request.ai),
    });
    this.#rememberDomains(run);
    this.#mapElements(run);
    this.#writer.reserve(0);
    const { bytes, at, count } = this.#writer;
    return {
      ai: request.ai,
      rows: [],
      records: { bytes: bytes.subarray(this.#tape.json.length, at), count },
      receipts: receiptsOf(run, received),
      rejections: run.rejections,
    };
  }

  /** Gives the shared fields; those of the request before, when nothing that they depend on has changed. */
  #fieldsOf(run: Run): PlainRequest['fields'] {
    const { ip, userAgent, pathWord } = run.request;
    const last = this.#lastFields;
    if (last?.ip === ip && last.userAgent === userAgent && last.pathWord === pathWord) return last.fields;
    const fields = sharedFieldsOf(run);
    this.#lastFields = { ip, userAgent, pathWord, fields };
    return fields;
  }

  #readElements(): void {
    const { count } = this.#tape.elements;
    let rows = 0;
    for (let place = 0; place < count; place += 1) {
      const type = this.#plain.typeOf(place);
      this.#types[place] = type;
      if (type === undefined) {
        this.#values[place] = this.#tape.valueOf(place);
        rows += countActionRows(this.#values[place]);
      } else if (dataTypeOf(type) === 'action') rows += this.#plain.countActions(place);
    }
    checkRowCount(rows);
  }

  #countReceived(): Map<LedgerLine, number> {
    const received = new Map<LedgerLine, number>();
    const { count } = this.#tape.elements;
    let type: string | undefined;
    let same = 0; // neighbours of one type are counted together
    for (let place = 0; place < count; place += 1) {
      const next = this.#types[place];
      if (next === type && type !== undefined) {
        same += 1;
        continue;
      }
      if (type !== undefined) addTo(received, ledgerLineOfType(type), same);
      type = next;
      same = 1;
      if (type === undefined) addTo(received, ledgerLineOf(this.#values[place]), 1);
    }
    if (type !== undefined) addTo(received, ledgerLineOfType(type), same);
    return received;
  }

  #rememberDomains(run: Run): void {
    const { count } = this.#tape.elements;
    for (let place = 0; place < count; place += 1) {
      const type = this.#types[place];
      if (type === undefined) rememberDomain(run, this.#values[place]);
      else if (type === 'page' && !this.#plain.rememberDomain(place)) rememberDomain(run, this.#tape.valueOf(place));
    }
  }

  #mapElements(run: Run): void {
    const isServer = run.request.pathWord === 's2s'; // whose events have rules of their own
    const { count } = this.#tape.elements;
    for (let place = 0; place < count; place += 1) {
      const type = this.#types[place];
      if (type !== undefined && type !== '' && !isServer && this.#mapPlain(run, type, place)) continue;
      mapElement(run, type === undefined ? this.#values[place] : this.#tape.valueOf(place), place);
      for (const row of run.rows) this.#writer.row(row);
      run.rows.length = 0;
    }
  }

  /** Maps a plain element, if it can be done the quick way. */
  #mapPlain(run: Run, type: string, place: number): boolean {
    if (type !== this.#lastType.type) this.#lastType = { type, dataType: PLAIN_TYPE_OF.get(type) };
    const { dataType } = this.#lastType;
    if (dataType === undefined) {
      if (dataTypeOf(type) !== undefined) return false;
      addTo(run.ignored, ledgerLineOfType(type), 1);
      return true;
    }
    const rows = this.#plain.map(place, dataType, type);
    if (rows === 0) return false;
    addTo(run.made, dataType, rows);
    const { tags } = this.#plain;
    if (tags > 0) {
      addTo(run.made, 'action_tag', tags);
      if (run.made.get('action')! + run.made.get('action_tag')! > MAX_ROWS) throw tooManyTags();
    }
    return true;
  }
}

function isActivation(element: unknown): boolean {
  return isWireObject(element) && element.t === ACTIVATION;
}

/** Makes the fields that all events of a request share; what the user agent says of the system only for visits that ask for it. */
function sharedFieldsOf({ request, mapper, isWeb }: Run): PlainRequest['fields'] {
  const { ip, userAgent } = request;
  const system = (): OperatingSystem =>
    isWeb ? mapper.userAgents.operatingSystemOf(userAgent) : { name: null, nameAndVersion: null };
  return {
    ip: sharedField(ip, Infinity), // never cut
    userAgent: sharedField(userAgent, widthOf('visit', 'userAgent')),
    pathPlatform: sharedField(PATH_PLATFORMS[request.pathWord] ?? null, widthOf('visit', 'platform')),
    get osName() {
      return sharedField(system().name, widthOf('visit', 'operatingSystem'));
    },
    get osNameAndVersion() {
      return sharedField(system().nameAndVersion, widthOf('visit', 'operatingSystemVersion'));
    },
  };
}
