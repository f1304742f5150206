/**
 * Maps the elements of one request to rows, rejected records and ledger counts.
 *
 * Called by the collector for each request and by the import for each line. Pure but for two memories that only save work later
 * (page domains, user agents). One bad element never harms its neighbours. Received events are counted first and by themselves,
 * so that the ledger's two sides come from different code.
 */
import { NO_RULES, type MatchCost, type RuleSet } from '../rules/rule-set.ts';
import { buildTagRow, WireActionFields, type TaggedAction } from './action-tags.ts';
import { dataTypeOf, ledgerLineOf, type LedgerLine } from './event-types.ts';
import { ROW_FLAGS, type EventBatch, type EventRow, type Receipt } from './event-row.ts';
import type { DataType } from './data-types.ts';
import { AppError } from '../errors/app-error.ts';
import { elementsOf, isWireObject, MAX_ACTION_ELEMENTS, rejectionOf } from './check-event.ts';
import { pageRequestIdOf, type RowContext, type WireObject } from './column-sources.ts';
import {
  actionRequestId,
  digestOfText,
  eventDigest,
  eventRowId,
  pageRequestId,
  pageRowId,
  visitRowId,
  vstRequestId,
} from './ids.ts';
import type { ActivationDecision, LinkFacts } from './link-facts.ts';
import { Occurrences } from './occurrences.ts';
import type { PageDomains } from './page-domains.ts';
import { buildRejectedRow, type RejectedEvent } from './rejected-row.ts';
import { encodeLine, widthOf, type FieldMemo, type OnCut } from './row-encoder.ts';
import { lacksVisitor, loginExtras, unlinkedExtras } from './server-event.ts';
import type { UserAgents } from './user-agent.ts';
import { cutText, readInteger, readText } from './wire-value.ts';

/** The words of collector paths that stand for a platform. */
export const PATH_PLATFORMS: Readonly<Record<string, string | null>> = {
  web: 'Web',
  wap: 'Web',
  android: 'Android',
  ios: 'iOS',
  harmonyos: 'HarmonyOS',
  minp: 'MinP',
  s2s: null,
};

export type MapRequest = {
  readonly ai: string;
  /** A word of PATH_PLATFORMS. */
  readonly pathWord: string;
  readonly elements: readonly unknown[];
  /** Elements too large to be taken, by place in `elements`, where they are undefined. */
  readonly oversize: ReadonlyMap<number, { readonly bytes: number; readonly head: string }>;
  readonly ip: string | null;
  readonly userAgent: string | null;
  /** What was decided of the activations among the elements, by place; of the others nothing is known but what they say. */
  readonly activations?: ReadonlyMap<number, ActivationDecision> | undefined;
};

export type Mapper = {
  readonly pageDomains: PageDomains;
  readonly userAgents: UserAgents;
  readonly onCut: OnCut;
  /** Gives the rules of a project that are in force now. */
  readonly rulesOf: (ai: string) => RuleSet;
};

const VISITOR_WIDTH = widthOf('visit', 'visitUserId');
const SESSION_WIDTH = widthOf('visit', 'sessionId');
const NO_ELEMENT: readonly WireObject[] = [{}];

/**
 * Rows that one request may make. Without it 6 MB of `{"t":"clck",…,"e":[{},{},…]}` make two million rows, which block the process
 * for 20 s and fill 2 GB before anything later can refuse them. SDKs send at most some hundred events at once.
 */
export const MAX_ROWS = 100_000;

/**
 * Characters that the lines of one request may have; somewhat below the 128 MiB that the store takes at once. Without it 340 KB
 * of clicks that share one long page make 300 MB of lines before the store refuses them.
 */
export const MAX_LINE_UNITS = 96 * 1024 * 1024;

