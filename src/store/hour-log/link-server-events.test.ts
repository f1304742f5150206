/** What linking does beside finding the right page, which test/server-events-model.test.ts is about. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { atEnd } from '../../../test/helpers/at-end.ts';
import { HOUR_START_MS } from '../../../test/helpers/event-rows.ts';
import { FakeClock } from '../../../test/helpers/fake-clock.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import { PATIENCE_MS } from '../../../test/helpers/wait-until.ts';
import { addHours, hourOf, hourStartMs, type Hour } from '../../events/hour.ts';
import { mapEvents } from '../../events/map-events.ts';
import { PageDomains } from '../../events/page-domains.ts';
import { UserAgents } from '../../events/user-agent.ts';
import { NO_RULES } from '../../rules/rule-set.ts';
import { HourLog } from './hour-log.ts';
import { HourLogReader, readReady, type ReadyHour } from './hour-log-reader.ts';
import { hourFolder } from './layout.ts';
import { storeJobsInPlace, type StoreJobs } from './store-jobs.ts';

const FIRST = hourOf(HOUR_START_MS);
const LAST = addHours(FIRST, 2);
const MIB = 1024 * 1024;

type Logs = {
  readonly root: string;
  readonly log: HourLog;
  readonly clock: FakeClock;
  readonly warnings: readonly string[];
  open(changes?: Partial<StoreJobs>): Promise<HourLog>;
  /** The visitor of the one server event of the last hour. */
  visitor(): string;
};

/** Three hours: a page of the login user in the first and one in the second, and a server event of that user in the third. */
async function openLogs(t: TestContext): Promise<Logs> {
  const root = join(await temporaryFolder(t), 'hour-log');
  const clock = new FakeClock(HOUR_START_MS);
  const warnings: string[] = [];
  const open = async (changes: Partial<StoreJobs> = {}): Promise<HourLog> => {
    const jobs = { ...storeJobsInPlace, ...changes };
    const log = await HourLog.open({ root, clock, jobs, onWarning: (message) => warnings.push(message) });
    atEnd(t, () => log.close());
    return log;
  };
  const log = await open();
  const mapper = {
    pageDomains: new PageDomains(),
    userAgents: new UserAgents(),
    onCut: () => undefined,
    rulesOf: () => NO_RULES,
  };
  const send = async (hour: Hour, pathWord: string, element: object): Promise<void> => {
    clock.set(hourStartMs(hour));
    const request = { ai: 'ai', pathWord, elements: [element], oversize: new Map(), ip: null, userAgent: null };
    await log.append(mapEvents(request, mapper));
    await log.seal(hour);
  };
  await send(FIRST, 'web', { t: 'page', u: 'first', s: 's', tm: 1, cs1: 'user' });
  await send(addHours(FIRST, 1), 'web', { t: 'page', u: 'second', s: 's', tm: 1, cs1: 'user' });
  await send(LAST, 's2s', { t: 'cstm', tm: 1, n: 'buy', cs1: 'user' });
  clock.set(hourStartMs(addHours(LAST, 1)));
  await log.seal(addHours(LAST, 1));
  const visitor = (): string => {
    const batches = [...new HourLogReader(root).readSorted(LAST, 'ai', 'custom_event')];
    assert.deepEqual(
      batches.map(({ count }) => count),
      [1],
    );
    return batches[0]!.lines.toString().split(',')[0]!;
  };
  return { root, log, clock, warnings, open, visitor };
}

async function flipByte(root: string, hour: Hour, suffix: string): Promise<void> {
  const folder = hourFolder(root, hour);
  const name = (await readdir(folder)).find((entry) => entry.endsWith(suffix));
  assert.ok(name, `hour ${hour} has a file *${suffix}`);
  const bytes = await readFile(join(folder, name));
  bytes[60]! ^= 0x10;
  await writeFile(join(folder, name), bytes);
}

const linkedRuns = async (root: string): Promise<readonly string[]> =>
  (await readdir(hourFolder(root, LAST))).filter((name) => name.startsWith('linked-'));

