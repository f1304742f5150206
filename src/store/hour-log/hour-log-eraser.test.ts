import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ROW_FLAGS } from '../../events/event-row.ts';
import { addHours, hourOf, HOUR_MS, type Hour } from '../../events/hour.ts';
import { mapEvents, type Mapper } from '../../events/map-events.ts';
import { PageDomains } from '../../events/page-domains.ts';
import { visitorKeyOf } from '../../events/visitor-key.ts';
import { UserAgents } from '../../events/user-agent.ts';
import { waitFor } from '../../lib/clock.ts';
import { NO_RULES } from '../../rules/rule-set.ts';
import { atEnd } from '../../../test/helpers/at-end.ts';
import { eventBatch, eventRow, HOUR_START_MS } from '../../../test/helpers/event-rows.ts';
import { filesWith } from '../../../test/helpers/erase-visitors.ts';
import { FakeClock } from '../../../test/helpers/fake-clock.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import { eraseJobsInPlace, HourLogEraser } from './hour-log-eraser.ts';
import { HourLogReader } from './hour-log-reader.ts';
import { HourLog } from './hour-log.ts';
import { ImportWriter } from './import-writer.ts';
import { hourFolder } from './layout.ts';
import { storeJobsInPlace, type StoreJobs } from './store-jobs.ts';

const AI = '0123456789abcdef';
const HOUR = hourOf(HOUR_START_MS);
const UNTIL_MS = HOUR_START_MS + 2 * HOUR_MS;

type Log = {
  readonly root: string;
  readonly clock: FakeClock;
  readonly store: HourLog;
  readonly reader: HourLogReader;
  readonly eraser: HourLogEraser;
};

async function openLog(t: TestContext, jobs: StoreJobs = storeJobsInPlace): Promise<Log> {
  const root = join(await temporaryFolder(t), 'hour-log');
  const clock = new FakeClock(HOUR_START_MS + 5);
  const store = await HourLog.open({ root, clock, jobs });
  atEnd(t, () => store.close());
  return {
    root,
    clock,
    store,
    reader: new HourLogReader(root),
    eraser: new HourLogEraser({ root, jobs: eraseJobsInPlace }),
  };
}

/** Stores wire events as the collector does. */
async function collect({ store }: Log, elements: readonly unknown[], pathWord = 'web'): Promise<void> {
  const mapper: Mapper = {
    pageDomains: new PageDomains(),
    userAgents: new UserAgents(),
    onCut: () => undefined,
    rulesOf: () => NO_RULES,
  };
  const oversize = new Map<number, { bytes: number; head: string }>();
  for (const [place, element] of elements.entries())
    if (typeof element === 'object' && element !== null && 'head' in element)
      oversize.set(place, { bytes: 2_000_000, head: String(element.head) });
  await store.append(mapEvents({ ai: AI, pathWord, elements, oversize, ip: null, userAgent: null }, mapper));
}

/** Ends the hour and makes it ready. */
async function endHour({ store, clock }: Log): Promise<void> {
  clock.set(HOUR_START_MS + HOUR_MS);
  await store.seal(addHours(HOUR, 1));
  await store.prepare(HOUR);
}

/** Erases visitors from the hour; gives how many records of each kind went. */
async function erase(
  { eraser }: Log,
  visitors: readonly string[],
  untilMs = UNTIL_MS,
): Promise<Readonly<Record<string, number>>> {
  const erased = visitors.map((visitor) => ({ visitor, untilMs, erasure: 0 }));
  const found = await eraser.find(HOUR, AI, erased);
  await eraser.erase(HOUR, AI, erased, found);
  return Object.fromEntries(found.counts.map(({ kind, rows }) => [kind, rows]));
}

function linesOf({ reader }: Log, kind: Parameters<HourLogReader['readSorted']>[2], ai = AI): string[] {
  return [...reader.readSorted(HOUR, ai, kind)].flatMap(({ lines }) => lines.toString().split('\n').slice(0, -1));
}

