/**
 * Server events against a model: random pages and server events of six hours, through several collectors that are restarted and
 * make small segments, prepared in any order. The model knows nothing of runs: it looks through a list of all that was sent.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { addHours, HOUR_MS, hourEndMs, hourOf, hourStartMs, type Hour } from '../src/events/hour.ts';
import { pageRequestId } from '../src/events/ids.ts';
import { mapEvents, type Mapper } from '../src/events/map-events.ts';
import { PageDomains } from '../src/events/page-domains.ts';
import { UserAgents } from '../src/events/user-agent.ts';
import { distinctRows } from '../src/exports/distinct-rows.ts';
import { NO_RULES } from '../src/rules/rule-set.ts';
import { HourLog } from '../src/store/hour-log/hour-log.ts';
import { HourLogReader } from '../src/store/hour-log/hour-log-reader.ts';
import { storeJobsInPlace } from '../src/store/hour-log/store-jobs.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { FakeClock } from './helpers/fake-clock.ts';
import { parseCsv } from './helpers/parse-csv.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';

const AI = '0123456789abcdef';
const FIRST = hourOf(HOUR_START_MS);
const HOURS = Array.from({ length: 6 }, (_, place) => addHours(FIRST, place));
const COLLECTORS = 3;
/** The width of a login user's column: those that differ behind it only are others. */
const WIDE = 'w'.repeat(200);
const LOGINS = ['a', 'b', 'a"b', 'a,b', ' a', WIDE, `${WIDE}1`, `${WIDE}2`, `${'w'.repeat(199)}🍎`];
const VISITORS = ['v-1', 'v-2', 'v",3', `${'x'.repeat(64)}1`, `${'x'.repeat(64)}2`];

type Page = {
  readonly u: string;
  readonly s: string | undefined;
  readonly tm: number;
  readonly cs1: string | undefined;
};
type ServerEvent = { readonly cs1: string; readonly n: string; readonly tm: number };
type Step = {
  /** How long after the step before. */
  readonly afterMs: number;
  readonly collector: number;
  readonly pages: readonly Page[];
  readonly events: readonly ServerEvent[];
  /** The collector is opened again before this step, without having been closed. */
  readonly isRestart: boolean;
};
type History = { readonly steps: readonly Step[]; readonly order: readonly Hour[]; readonly segmentBytes: number };

const page = fc.record({
  u: fc.constantFrom(...VISITORS),
  s: fc.constantFrom('s-1', 's-2', undefined),
  tm: fc.integer({ min: 1, max: 3 }),
  cs1: fc.constantFrom(...LOGINS, undefined),
});
// Few names and times: many events are copies of an earlier one.
const event = fc.record({
  cs1: fc.constantFrom(...LOGINS),
  n: fc.constantFrom('buy', 'pay', 'ship'),
  tm: fc.integer({ min: 1, max: 2 }),
});
const step = fc.record({
  afterMs: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(0, 1, 1000) },
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 6 * 60_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: HOUR_MS }) },
  ),
  collector: fc.nat(COLLECTORS - 1),
  pages: fc.array(page, { maxLength: 4 }),
  events: fc.array(event, { maxLength: 4 }),
  isRestart: fc.boolean(),
});
const history: fc.Arbitrary<History> = fc.record({
  steps: fc.array(step, { minLength: 20, maxLength: 90 }),
  order: fc.shuffledSubarray([...HOURS], { minLength: HOURS.length }),
  segmentBytes: fc.constantFrom(1, 4000, 64 * 1024 * 1024),
});

type Sent<Event> = Event & { readonly sendTimeMs: number };
type Row = readonly [
  loginUserId: string,
  eventName: string,
  time: string,
  visitor: string | null,
  session: string | null,
];

/** The rows of an hour, by looking through all that was sent. */
function expectedRows(hour: Hour, pages: readonly Sent<Page>[], events: readonly Sent<ServerEvent>[]): readonly Row[] {
  const rows = new Map<string, Row>();
  const isSame = (a: ServerEvent, b: ServerEvent): boolean => a.cs1 === b.cs1 && a.n === b.n && a.tm === b.tm;
  for (const sent of events.filter(({ sendTimeMs }) => hourOf(sendTimeMs) === hour)) {
    const name = JSON.stringify([sent.cs1, sent.n, sent.tm]);
    const isResend = events.some(
      (other) =>
        isSame(other, sent) &&
        other.sendTimeMs < hourStartMs(hour) &&
        other.sendTimeMs >= hourStartMs(hour) - 10 * 60_000,
    );
    if (isResend || rows.has(name)) continue;
    let last: Sent<Page> | undefined;
    const orderOf = ({ u, s = '', tm }: Page): string => pageRequestId(AI, u, s, tm).slice(13);
    for (const candidate of pages) {
      const { cs1, sendTimeMs } = candidate;
      if (cs1 !== sent.cs1 || sendTimeMs > sent.sendTimeMs || sendTimeMs < sent.sendTimeMs - 4 * HOUR_MS) continue;
      const isLater =
        !last ||
        sendTimeMs > last.sendTimeMs ||
        (sendTimeMs === last.sendTimeMs &&
          (candidate.tm > last.tm || (candidate.tm === last.tm && orderOf(candidate) > orderOf(last))));
      if (isLater) last = candidate;
    }
    const cut = Array.from(sent.cs1).slice(0, 200).join('');
    rows.set(name, [cut, sent.n, String(sent.tm), last?.u.slice(0, 64) ?? null, last?.s ?? null]);
  }
  return [...rows.values()];
}

