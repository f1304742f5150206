/**
 * Replays rejected events: maps them again, as this version of the program maps, and appends what is now taken to the open hour, as one
 * more collector beside those of a running server. A replayed event is a new arrival: it has a new send time, its old platform,
 * address and user agent, and the row ids that it would have had. What is still rejected stays where it is and is not kept again.
 *
 * An event is replayed once. Steps for a group, which is what came in one request: remember that it begins → append → remember that it
 * came in. Whoever finds an event that was begun and no more, because a process died in between, looks for its rows in the hours
 * since that are closed; in the open hour, sending it again makes a duplicate, which the export removes.
 *
 * Invariants: an event is remembered as sent only after its append returned; it is appended only after it was remembered as begun.
 * Memory: one group.
 */
import { decideByLinkId } from '../ads/activations.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { TrackingLink } from '../catalog/tracking-link.ts';
import { AppError } from '../errors/app-error.ts';
import { ROW_FLAGS, type EventBatch, type EventRow, type Receipt } from '../events/event-row.ts';
import { addHours, hourOf, hourStartMs, type Hour } from '../events/hour.ts';
import { ROW_ID_BYTES } from '../events/ids.ts';
import { mapEvents, type Mapper } from '../events/map-events.ts';
import { PageDomains } from '../events/page-domains.ts';
import { UserAgents } from '../events/user-agent.ts';
import type { RejectedEvents } from '../exports/rejected-events.ts';
import type { Clock } from '../lib/clock.ts';
import { lockImports } from '../store/hour-log/import-lock.ts';
import type { HourReader, HourStore } from '../store/hour-store.ts';
import { readLines, type NdjsonSource } from './ndjson-lines.ts';
import { MAX_RECORD_BYTES, parseRejectedRecord, type RejectedRecord } from './rejected-record.ts';

export type ReplayOptions = {
  readonly ai: string;
  readonly catalog: Pick<Catalog, 'settings' | 'replays' | 'rules' | 'links'>;
  readonly store: Pick<HourStore, 'append'>;
  readonly reader: HourReader;
  readonly rejected: RejectedEvents;
  readonly storeRoot: string;
  readonly clock: Clock;
  readonly retentionDays: number;
  /** Ends the replay between two groups when it is aborted. */
  readonly signal?: AbortSignal;
};

export type ReplaySummary = {
  /** Events read. */
  readonly events: number;
  /** Events that are now in the open hour. */
  readonly replayed: number;
  /** Events that an earlier replay had sent. */
  readonly sentBefore: number;
  /** Events of types that the export does not hold; they are in no table, and not sent. */
  readonly ignored: number;
  /** Events that are rejected still. */
  readonly rejected: number;
  /** Why, and how many for each reason. */
  readonly reasons: Readonly<Record<string, number>>;
};

type Counts = { -readonly [Name in keyof Omit<ReplaySummary, 'reasons'>]: number } & {
  reasons: Record<string, number>;
};

/** As for an import, activations are those of their link_id. */
type ReplayMapper = Mapper & { readonly findLink: (linkId: string) => TrackingLink | undefined };

/** An event that is taken now. */
type Taken = { readonly record: RejectedRecord; readonly isBegun: boolean; readonly begunHour: Hour | undefined };

const MAX_GROUP_EVENTS = 500;
const NOT_KEPT_WHOLE = 'only the beginning of the event was kept';

/**
 * Replays the events of a source of NDJSON lines.
 * @throws AppError replay_refused, replay_invalid, hour_unreadable; what was sent until then stays, and is not sent again
 */
export async function replayRejected(options: ReplayOptions, source: NdjsonSource): Promise<ReplaySummary> {
  const { ai, catalog, rejected, storeRoot, clock, retentionDays, signal } = options;
  await using _lock = await lockImports(storeRoot);
  if (!catalog.settings.of(ai).isExported(hourOf(clock.nowMs())))
    throw new AppError(
      'replay_refused',
      'Export is not enabled for the project in this hour, so nothing would come of it.',
    );
  const counts: Counts = { events: 0, replayed: 0, sentBefore: 0, ignored: 0, rejected: 0, reasons: {} };
  const origin = {
    parseId: (id: string) => rejected.parseId(ai, id),
    keptFrom: catalog.settings.of(ai).keptFrom(clock.nowMs(), retentionDays),
  };
  const mapper: ReplayMapper = {
    pageDomains: new PageDomains(),
    userAgents: new UserAgents(),
    onCut: () => undefined,
    rulesOf: (of) => catalog.rules.rulesOf(of),
    findLink: (linkId) => catalog.links.find(linkId),
  };
  let group: RejectedRecord[] = [];
  for await (const lines of readLines(source, MAX_RECORD_BYTES, () => undefined)) {
    for (const line of lines) {
      const record = parseRejectedRecord(line, origin);
      const [first] = group;
      if (first && (group.length === MAX_GROUP_EVENTS || !isSameRequest(first, record))) {
        await replayGroup(options, mapper, group, counts);
        group = [];
        if (signal?.aborted) return counts;
      }
      group.push(record);
    }
  }
  if (group.length > 0) await replayGroup(options, mapper, group, counts);
  return counts;
}