/** Ends an hour in which each visitor sent one event. */
async function fillHour(log: Awaited<ReturnType<typeof openLog>>, visitors: readonly string[]): Promise<void> {
  await log.store.append(
    eventBatch(
      AI,
      visitors.map((id) => ({ id, visitor: id })),
    ),
  );
  await endHour(log);
}

describe('HourLogEraser', () => {
  it('takes the rows of one visitor, and no others: not those of an id that begins with his, nor of another project', async (t) => {
    const log = await openLog(t);
    const ids = ['u', 'u-1', 'u-10', 'a,b', 'a', 'x"y\\z', 'é😀'];
    await log.store.append(
      eventBatch(
        AI,
        ids.map((visitor) => ({ id: visitor, visitor })),
      ),
    );
    await log.store.append(eventBatch('other', [{ id: 'o', visitor: 'u-1' }]));
    await endHour(log);
    assert.deepEqual(await erase(log, ['u-1', 'a,b', 'é😀', 'nobody']), { evar: 3 });
    assert.deepEqual(
      linesOf(log, 'evar').map((line) => line.split(',').at(-1)),
      ['a', 'u', 'u-10', 'x"y\\z'],
    );
    assert.equal(linesOf(log, 'evar', 'other').length, 1);
    assert.deepEqual(log.reader.counts(HOUR, AI).erased, [{ ai: AI, line: 'evar', events: 3, rows: 3 }]);
    assert.equal(log.reader.counts(HOUR, 'other').erased, undefined);
  });

  it('takes rows up to an instant, and leaves those that came later', async (t) => {
    const log = await openLog(t);
    await log.store.append(eventBatch(AI, [{ id: 'before' }]));
    log.clock.set(HOUR_START_MS + 1_000);
    await log.store.append(eventBatch(AI, [{ id: 'after' }]));
    await endHour(log);
    assert.deepEqual(await erase(log, ['u-1'], HOUR_START_MS + 999), { evar: 1 });
    assert.deepEqual(linesOf(log, 'evar'), [`u-1,s-1,1,${HOUR_START_MS + 1_000},after`]);
  });

  it('takes a long id by the whole of it, and by what an export shows of it', async (t) => {
    const log = await openLog(t);
    const shown = 'v'.repeat(64);
    const page = { t: 'evar', s: 's', d: 'd', tm: 1, var: { a: 'b' } };
    await collect(log, [
      { ...page, u: `${shown}-1` },
      { ...page, u: `${shown}-2` },
      { ...page, u: 'v'.repeat(63) },
    ]);
    await endHour(log);
    assert.deepEqual(await erase(log, [`${shown}-1`]), { evar: 1 });
    assert.equal(linesOf(log, 'evar').length, 2);
    assert.deepEqual(await erase(log, [shown]), { evar: 1 });
    assert.equal(linesOf(log, 'evar').length, 1);
  });

  it('takes what was rejected of a visitor, and nothing that was rejected of others', async (t) => {
    const log = await openLog(t);
    const id = 'gone "7"';
    const rejected: readonly (readonly [event: unknown, isTaken: boolean])[] = [
      [{ t: 'cstm', u: id }, true],
      [{ t: 'cstm', u: 'else', var: { friend: id } }, false],
      [['in an array', { deep: [id] }], true],
      [id, true],
      [`${id}!`, false],
      [{ t: 'page', u: null, d: id }, true],
      [{ t: 'page', d: `${id}!` }, false],
      [{ head: `{"t":"page", "u" : ${JSON.stringify(id)}, "d":"x` }, true],
      [{ head: `{"t":"page","u":"gone \\u00227\\u0022","d":"x` }, true],
      [{ head: `{"t":"page","u":"else","d":${JSON.stringify(id)},"x` }, false],
      [{ head: `{"t":"page","d":${JSON.stringify(id)},"x` }, true],
      [{ head: `{"t":"page","d":"${'x'.repeat(100)}` }, false],
    ];
    await collect(
      log,
      rejected.map(([event]) => event),
    );
    await endHour(log);
    const taken = rejected.filter(([, isTaken]) => isTaken).length;
    assert.equal(linesOf(log, 'rejected').length, rejected.length);
    assert.deepEqual(await erase(log, [id]), { rejected: taken });
    assert.equal(linesOf(log, 'rejected').length, rejected.length - taken);
    const sums = log.reader
      .counts(HOUR, AI)
      .erased?.reduce((sum, { events, rows }) => [sum[0]! + events, sum[1]! + rows], [0, 0]);
    assert.deepEqual(sums, [taken, 0]);
  });

  it('takes rows that show no visitor by the one that is kept beside them, as tags are', async (t) => {
    const log = await openLog(t);
    const long = 'w'.repeat(70);
    const rows = ['gone', 'else', visitorKeyOf(long)].map((u) => ({
      ...eventRow({ kind: 'action_tag', visitor: '', session: '', id: u }),
      flags: 0,
      extras: { u },
    }));
    const receipts = [{ line: 'action_tag', received: 0, ignored: 0, rows: 3 }] as const;
    await log.store.append({ ai: AI, rows, receipts, rejections: [] });
    await endHour(log);
    assert.deepEqual(await erase(log, ['gone', long]), { action_tag: 2 });
    assert.deepEqual(log.reader.counts(HOUR, AI).erased, [{ ai: AI, line: 'action_tag', events: 0, rows: 2 }]);
  });

  it('tells by what the devices of erased activations may be remembered', async (t) => {
    const log = await openLog(t);
    const device = { imei: '860000', adrid: 'an"d,1', oaid: 'o-1', ui: 'f-1', iv: 'v-1' };
    await collect(log, [
      { t: 'activate', tm: 1, u: 'gone', ...device },
      { t: 'activate', tm: 1, u: 'else', imei: '870000' },
    ]);
    await endHour(log);
    const visitors = [{ visitor: 'gone', untilMs: UNTIL_MS, erasure: 0 }];
    const { activations } = await log.eraser.find(HOUR, AI, visitors);
    const ids = { visitor: 'gone', idfa: 'f-1', idfv: 'v-1', imei: '860000', androidId: 'an"d,1', oaid: 'o-1' };
    assert.deepEqual(activations, [ids]);
  });

  it('takes numbers that SDKs sent for ids', async (t) => {
    const log = await openLog(t);
    await collect(log, [
      { t: 'cstm', u: 42 },
      { t: 'cstm', u: 421 },
      { t: 'evar', tm: 1, u: 42, s: 's', var: { a: 'b' } },
    ]);
    await endHour(log);
    assert.deepEqual(await erase(log, ['42']), { rejected: 1, evar: 1 });
  });

  it('leaves no byte behind: of tails, of incomplete records, of imports, of what a crash has left', async (t) => {
    const log = await openLog(t);
    const { root, clock } = log;
    clock.set(HOUR_START_MS + HOUR_MS - 1_000); // within the last ten minutes
    const id = 'gone-7f3a';
    await collect(log, [
      { t: 'cstm', tm: 2, ptm: 1, u: id, s: 's', n: 'without its page' },
      { t: 'cstm', tm: 2, ptm: 1, u: 'else', s: 's', n: 'without its page' },
    ]);
    await endHour(log);
    const writer = await ImportWriter.begin({ root, ai: AI, jobs: storeJobsInPlace });
    await writer.append(
      eventBatch(AI, [
        { id: 'i', visitor: id },
        { id: 'j', visitor: 'else' },
      ]),
      HOUR_START_MS,
    );
    await writer.append(eventBatch(AI, [{ id: 'k', visitor: id }]), HOUR_START_MS - HOUR_MS);
    await writer.commit();
    for (const name of ['0123456789-000001.seg', '0123456789-000001-e1.run', 'x.run.0a0b.tmp'])
      await writeFile(join(hourFolder(root, HOUR), name), id);
    assert.ok(await log.eraser.holdsUncounted(HOUR));
    assert.deepEqual(await erase(log, [id]), { custom_event: 1, evar: 1 });
    assert.equal(await log.eraser.holdsUncounted(HOUR), false);
    assert.deepEqual(await filesWith(hourFolder(root, HOUR), id), []);
    const left = await filesWith(root, id);
    assert.deepEqual(
      left.map((path) => path.includes('202611230300')),
      [true],
      'of the import, the hour before',
    );
    assert.equal(linesOf(log, 'custom_event').length, 1);
    assert.equal(linesOf(log, 'evar').length, 1);
  });

  it('gives a reader that began before the rows of before, and one that begins after the others', async (t) => {
    const log = await openLog(t);
    await log.store.append(eventBatch(AI, [{ id: 'a' }, { id: 'b', visitor: 'else' }]));
    await endHour(log);
    const reading = log.reader.readSorted(HOUR, AI, 'evar');
    const first = reading.next(); // it has opened its files
    await erase(log, ['u-1']);
    assert.equal((first.value as { count: number }).count, 2);
    assert.equal(reading.next().done, true);
    assert.equal(linesOf(log, 'evar').length, 1);
  });

  it('sends a reader whose files have just gone to the runs in their place', async (t) => {
    const log = await openLog(t);
    log.clock.set(HOUR_START_MS + HOUR_MS - 1_000); // so that the next hour needs its tail
    await log.store.append(eventBatch(AI, [{ id: 'a' }, { id: 'b', visitor: 'else' }]));
    await endHour(log);
    await log.store.append(eventBatch(AI, [{ id: 'b', visitor: 'else' }]));
    await log.store.seal(addHours(HOUR, 2));
    await log.store.prepare(addHours(HOUR, 1));
    const gone = log.reader.runPaths(HOUR);
    await erase(log, ['u-1']);
    class LateReader extends HourLogReader {
      readonly #stale = new Set([HOUR]);
      override runPaths(hour: Hour): readonly string[] {
        return this.#stale.delete(hour) ? gone : super.runPaths(hour);
      }
    }
    const late = (): HourLogReader => new LateReader(log.root, (fault) => assert.fail(fault));
    assert.equal(late().counts(HOUR, AI).kinds[0]?.rows, 1);
    assert.deepEqual(
      [...late().readSorted(HOUR, AI, 'evar')].map(({ count }) => count),
      [1],
    );
    const next = [...late().readSorted(addHours(HOUR, 1), AI, 'evar')];
    assert.deepEqual(
      next.map(({ flags }) => [...flags]),
      [[ROW_FLAGS.published, ROW_FLAGS.firstOfEvent]],
    );
  });

  it('looks anew through runs that another process replaces while they are looked through', async (t) => {
    const log = await openLog(t);
    await fillHour(log, ['a', 'b', 'c']);
    let looks = 0;
    const eraser = new HourLogEraser({
      root: log.root,
      jobs: {
        ...eraseJobsInPlace,
        findVisitors: async (job) => {
          looks += 1;
          if (looks === 1) await erase(log, ['a']);
          return eraseJobsInPlace.findVisitors(job);
        },
      },
    });
    assert.deepEqual(await erase({ ...log, eraser }, ['a', 'b']), { evar: 1 });
    assert.equal(looks, 2);
    assert.deepEqual(
      linesOf(log, 'evar').map((line) => line.split(',').at(-1)),
      ['c'],
    );
  });

  it('has the hour be read from something else, from when on something was erased', async (t) => {
    const log = await openLog(t);
    await log.store.append(eventBatch(AI, [{ id: 'a' }, { id: 'b', visitor: 'else' }]));
    await endHour(log);
    await log.store.seal(addHours(HOUR, 2));
    await log.store.prepare(addHours(HOUR, 1));
    const sources = (): string[] => [HOUR, addHours(HOUR, 1)].map((hour) => log.reader.sourceOf(hour));
    const before = sources();
    await erase(log, ['nobody']);
    assert.deepEqual(sources(), before);
    await erase(log, ['u-1']);
    const after = sources();
    assert.notEqual(after[0], before[0]);
    assert.notEqual(after[1], before[1], 'the hour behind reads the tail of this one');
  });

  it('fails when a run is missing that no other is in the place of', async (t) => {
    const log = await openLog(t);
    await log.store.append(eventBatch(AI, [{ id: 'a' }]));
    await endHour(log);
    for (const path of log.reader.runPaths(HOUR)) await rm(path);
    await assert.rejects(erase(log, ['u-1']), { code: 'store_corrupt' });
  });

  it('may erase again and again, and counts on', async (t) => {
    const log = await openLog(t);
    await fillHour(log, ['a', 'b', 'c']);
    await erase(log, ['a']);
    await erase(log, ['b']);
    assert.deepEqual(await erase(log, ['a', 'b']), {});
    assert.deepEqual(log.reader.counts(HOUR, AI).erased, [{ ai: AI, line: 'evar', events: 2, rows: 2 }]);
    const names = await readdir(hourFolder(log.root, HOUR));
    assert.deepEqual(
      names.filter((name) => name.endsWith('.run')).map((name) => name.slice(-7)),
      ['-e2.run'],
    );
  });

  it('knows what an open hour may hold', async (t) => {
    const log = await openLog(t);
    await log.store.append(eventBatch(AI, [{ id: 'a', visitor: 'here' }]));
    await log.store.append(eventBatch('other', [{ id: 'b', visitor: 'there' }]));
    const held = (visitor: string, untilMs = UNTIL_MS) =>
      log.eraser.mayHold(HOUR, AI, [{ visitor, untilMs, erasure: 0 }]);
    assert.deepEqual([await held('here'), await held('there'), await held('her')], [true, false, false]);
    assert.equal(await held('here', HOUR_START_MS), false);
    await endHour(log);
    assert.equal(await held('here'), true, 'in the run that the segment has become');
  });

  it('takes no visitor from the server events of the next hour, whose visits are being looked up', async (t) => {
    let tries = 0;
    const log = await openLog(t, {
      ...storeJobsInPlace,
      linkServerEvents: async (job) => {
        tries += 1;
        if (tries === 1) await erase(log, ['u-1']);
        return storeJobsInPlace.linkServerEvents(job);
      },
    });
    const page = { t: 'page', s: 's', d: 'd', p: '/', tm: 1 };
    await collect(log, [
      { ...page, u: 'u-1', cs1: 'login-1' },
      { ...page, u: 'u-2', cs1: 'login-2' },
    ]);
    await endHour(log);
    const paid = { t: 'cstm', n: 'paid', tm: 2 };
    await collect(
      log,
      [
        { ...paid, cs1: 'login-1' },
        { ...paid, cs1: 'login-2' },
      ],
      's2s',
    );
    const next = addHours(HOUR, 1);
    log.clock.set(HOUR_START_MS + 2 * HOUR_MS);
    await log.store.seal(addHours(HOUR, 2));
    await log.store.prepare(next);
    const lines = [...log.reader.readSorted(next, AI, 'custom_event')].map((batch) => batch.lines.toString()).join('');
    assert.equal(tries, 2);
    assert.deepEqual(
      lines
        .trimEnd()
        .split('\n')
        .map((line) => line.split(',')[0]),
      ['', 'u-2'],
    );
  });

  it('lets one process after the other rewrite hours', async (t) => {
    const { eraser } = await openLog(t);
    const order: string[] = [];
    const first = await eraser.lock();
    const second = eraser.lock().then(async (lock) => {
      order.push('second');
      await lock[Symbol.asyncDispose]();
    });
    await waitFor(120); // longer than the second looks again
    order.push('first');
    await first[Symbol.asyncDispose]();
    await second;
    assert.deepEqual(order, ['first', 'second']);
  });

  it('refuses a damaged run, and leaves it as it is', async (t) => {
    const log = await openLog(t);
    await log.store.append(eventBatch(AI, [{ id: 'a' }]));
    await endHour(log);
    const [path] = log.reader.runPaths(HOUR);
    const bytes = await readFile(path!);
    bytes[40]! ^= 0xff;
    await writeFile(path!, bytes);
    await assert.rejects(erase(log, ['u-1']), { code: 'store_corrupt' });
    assert.ok((await readFile(path!)).equals(bytes));
  });
});