/** What of a request is the same for all of its rows, and what has been made of it so far. */
export type Run = {
  readonly request: Omit<MapRequest, 'elements' | 'oversize'>;
  readonly mapper: Mapper;
  readonly isWeb: boolean;
  readonly rows: EventRow[];
  readonly rejections: string[];
  readonly ignored: Map<LedgerLine, number>;
  /** Rows that the accepted events are to make. */
  readonly made: Map<LedgerLine, number>;
  /** Equal events so far. */
  readonly occurrences: Occurrences;
  /** What trying rules has cost so far. */
  readonly matchCost: MatchCost;
  /** Characters of the lines so far. */
  lineUnits: number;
};

/** Maps a request's elements. @throws AppError too_large when they make more rows than one request may */
export function mapEvents(request: MapRequest, mapper: Mapper): EventBatch {
  const { elements, oversize } = request;
  checkRowCount(elements.reduce((sum: number, element) => sum + countActionRows(element), 0));
  const received = countReceived(elements);
  const run = beginRun(request, mapper);
  for (const element of elements) rememberDomain(run, element);
  elements.forEach((element, place) => {
    const large = oversize.get(place);
    if (large) {
      const reason = `the event has ${large.bytes} bytes, more than one event may have`;
      reject(run, { reason, line: 'unknown', eventHead: large.head });
    } else mapElement(run, element, place);
  });
  return { ai: request.ai, rows: run.rows, receipts: receiptsOf(run, received), rejections: run.rejections };
}

/** Begins with a request of which nothing is mapped yet. */
export function beginRun(request: Run['request'], mapper: Mapper, occurrences = new Occurrences()): Run {
  return {
    request,
    mapper,
    isWeb: request.pathWord === 'web' || request.pathWord === 'wap',
    rows: [],
    rejections: [],
    ignored: new Map(),
    made: new Map(),
    occurrences,
    matchCost: { bytes: 0 },
    lineUnits: 0,
  };
}

/** Gives the ledger's counts of a mapped request. */
export function receiptsOf({ ignored, made }: Run, received: ReadonlyMap<LedgerLine, number>): Receipt[] {
  const lines = [...received];
  if (made.has('action_tag')) lines.push(['action_tag', 0]); // made here, of no event of its own
  return lines.map(([line, count]) => ({
    line,
    received: count,
    ignored: ignored.get(line) ?? 0,
    rows: made.get(line) ?? 0,
  }));
}

/** Counts the rows that an action makes, before the first is made. One with too many elements is rejected and makes none. */
export function countActionRows(element: unknown): number {
  if (!isWireObject(element) || typeof element.t !== 'string' || dataTypeOf(element.t) !== 'action') return 0;
  const elements = elementsOf(element);
  return Array.isArray(elements) && elements.length <= MAX_ACTION_ELEMENTS ? elements.length : 0;
}

/** @throws AppError too_large when the actions of a request make more rows than one request may */
export function checkRowCount(rows: number): void {
  if (rows > MAX_ROWS)
    throw new AppError('too_large', `The events of the request make ${rows} rows; at most ${MAX_ROWS} are taken.`);
}

function countReceived(elements: readonly unknown[]): Map<LedgerLine, number> {
  const received = new Map<LedgerLine, number>();
  for (const element of elements) addTo(received, ledgerLineOf(element), 1);
  return received;
}

/** Remembers the domain of a page. For all elements of a request before any is mapped: their order is not to be trusted. */
export function rememberDomain({ request, mapper }: Run, element: unknown): void {
  if (!isWireObject(element) || element.t !== 'page') return;
  const timeMs = readInteger(element.tm);
  const visitor = readText(element.u);
  const domain = readText(element.d);
  if (timeMs === null || visitor === null || domain === null) return;
  mapper.pageDomains.set(pageRequestId(request.ai, visitor, readText(element.s) ?? '', timeMs), domain);
}