const mapper: Mapper = {
  pageDomains: new PageDomains(),
  userAgents: new UserAgents(),
  onCut: () => undefined,
  rulesOf: () => NO_RULES,
};

/** Sends all, seals, prepares the hours in the order of the history, and compares. */
async function check(context: TestContext, { steps, order, segmentBytes }: History): Promise<void> {
  const root = join(await temporaryFolder(context), 'hour-log');
  const clock = new FakeClock(hourStartMs(FIRST));
  const opened: HourLog[] = [];
  const open = async (): Promise<HourLog> => {
    const log = await HourLog.open({ root, clock, jobs: storeJobsInPlace, segmentBytes, syncs: false });
    opened.push(log);
    return log;
  };
  const logs = await Promise.all(Array.from({ length: COLLECTORS }, open));
  const pages: Sent<Page>[] = [];
  const events: Sent<ServerEvent>[] = [];
  const store = async (log: HourLog, pathWord: string, elements: readonly object[]): Promise<number> => {
    const batch = mapEvents({ ai: AI, pathWord, elements, oversize: new Map(), ip: null, userAgent: null }, mapper);
    assert.deepEqual(batch.rejections, []);
    return (await log.append(batch)).sendTimeMs;
  };
  for (const { afterMs, collector, isRestart, ...sent } of steps) {
    clock.set(Math.min(clock.nowMs() + afterMs, hourEndMs(HOURS.at(-1)!) - 1));
    if (isRestart) logs[collector] = await open();
    const log = logs[collector]!;
    const elements = sent.pages.map((one) => ({ ...one, t: 'page', d: 'shop' }));
    const pagesAt = elements.length > 0 ? await store(log, 'web', elements) : 0;
    pages.push(...sent.pages.map((one) => ({ ...one, sendTimeMs: pagesAt })));
    for (const one of sent.events)
      events.push({ ...one, sendTimeMs: await store(log, 's2s', [{ ...one, t: 'cstm' }]) });
  }
  clock.set(hourEndMs(HOURS.at(-1)!));
  await logs[0]!.seal(addHours(HOURS.at(-1)!, 1));
  const reader = new HourLogReader(root);
  for (const [place, hour] of order.entries()) await logs[place % COLLECTORS]!.prepare(hour);
  for (const hour of HOURS) {
    const lines: string[] = [];
    let made = 0;
    for (const { batch, from, until } of distinctRows(reader.readSorted(hour, AI, 'custom_event'), 'first')) {
      made += until - from;
      lines.push(batch.lines.toString('utf8', batch.lineEnds[from - 1] ?? 0, batch.lineEnds[until - 1]));
    }
    const rows = parseCsv(lines.join(''));
    const found = rows.map((row): Row => [row[11]!, row[8]!, row[2]!, row[0] ?? null, row[1] ?? null]);
    assert.equal(made, rows.length);
    const sorted = (list: readonly Row[]): readonly string[] => list.map((row) => JSON.stringify(row)).sort();
    assert.deepEqual(sorted(found), sorted(expectedRows(hour, pages, events)));
    const keys = rows.map((row) => [row[0] ?? '', row[1] ?? '', row[2]].map((field) => `${field}\0`).join(''));
    const short = keys.filter((key) => !key.startsWith('x')); // those that are cut are ordered by what was cut
    assert.deepEqual(
      short,
      short.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    const { rows: stored } = reader.counts(hour, AI).kinds.find(({ kind }) => kind === 'custom_event') ?? { rows: 0 };
    assert.equal(stored, events.filter(({ sendTimeMs }) => hourOf(sendTimeMs) === hour).length);
  }
  for (const log of opened) await log.close();
}

test('server events have visitor and session of the last page of their login user, as a list of all that was sent says', async (t) => {
  await fc.assert(
    fc.asyncProperty(history, (drawn) => check(t, drawn)),
    { numRuns: 60 },
  );
});
