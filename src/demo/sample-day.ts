/**
 * A day of sample traffic for the demo project, in the form that `tidegate import` reads.
 *
 * Some thousand visits over the hours of a Beijing day, as a shop has them, sent in batches as the SDKs send them. The same day
 * and seed give the same bytes. Nothing is sent after the day's end. Memory: the whole day, some 20 MB.
 */
import { HOUR_MS, hourStartMs, type HourRange } from '../events/hour.ts';
import { drawDevice } from './devices.ts';
import { Random } from './random.ts';
import { writeShopVisit, type TimedEvent, type Visitor } from './shop-visit.ts';

export type SampleDayOptions = {
  /** The 24 hours of a Beijing day. */
  readonly day: HourRange;
  /** Default: 3,000, which make some 40,000 events. */
  readonly visits?: number;
  /** Default: the day itself. */
  readonly seed?: number;
};

/** Visits begun in each hour of the day, in parts of the whole. */
const HOUR_WEIGHTS = [12, 7, 4, 3, 3, 5, 12, 24, 34, 40, 44, 46, 52, 48, 43, 43, 45, 47, 52, 62, 74, 76, 62, 34].map(
  (weight, hourOfDay) => ({ weight, hourOfDay }),
);
const DEFAULT_VISITS = 3_000;
const SESSION_PAUSE_MS = HOUR_MS / 2;
const MAX_NETWORK_MS = 400;
const SERVER_FLUSH_MS = 100;
const SHOP_SERVER = { platform: 's2s', ip: '192.0.2.10', userAgent: 'Apache-HttpClient/4.5.14 (Java/17.0.9)' };

type Batch = { readonly sendTimeMs: number; readonly lines: readonly string[] };
type Customer = { readonly visitor: Visitor; lastSeenMs: number };

/** Makes the day's events: one a line, without line ends, in order of send time. */
export function makeSampleDay({ day, visits = DEFAULT_VISITS, seed = day.from }: SampleDayOptions): readonly string[] {
  const random = new Random(seed);
  const endMs = hourStartMs(day.until);
  const customers: Customer[] = [];
  const batches: Batch[] = [];
  for (const startMs of drawStarts(random, hourStartMs(day.from), visits)) {
    const visitor = drawVisitor(random, customers, startMs);
    const { clientEvents, serverEvents } = writeShopVisit(visitor, startMs, random);
    const { pathWord, userAgent, ip, flushMs } = visitor.device;
    batches.push(...sendTogether(random, clientEvents, flushMs, { platform: pathWord, ip, userAgent }));
    batches.push(...sendTogether(random, serverEvents, SERVER_FLUSH_MS, SHOP_SERVER));
  }
  const sent = batches.filter(({ sendTimeMs }) => sendTimeMs < endMs).sort((a, b) => a.sendTimeMs - b.sendTimeMs);
  return sent.flatMap(({ lines }) => lines);
}

/** Draws the instants at which visits begin, in order. */
function drawStarts(random: Random, dayStartMs: number, visits: number): readonly number[] {
  const draw = (): number =>
    dayStartMs + random.pickWeighted(HOUR_WEIGHTS).hourOfDay * HOUR_MS + random.integer(0, HOUR_MS);
  return Array.from({ length: visits }, draw).sort((a, b) => a - b);
}

/** Draws who comes: someone who was here earlier today, or someone new. */
function drawVisitor(random: Random, customers: Customer[], startMs: number): Visitor {
  const returning = random.chance(0.3) && customers.length > 0 ? random.pick(customers) : undefined;
  if (returning && startMs - returning.lastSeenMs > 2 * SESSION_PAUSE_MS) {
    returning.lastSeenMs = startMs;
    return { ...returning.visitor, isNew: false };
  }
  const visitor: Visitor = {
    id: random.uuid(),
    device: drawDevice(random),
    loginUser: random.chance(0.35) ? `user-${random.integer(10_000, 99_999)}` : null,
    clockSkewMs: random.chance(0.02) ? -8 * HOUR_MS : random.integer(-3_000, 3_000),
    isNew: random.chance(0.08),
  };
  customers.push({ visitor, lastSeenMs: startMs });
  return visitor;
}

/** Packs events into batches: a batch leaves some time after its first event. */
function sendTogether(
  random: Random,
  events: readonly TimedEvent[],
  flushMs: number,
  facts: { readonly platform: string; readonly ip: string; readonly userAgent: string },
): readonly Batch[] {
  const batches: Batch[] = [];
  let waiting: TimedEvent[] = [];
  const send = (): void => {
    const first = waiting[0];
    if (!first) return;
    const sendTime = first.atMs + flushMs + random.integer(20, MAX_NETWORK_MS);
    batches.push({
      sendTimeMs: sendTime,
      lines: waiting.map(({ event }) => JSON.stringify({ sendTime, ...facts, ...event })),
    });
    waiting = [];
  };
  for (const event of events) {
    if (waiting[0] && event.atMs - waiting[0].atMs > flushMs) send();
    waiting.push(event);
  }
  send();
  return batches;
}