function isSameRequest(a: RejectedRecord, b: RejectedRecord): boolean {
  return (
    a.id.hour === b.id.hour &&
    a.sendTimeMs === b.sendTimeMs &&
    a.pathWord === b.pathWord &&
    a.ip === b.ip &&
    a.userAgent === b.userAgent
  );
}

async function replayGroup(
  options: ReplayOptions,
  mapper: ReplayMapper,
  group: readonly RejectedRecord[],
  counts: Counts,
): Promise<void> {
  const { ai, catalog, store, clock } = options;
  const { hour } = group[0]!.id;
  const known = await catalog.replays.find(
    ai,
    hour,
    group.map(({ id }) => id.digest),
  );
  counts.events += group.length;
  const taken: Taken[] = [];
  const seen = new Set<string>();
  for (const record of group) {
    const { digest } = record.id;
    const before = known.get(digest);
    if (seen.has(digest) || (before && before.sentAtMs !== null)) counts.sentBefore += 1;
    else if (isTaken(ai, mapper, record, counts))
      taken.push({ record, isBegun: before !== undefined, begunHour: before?.begunHour });
    seen.add(digest);
  }
  if (taken.length === 0) return;
  const missing = await withoutArrived(options, mapper, taken, counts);
  if (missing.length === 0) return;
  const ids = missing.map(({ id }) => id.digest);
  const batch = mapGroup(ai, mapper, missing);
  await catalog.replays.begin(ai, { hour, ids, begunHour: hourOf(clock.nowMs()) });
  const replay: Receipt = { line: 'replay', received: missing.length, ignored: 0, rows: 0 };
  const { sendTimeMs } = await store.append({ ...batch, receipts: [...batch.receipts, replay] });
  await catalog.replays.finish(ai, hour, ids, sendTimeMs);
  counts.replayed += missing.length;
}

/** Says whether an event would be taken now, and counts it when it would not. */
function isTaken(ai: string, mapper: ReplayMapper, record: RejectedRecord, counts: Counts): boolean {
  if (record.event === undefined) return refuse(counts, NOT_KEPT_WHOLE);
  const { rejections, receipts } = mapGroup(ai, mapper, [record]);
  const [reason] = rejections;
  if (reason !== undefined) return refuse(counts, reason);
  if (receipts.every(({ ignored }) => ignored === 0)) return true;
  counts.ignored += 1;
  return false;
}

function refuse(counts: Counts, reason: string): false {
  counts.rejected += 1;
  counts.reasons[reason] = (counts.reasons[reason] ?? 0) + 1;
  return false;
}

function mapGroup(ai: string, mapper: ReplayMapper, group: readonly RejectedRecord[]): EventBatch {
  const { pathWord, ip, userAgent } = group[0]!;
  const elements = group.map(({ event }) => event);
  const activations = decideByLinkId({ ai, elements }, mapper.findLink);
  return mapEvents({ ai, pathWord, elements, oversize: new Map(), ip, userAgent, activations }, mapper);
}

/** Leaves out the events that a replay which died had brought in all the same, and remembers them as sent. */
async function withoutArrived(
  options: ReplayOptions,
  mapper: ReplayMapper,
  taken: readonly Taken[],
  counts: Counts,
): Promise<readonly RejectedRecord[]> {
  const { ai, catalog, clock } = options;
  const begun = taken.filter(({ isBegun }) => isBegun);
  if (begun.length === 0) return taken.map(({ record }) => record);
  const rows = mapGroup(
    ai,
    mapper,
    taken.map(({ record }) => record),
  ).rows.filter(({ flags }) => flags & ROW_FLAGS.firstOfEvent); // one for each event, in their order
  const wanted = new Map(
    taken.flatMap(({ record, isBegun }, place) => (isBegun ? [[nameOf(rows[place]!), record.id.digest]] : [])),
  );
  const arrived = new Map<string, number>();
  const from = Math.min(...begun.map(({ begunHour }) => begunHour!)) as Hour;
  for (let hour = from; hour < hourOf(clock.nowMs()); hour = addHours(hour, 1))
    for (const name of await findRows(options, hour, rows, wanted)) arrived.set(wanted.get(name)!, hourStartMs(hour));
  for (const [digest, sentAtMs] of arrived)
    await catalog.replays.finish(ai, taken[0]!.record.id.hour, [digest], sentAtMs);
  counts.sentBefore += arrived.size;
  return taken.filter(({ record }) => !arrived.has(record.id.digest)).map(({ record }) => record);
}

/** Finds which of these rows an hour holds. */
async function findRows(
  { ai, reader, rejected, clock }: ReplayOptions,
  hour: Hour,
  rows: readonly EventRow[],
  wanted: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  await rejected.makeReady(hour, { nowMs: clock.nowMs(), keptFrom: hour });
  const found: string[] = [];
  for (const kind of new Set(rows.map((row) => row.kind))) {
    for (const { count, rowIds, flags } of reader.readSorted(hour, ai, kind)) {
      for (let row = 0; row < count; row += 1) {
        const name = `${kind} ${rowIds.toString('hex', row * ROW_ID_BYTES, (row + 1) * ROW_ID_BYTES)}`;
        if ((flags[row]! & ROW_FLAGS.published) === 0 && wanted.has(name)) found.push(name);
      }
    }
  }
  return found;
}

function nameOf({ kind, rowId }: EventRow): string {
  return `${kind} ${rowId.toString('hex')}`;
}