describe('linking server events', () => {
  it('takes the last page of the hours before', async (t) => {
    const { log, visitor, warnings } = await openLogs(t);
    await log.prepare(LAST);
    assert.equal(visitor(), 'second');
    assert.deepEqual(warnings, []);
  });

  it('does without a damaged run of an hour before, and says so', async (t) => {
    const { root, log, visitor, warnings } = await openLogs(t);
    await log.prepare(addHours(FIRST, 1));
    await flipByte(root, addHours(FIRST, 1), '.run');
    await log.prepare(LAST);
    assert.equal(visitor(), 'first');
    assert.match(warnings.join(), /^Server events of hour 202611230600 \(UTC\) .* The run 202611230500\/.*is damaged/);
  });

  it('does without an hour before that cannot be prepared, and says so', async (t) => {
    const { root, log, visitor, warnings } = await openLogs(t);
    await flipByte(root, addHours(FIRST, 1), '.seg');
    await log.prepare(LAST);
    assert.equal(visitor(), 'first');
    assert.match(warnings.join(), /^Server events of hour 202611230600 \(UTC\) .* Hour 202611230500 \(UTC\): /);
  });

  it('does without an hour before that is past retention, and has nothing to say', async (t) => {
    const { log, root, visitor, warnings } = await openLogs(t);
    await rm(hourFolder(root, addHours(FIRST, 1)), { recursive: true });
    await log.prepare(LAST);
    assert.equal(visitor(), 'first');
    assert.deepEqual(warnings, []);
  });

  it('leaves nothing behind of the second of two that do it at once, nor of one that died', async (t) => {
    const { root, log, open, visitor } = await openLogs(t);
    await writeFile(join(hourFolder(root, LAST), 'linked-00000000-000001.run'), 'of one that died');
    let first: ReadyHour | undefined;
    const slow = await open({
      linkServerEvents: async (job) => {
        const linked = await storeJobsInPlace.linkServerEvents(job);
        await log.prepare(LAST);
        first = readReady(root, LAST);
        return linked;
      },
    });
    await slow.prepare(LAST);
    const { runs = [] } = first ?? {};
    assert.deepEqual(readReady(root, LAST), first);
    assert.deepEqual(
      await linkedRuns(root),
      runs.filter((name) => name.startsWith('linked-')),
    );
    assert.deepEqual(
      (await readdir(hourFolder(root, LAST))).sort(),
      ['fence', 'ready.json', 'seal.json', ...runs].sort(),
    );
    assert.equal(visitor(), 'second');
  });

  it('is done when another process has done it, also where that one deletes what is unfinished here', async (t) => {
    const { log, open, visitor } = await openLogs(t);
    const slow = await open({
      linkServerEvents: async (job) => {
        const temporary = join(job.folder, `${job.prefix}-events-000001.run.tmp`);
        await writeFile(temporary, 'unfinished');
        await log.prepare(LAST);
        await readFile(temporary);
        return { runs: [], faults: [] };
      },
    });
    await assert.doesNotReject(slow.prepare(LAST));
    assert.equal(visitor(), 'second');
  });

  it('fails with its hour when a run of the hour itself is damaged', async (t) => {
    const { root, open } = await openLogs(t);
    const log = await open({
      linkServerEvents: async (job) => {
        await flipByte(root, LAST, '.run');
        return storeJobsInPlace.linkServerEvents(job);
      },
    });
    await assert.rejects(log.prepare(LAST), { code: 'store_corrupt' });
  });

  it('holds a bounded part of a million login users, and of the many events of one', async (t) => {
    const [users, eventsOfOne] = [1_000_000, 100_000];
    const entry = join(import.meta.dirname, '../../../test/helpers/link-many-entry.ts');
    const folder = await temporaryFolder(t);
    const args = ['--max-old-space-size=64', entry, folder, String(users), String(eventsOfOne)];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: PATIENCE_MS });
    const { right, faults, maxBytes } = JSON.parse(stdout) as { right: number; faults: string[]; maxBytes: number };
    assert.equal(right, users + eventsOfOne);
    assert.deepEqual(faults, []);
    assert.ok(maxBytes < 320 * MIB, `it held ${Math.round(maxBytes / MIB)} MiB`);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });
});