/** Maps one element: to rows, a rejected record, or a count of what is ignored. `place` is its place in the request. */
export function mapElement(run: Run, element: unknown, place: number): void {
  const line = ledgerLineOf(element);
  const refuse = (reason: string): void => reject(run, { reason, line, event: element });
  if (!isWireObject(element)) return refuse('the element is no object');
  const type = element.t;
  if (typeof type !== 'string' || type === '') return refuse('t (the event type) is missing');
  const isServerEvent = run.request.pathWord === 's2s';
  const dataType = dataTypeOf(type);
  if (dataType === undefined && !isServerEvent) return addTo(run.ignored, line, 1);
  const reason = rejectionOf(element, type, isServerEvent);
  if (reason !== null || dataType === undefined) return refuse(reason ?? 't is unknown');
  const activation = run.request.activations?.get(place);
  if (activation?.isRepeated) return addTo(run.ignored, line, 1);
  addTo(run.made, line, dataType === 'action' ? (elementsOf(element) as readonly unknown[]).length : 1);
  addRows(run, element, dataType, activation?.link);
}

/** Adds to one of several counts. */
export function addTo(counts: Map<LedgerLine, number>, line: LedgerLine, count: number): void {
  counts.set(line, (counts.get(line) ?? 0) + count);
}

function reject(run: Run, rejected: RejectedEvent): void {
  run.rejections.push(rejected.reason);
  run.rows.push(buildRejectedRow(run.request, rejected));
}

function addRows(run: Run, event: WireObject, dataType: DataType, link?: LinkFacts | null): void {
  const { request, mapper } = run;
  const timeMs = readInteger(event.tm) ?? 0;
  const visitor = readText(event.u) ?? '';
  const session = readText(event.s) ?? '';
  const identify = rowIdentifier(run, event, dataType, { visitor, session, timeMs });
  const missing = missingDomain(run, event, dataType);
  const isUnlinked = lacksVisitor(request.pathWord, event);
  const elements = dataType === 'action' ? (elementsOf(event) as readonly WireObject[]) : NO_ELEMENT;
  // Whatever does not depend on the element is read once: an outer value may be as long as a whole event, and elements are many.
  const page = pageRequestIdOf(request.ai, event);
  const visitorKey = sortText(visitor, VISITOR_WIDTH);
  const sessionKey = sortText(session, SESSION_WIDTH);
  const query = dataType === 'action' ? keptText(event.q) : null;
  const rules = dataType === 'action' ? mapper.rulesOf(request.ai) : NO_RULES;
  const fields = rules.isEmpty ? undefined : new WireActionFields(event);
  const memo: FieldMemo | undefined = elements.length > 1 ? new Map() : undefined;
  elements.forEach((element, place) => {
    const rowId = identify(place);
    const context: RowContext = {
      ai: request.ai,
      event,
      element,
      timeMs,
      pathPlatform: PATH_PLATFORMS[request.pathWord] ?? null,
      isWeb: run.isWeb,
      ip: request.ip,
      userAgent: request.userAgent,
      operatingSystem: () => mapper.userAgents.operatingSystemOf(request.userAgent),
      domain: missing.domain,
      actionRequestId: dataType === 'action' ? actionRequestId(run.isWeb, rowId) : null,
      pageRequestId: page,
      link,
    };
    const line = encodeLine(dataType, context, mapper.onCut, memo);
    run.lineUnits += line.head.length + line.tail.length;
    refuseLongLines(run);
    const rowTimeMs =
      missing.page?.timeMs ??
      (dataType === 'visit' ? 0 : dataType === 'action' ? (readInteger(element.tm) ?? timeMs) : timeMs);
    run.rows.push({
      kind: dataType,
      visitor: visitorKey,
      session: sessionKey,
      timeMs: rowTimeMs,
      rowId,
      flags: (place === 0 ? ROW_FLAGS.firstOfEvent : 0) | (missing.page || isUnlinked ? ROW_FLAGS.incomplete : 0),
      lineHead: line.head,
      lineTail: line.tail,
      extras: missing.page
        ? { ...extrasOf(event, element, dataType, query), pid: missing.page.requestId, tm: String(timeMs) }
        : isUnlinked
          ? unlinkedExtras(event, timeMs)
          : extrasOf(event, element, dataType, query),
    });
    if (fields && context.actionRequestId !== null) {
      const { actionRequestId: id } = context;
      const action = { rowId, actionRequestId: id, visitor: visitorKey, timeMs: rowTimeMs };
      addTags(run, rules.match(fields.of(element), run.matchCost), action);
    }
  });
}

