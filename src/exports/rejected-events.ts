/**
 * Reads the rejected events of prepared hours: counts them by reason, gives them as NDJSON, and names each.
 *
 * A name (`id`) tells the hour, the record and, by a key of the server, that it was made here for this project. It is derived from the
 * record, so it is the same whenever the hour is read, and it stays with a line that a person edits: by it nothing is replayed
 * twice. Two records that are the same to the byte lie side by side and are told apart by counting.
 *
 * Cost: one block of each run and one batch of lines, whatever the hour holds; long hours are read with pauses, so that requests go on.
 */
import { createHash, createHmac } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { AppError } from '../errors/app-error.ts';
import { formatBeijingHour, hourEndMs, hourOf, parseBeijingHour, type Hour } from '../events/hour.ts';
import type { HourReader, HourStore, RowBatch } from '../store/hour-store.ts';

/** What rejected events are read from. */
export type RejectedSource = HourReader & {
  /** Says whether an hour can be read. */
  isReady(hour: Hour): boolean;
};

export type RejectedEventsOptions = {
  readonly reader: RejectedSource;
  /** Makes a sealed hour ready. */
  readonly store: Pick<HourStore, 'prepare'>;
  /** Proves that an id was made here. */
  readonly key: Buffer;
};

/** How many events were rejected for which reason. */
export type ReasonCount = { readonly reason: string; readonly events: number };

/** What an hour has of rejected events. */
export type RejectedHour = {
  readonly hour: Hour;
  readonly events: number;
  /** The most frequent first. Reasons beyond MAX_REASONS are counted under OTHER_REASONS. */
  readonly reasons: readonly ReasonCount[];
};

/** A rejected record's own name, taken apart. */
export type RejectedId = { readonly hour: Hour; readonly digest: string };

/** Reasons name what was sent, so there may be as many as events. */
const MAX_REASONS = 100;
export const OTHER_REASONS = 'other reasons';
const DIGEST_DIGITS = 24;
const PROOF_DIGITS = 16;
const ID_FORM = new RegExp(`^(\\d{10})-([0-9a-f]{${DIGEST_DIGITS}})([0-9a-f]{${PROOF_DIGITS}})$`);
/** `{"sendTime":` and 13 digits: lines that differ in them are not the same. */
const SEND_TIME_END = 25;
const REASON = /^\{"sendTime":\d+,"reason":("(?:[^"\\]|\\.)*")/;
const DAMAGE_CODES: readonly string[] = ['store_corrupt', 'format_too_new'];
/** Far more than any reason has. */
const REASON_HEAD_BYTES = 4_096;
/** A sealed hour is prepared within a minute. */
const READY_SECONDS = 60;

export class RejectedEvents {
  readonly #options: RejectedEventsOptions;

  constructor(options: RejectedEventsOptions) {
    this.#options = options;
  }

