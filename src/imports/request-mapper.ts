/**
 * Gathers the lines of one request, and maps them as the collector maps a body: by way of a tape where all lines are plain
 * (plain-line.ts), else by way of values. Both give the same rows; the tape takes half the time.
 *
 * Plain lines are not parsed until the request is mapped. So whoever finds something else wrong meanwhile calls `refuse`, which looks
 * for what is wrong with an earlier line: errors come in the order of the lines.
 */
import type { EventBatch } from '../events/event-row.ts';
import { mapEvents, type Mapper, type MapRequest } from '../events/map-events.ts';
import { TapeMapper } from '../events/map-tape.ts';
import { PageDomains } from '../events/page-domains.ts';
import { UserAgents } from '../events/user-agent.ts';
import { JsonTape } from '../wire/json-tape.ts';
import { DEFAULT_WIRE_LIMITS } from '../wire/wire-limits.ts';
import { parseImportLine, type ImportLine } from './import-line.ts';
import type { NdjsonLine } from './ndjson-lines.ts';
import { PlainLine, type LineFacts } from './plain-line.ts';

const MAX_EVENTS_PER_REQUEST = 500;
/** A request's text on a tape is no larger; nor is a line that is taken unparsed. */
const MAX_TEXT_BYTES = 1024 * 1024;
const MAX_PLAIN_LINE_BYTES = MAX_TEXT_BYTES / 4;
const ARRAY_START = 0x5b;
const ARRAY_END = 0x5d;
const COMMA = 0x2c;

type GatheredLine = { readonly line: NdjsonLine; readonly parsed: ImportLine | undefined };

export type MappedRequest = { readonly batch: EventBatch; readonly events: number; readonly sendTimeMs: number };

export type RequestMapperOptions = {
  readonly ai: string;
  readonly rulesOf: Mapper['rulesOf'];
  /** Decides about the activations among the elements of a request. */
  readonly decideActivations: (elements: readonly unknown[]) => MapRequest['activations'];
};

export class RequestMapper {
  readonly #options: RequestMapperOptions;
  readonly #mapper: Mapper;
  readonly #tape = new JsonTape();
  readonly #tapeMapper: TapeMapper;
  readonly #plain = new PlainLine();
  readonly #text = Buffer.allocUnsafeSlow(MAX_TEXT_BYTES);
  #textBytes = 0;
  /** Whether all lines so far are in the text. */
  #isPlain = true;
  #facts: LineFacts | undefined;
  #lines: GatheredLine[] = [];
  #next: GatheredLine | undefined;
  #nextFacts: LineFacts | undefined;

  constructor(options: RequestMapperOptions) {
    this.#options = options;
    this.#mapper = {
      pageDomains: new PageDomains(),
      userAgents: new UserAgents(),
      onCut: () => undefined,
      rulesOf: options.rulesOf,
    };
    this.#tapeMapper = new TapeMapper(this.#tape, this.#mapper);
  }

  /** Reads the next line and gives its send time; `add` puts it into the request. @throws AppError import_invalid */
  read(line: NdjsonLine): number {
    const isPlain = line.bytes.length <= MAX_PLAIN_LINE_BYTES && this.#plain.read(line.bytes);
    const parsed = isPlain ? undefined : this.#parse(line);
    this.#next = { line, parsed };
    this.#nextFacts = parsed ?? this.#plain;
    return this.#nextFacts.sendTimeMs;
  }

  /** Says whether the line that was read belongs to the next request. */
  get isComplete(): boolean {
    const { length } = this.#lines;
    return length > 0 && (length === MAX_EVENTS_PER_REQUEST || !isSameRequest(this.#facts!, this.#nextFacts!));
  }

  /** Puts the line that was read into the request. */
  add(): void {
    const next = this.#next!;
    if (this.#lines.length === 0) {
      const { sendTimeMs, pathWord, ip, userAgent } = this.#nextFacts!;
      this.#facts = { sendTimeMs, pathWord, ip, userAgent };
      this.#isPlain = true;
      this.#textBytes = 0;
    }
    this.#lines.push(next);
    this.#isPlain &&= next.parsed === undefined && this.#textBytes + this.#plain.mostBytes + 2 <= MAX_TEXT_BYTES;
    if (!this.#isPlain) return;
    this.#text[this.#textBytes] = this.#textBytes === 0 ? ARRAY_START : COMMA;
    this.#textBytes = this.#plain.writeTo(this.#text, this.#textBytes + 1);
  }

  /** Maps the request that was gathered, and begins the next; undefined without lines. @throws AppError import_invalid, too_large */
  map(): MappedRequest | undefined {
    const lines = this.#lines;
    if (lines.length === 0) return undefined;
    const { sendTimeMs, pathWord, ip, userAgent } = this.#facts!;
    this.#lines = [];
    const request = { ai: this.#options.ai, pathWord, ip, userAgent };
    const mapped = { events: lines.length, sendTimeMs };
    if (this.#isPlain && this.#readTape() && !this.#tapeMapper.holdsActivations())
      return { batch: this.#tapeMapper.map(request), ...mapped };
    const elements = lines.map(({ line, parsed = parseImportLine(line) }) => parsed.event);
    const activations = this.#options.decideActivations(elements);
    return { batch: mapEvents({ ...request, elements, oversize: new Map(), activations }, this.#mapper), ...mapped };
  }

  /** Throws what is wrong with a line of the request, or else this error, which was found later. */
  refuse(error: unknown): never {
    for (const { line, parsed } of this.#lines) if (!parsed) parseImportLine(line);
    throw error;
  }

  #parse(line: NdjsonLine): ImportLine {
    try {
      return parseImportLine(line);
    } catch (error) {
      this.refuse(error);
    }
  }

  #readTape(): boolean {
    this.#text[this.#textBytes] = ARRAY_END;
    return this.#tape.read(this.#text.subarray(0, this.#textBytes + 1), DEFAULT_WIRE_LIMITS);
  }
}

function isSameRequest(a: LineFacts, b: LineFacts): boolean {
  return a.sendTimeMs === b.sendTimeMs && a.pathWord === b.pathWord && a.ip === b.ip && a.userAgent === b.userAgent;
}