/** Adds a row for each rule that an action fits; they are counted before they are made, as every row is. */
function addTags(run: Run, ruleIds: readonly string[], action: TaggedAction): void {
  if (ruleIds.length === 0) return;
  addTo(run.made, 'action_tag', ruleIds.length);
  if (run.made.get('action')! + run.made.get('action_tag')! > MAX_ROWS) throw tooManyTags();
  for (const ruleId of ruleIds) {
    const row = buildTagRow(action, ruleId);
    run.lineUnits += row.lineTail.length;
    run.rows.push(row);
  }
  refuseLongLines(run);
}

/** The refusal of a request whose actions have more tags than there may be rows. */
export function tooManyTags(): AppError {
  return new AppError('too_large', `The events of the request make more than ${MAX_ROWS} rows, their tags included.`);
}

function refuseLongLines({ lineUnits }: Run): void {
  if (lineUnits > MAX_LINE_UNITS) throw tooMuchText();
}

/** The refusal of a request whose rows are larger than one request's may be. */
export function tooMuchText(): AppError {
  return new AppError('too_large', `The rows of the request make more than ${MAX_LINE_UNITS} characters.`);
}

/** Cuts a text for the sort key; two long texts that are cut to the same stay apart, so that duplicates are neighbours. */
function sortText(text: string, width: number): string {
  const cut = cutText(text, width);
  return cut === text ? text : `${cut}\u0001${digestOfText(text)}`;
}

/** Gives the row ids of one event, by place in `e[]`. */
function rowIdentifier(
  run: Run,
  event: WireObject,
  dataType: DataType,
  { visitor, session, timeMs }: { readonly visitor: string; readonly session: string; readonly timeMs: number },
): (place: number) => Buffer {
  const { ai } = run.request;
  if (dataType === 'visit') return () => visitRowId(vstRequestId(ai, visitor, session));
  if (dataType === 'page') return () => pageRowId(pageRequestId(ai, visitor, session, timeMs));
  const digest = eventDigest(ai, dataType, event);
  const occurrence = run.occurrences.count(digest);
  run.occurrences.add(digest);
  return (place) => eventRowId(digest, place, occurrence);
}

type MissingDomain = {
  readonly domain: string | null;
  /** The page whose domain is to be found later. */
  readonly page?: { readonly requestId: string; readonly timeMs: number };
};

function missingDomain(run: Run, event: WireObject, dataType: DataType): MissingDomain {
  if (dataType !== 'custom_event' && dataType !== 'pvar') return { domain: null };
  if (event.d !== undefined && event.d !== null) return { domain: null };
  const pageTimeMs = readInteger(event.ptm);
  const requestId = pageRequestIdOf(run.request.ai, event);
  if (pageTimeMs === null || requestId === null) return { domain: null };
  const domain = run.mapper.pageDomains.get(requestId);
  return domain === undefined ? { domain: null, page: { requestId, timeMs: pageTimeMs } } : { domain };
}

/** Kept beside the line: rules match on xpath and query, and ads files of later formats show the OAID. */
function extrasOf(
  event: WireObject,
  element: WireObject,
  dataType: DataType,
  query: string | null,
): Record<string, string> {
  if (dataType === 'page') return loginExtras(event);
  const extras: Record<string, string> = {};
  if (dataType === 'action') {
    keep(extras, 'q', query);
    keep(extras, 'x', keptText(element.x));
  } else if (dataType === 'ads_track_activation') {
    keep(extras, 'oaid', keptText(event.oaid));
  }
  return extras;
}

/** Far above any real xpath or query, and far below what would let one event fill the store. */
const KEPT_WIDTH = 5_000;

function keptText(value: unknown): string | null {
  const text = readText(value);
  return text === null ? null : cutText(text, KEPT_WIDTH);
}

function keep(extras: Record<string, string>, name: string, text: string | null): void {
  if (text !== null) extras[name] = text;
}