  /**
   * Sees to it that an hour can be read.
   * @throws AppError hour_unreadable when it has not ended, is not sealed yet, or is not kept; store_corrupt
   */
  async makeReady(hour: Hour, { nowMs, keptFrom }: { readonly nowMs: number; readonly keptFrom: Hour }): Promise<void> {
    const { reader, store } = this.#options;
    const name = `Hour ${formatBeijingHour(hour)} (Beijing time)`;
    if (hour < keptFrom) throw new AppError('hour_unreadable', `${name} is past retention.`);
    if (hour >= hourOf(nowMs))
      throw new AppError('hour_unreadable', `${name} has not ended; its rejected events can be read when it has.`, {
        retryAfterSeconds: Math.ceil((hourEndMs(hour) - nowMs) / 1000) + READY_SECONDS,
      });
    if (reader.isReady(hour)) return;
    await store.prepare(hour).catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code !== 'hour_open') throw error;
      throw new AppError('hour_unreadable', `${name} has ended and is not closed yet; a running server does that.`, {
        retryAfterSeconds: READY_SECONDS,
      });
    });
  }

  /** Counts a ready hour's rejected events without reading them. @throws AppError store_corrupt */
  count(ai: string, hour: Hour): number {
    const { kinds } = this.#options.reader.counts(hour, ai);
    return kinds.find(({ kind }) => kind === 'rejected')?.rows ?? 0;
  }

  /** Counts a ready hour's rejected events by reason. @throws AppError store_corrupt; the signal's reason when it is aborted */
  async countReasons(ai: string, hour: Hour, signal?: AbortSignal): Promise<RejectedHour> {
    const counts = new Map<string, number>();
    let events = 0;
    for (const batch of this.#options.reader.readSorted(hour, ai, 'rejected')) {
      for (const line of linesOf(batch)) {
        const reason = reasonOf(line);
        const counted = counts.has(reason) || counts.size < MAX_REASONS ? reason : OTHER_REASONS;
        counts.set(counted, (counts.get(counted) ?? 0) + 1);
        events += 1;
      }
      await setImmediate();
      signal?.throwIfAborted();
    }
    const reasons = [...counts].map(([reason, count]) => ({ reason, events: count }));
    return { hour, events, reasons: reasons.sort((a, b) => b.events - a.events) };
  }

  /**
   * Lists the ready hours of a range that have any, from the first on: at most `limit`, and where to go on. Hours whose rows are
   * damaged are left out: asked for by themselves they say so, and one hour's damage hides no other.
   */
  async listHours(
    ai: string,
    { from, until, limit, signal }: ListedRange,
  ): Promise<{ readonly hours: readonly RejectedHour[]; readonly next: Hour | undefined }> {
    const { reader } = this.#options;
    const hours: RejectedHour[] = [];
    for (let hour: Hour = from; hour < until; hour = (hour + 1) as Hour) {
      await setImmediate();
      if (!reader.isReady(hour)) continue;
      try {
        if (this.count(ai, hour) === 0) continue;
        if (hours.length === limit) return { hours, next: hour };
        hours.push(await this.countReasons(ai, hour, signal));
      } catch (error) {
        if (!(error instanceof AppError) || !DAMAGE_CODES.includes(error.code)) throw error;
      }
    }
    return { hours, next: undefined };
  }

  /** Gives a ready hour's records as NDJSON, each with its id first, many lines at a time. @throws AppError store_corrupt */
  *ndjson(ai: string, hour: Hour): Generator<Buffer> {
    const names = new RecordNames(this.#options.key, ai, hour);
    for (const batch of this.#options.reader.readSorted(hour, ai, 'rejected')) {
      const parts: Buffer[] = [];
      for (const line of linesOf(batch)) parts.push(Buffer.from(`{"id":"${names.next(line)}",`), line.subarray(1));
      yield Buffer.concat(parts);
    }
  }

  /** Takes an id apart; undefined when it was not made here for a rejected event of this project. */
  parseId(ai: string, id: string): RejectedId | undefined {
    const [, hourText = '', digest = '', proof = ''] = ID_FORM.exec(id) ?? [];
    const hour = parseBeijingHour(hourText);
    if (hour === undefined || proof !== proofOf(this.#options.key, ai, hour, digest)) return undefined;
    return { hour, digest };
  }
}

type ListedRange = {
  readonly from: Hour;
  readonly until: Hour;
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
};

/** Names the records of one hour, in their order. */
class RecordNames {
  readonly #key: Buffer;
  readonly #ai: string;
  readonly #hour: Hour;
  #sendTime: Buffer = Buffer.alloc(0);
  /** How often each record came, among those of one send time. */
  #seen = new Map<string, number>();

  constructor(key: Buffer, ai: string, hour: Hour) {
    this.#key = key;
    this.#ai = ai;
    this.#hour = hour;
  }

  next(line: Buffer): string {
    const sendTime = line.subarray(0, SEND_TIME_END);
    if (!sendTime.equals(this.#sendTime)) {
      this.#sendTime = Buffer.from(sendTime);
      this.#seen = new Map();
    }
    const first = digestOf(line);
    const count = this.#seen.get(first) ?? 0;
    this.#seen.set(first, count + 1);
    const digest = count === 0 ? first : digestOf(Buffer.from(`${first} ${count}`));
    return `${formatBeijingHour(this.#hour)}-${digest}${proofOf(this.#key, this.#ai, this.#hour, digest)}`;
  }
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, DIGEST_DIGITS);
}

function proofOf(key: Buffer, ai: string, hour: Hour, digest: string): string {
  return createHmac('sha256', key).update(`rejected\0${ai}\0${hour}\0${digest}`).digest('hex').slice(0, PROOF_DIGITS);
}

function* linesOf({ lines, lineEnds }: RowBatch): Generator<Buffer> {
  let start = 0;
  for (const end of lineEnds) {
    yield lines.subarray(start, end);
    start = end;
  }
}

function reasonOf(line: Buffer): string {
  const text = REASON.exec(line.toString('utf8', 0, Math.min(line.length, REASON_HEAD_BYTES)))?.[1];
  return text === undefined ? 'unknown' : (JSON.parse(text) as string);
}
