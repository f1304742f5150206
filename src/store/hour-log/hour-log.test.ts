import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hourStoreSuite, readLines } from '../../../test/conformance/hour-store-suite.ts';
import { atEnd } from '../../../test/helpers/at-end.ts';
import { eventBatch, HOUR_START_MS } from '../../../test/helpers/event-rows.ts';
import { FakeClock } from '../../../test/helpers/fake-clock.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import { addHours, HOUR_MS, hourOf } from '../../events/hour.ts';
import { untilAborted } from '../../lib/until-aborted.ts';
import { HourLog } from './hour-log.ts';
import { HourLogReader } from './hour-log-reader.ts';
import { SegmentSorts } from './segment-sorts.ts';
import { sortSegment } from './sort-segment.ts';
import { storeJobsInPlace, type StoreJobs } from './store-jobs.ts';

const HOUR = hourOf(HOUR_START_MS);

hourStoreSuite('HourLog', {
  folder: temporaryFolder,
  open: async ({ folder, clock, segmentBytes }) => {
    const root = join(folder, 'hour-log');
    const store = await HourLog.open({
      root,
      clock,
      jobs: storeJobsInPlace,
      ...(segmentBytes ? { segmentBytes } : {}),
    });
    return { store, reader: new HourLogReader(root) };
  },
});

describe('HourLog with damaged files', () => {
  async function openWithFrames(
    t: TestContext,
  ): Promise<{ root: string; store: HourLog; reader: HourLogReader; segment: string; clock: FakeClock }> {
    const root = join(await temporaryFolder(t), 'hour-log');
    const clock = new FakeClock(HOUR_START_MS);
    const store = await HourLog.open({ root, clock, jobs: storeJobsInPlace });
    for (const id of ['a', 'b', 'c']) await store.append(eventBatch('ai', [{ id }]));
    const folder = join(root, 'hours', '202611230400');
    const segment = join(
      folder,
      (await readdir(folder)).find((name) => name.endsWith('.seg'))!,
    );
    return { root, store, reader: new HourLogReader(root), segment, clock };
  }

  async function flipByte(path: string, at: number): Promise<void> {
    const bytes = await readFile(path);
    bytes[at]! ^= 0x10;
    await writeFile(path, bytes);
  }

  it('fails the hour of a bit-flipped acknowledged frame, goes on with the next, and takes the mended file', async (t) => {
    const { store, reader, segment } = await openWithFrames(t);
    await flipByte(segment, 100);
    await store.seal(addHours(HOUR, 2));
    await assert.rejects(store.prepare(HOUR), { code: 'store_corrupt', message: /damaged at byte 16/ });
    await store.prepare(addHours(HOUR, 1));
    await flipByte(segment, 100);
    await store.prepare(HOUR);
    assert.equal(readLines(reader, HOUR, 'ai').length, 3);
    await store.close();
  });

  it('fails the hour of a segment whose header names another hour, by which the keys for the next were chosen', async (t) => {
    const { store, segment } = await openWithFrames(t);
    await flipByte(segment, 8);
    await store.seal(addHours(HOUR, 1));
    await assert.rejects(store.prepare(HOUR), { code: 'store_corrupt', message: /damaged at byte 8: its hour/ });
    await store.close();
  });

  it('cuts a torn tail, which was never acknowledged', async (t) => {
    const { store, reader, segment } = await openWithFrames(t);
    await truncate(segment, (await stat(segment)).size - 1);
    await store.seal(addHours(HOUR, 1));
    await store.prepare(HOUR);
    assert.deepEqual(readLines(reader, HOUR, 'ai').length, 2);
    await store.close();
  });

  for (const when of ['before it was sorted', 'afterwards']) {
    it(`fails an hour whose sealed segment is gone, ${when}, and lets the next one go on without its tail`, async (t) => {
      const { root, store, reader, segment, clock } = await openWithFrames(t);
      clock.set(HOUR_START_MS + HOUR_MS);
      await store.append(eventBatch('ai', [{ id: 'd' }]));
      await store.seal(addHours(HOUR, 2));
      if (when === 'afterwards') {
        await store.prepare(HOUR);
        await rm(segment.replace('.seg', '.run'));
        assert.throws(() => readLines(reader, HOUR, 'ai'), { code: 'store_corrupt' });
      } else {
        await rm(segment);
        await assert.rejects(store.prepare(HOUR), { code: 'store_corrupt' });
      }
      await store.prepare(addHours(HOUR, 1));
      const faults: string[] = [];
      const telling = new HourLogReader(root, (message) => faults.push(message));
      assert.equal(readLines(telling, addHours(HOUR, 1), 'ai').length, 1);
      assert.equal(faults.length, 1);
      await store.close();
    });
  }

  for (const [what, damage] of [
    ['damaged', (seal: string) => writeFile(seal, '{"version":1,"sdgments":[]}\n')],
    ['gone', (seal: string) => rm(seal)],
  ] as const) {
    it(`fails an hour whose seal is of no use, being ${what}, deletes nothing of it, and goes on with the others`, async (t) => {
      const { root, store, reader, segment, clock } = await openWithFrames(t);
      await store.seal(addHours(HOUR, 2));
      await store.close();
      const sealed = join(root, 'hours', '202611230400', 'seal.json');
      const text = await readFile(sealed);
      await damage(sealed);
      const again = await HourLog.open({ root, clock, jobs: storeJobsInPlace });
      assert.equal(again.sealedUntil, addHours(HOUR, 2));
      await assert.rejects(again.prepare(HOUR), { code: 'store_corrupt', message: /202611230400\/seal\.json is / });
      await again.prepare(addHours(HOUR, 1));
      await stat(segment);
      await writeFile(sealed, text);
      await again.prepare(HOUR);
      assert.equal(readLines(reader, HOUR, 'ai').length, 3);
      await again.close();
    });
  }

  it('lets the next hour go on without the tail of an hour whose list of runs is damaged', async (t) => {
    const { root, store } = await openWithFrames(t);
    await store.seal(addHours(HOUR, 2));
    await store.prepare(HOUR);
    await store.prepare(addHours(HOUR, 1));
    await writeFile(join(root, 'hours', '202611230400', 'ready.json'), '{"version":1,"suns":[]}\n');
    const faults: string[] = [];
    const telling = new HourLogReader(root, (message) => faults.push(message));
    assert.throws(() => readLines(telling, HOUR, 'ai'), { code: 'store_corrupt', message: /ready\.json is damaged/ });
    assert.equal(readLines(telling, addHours(HOUR, 1), 'ai').length, 0);
    await store.close();
  });

  for (const code of ['format_too_new', 'EIO']) {
    it(`lets the next hour go on when the hour before cannot be sorted for ${code}`, async (t) => {
      const { root, store, clock } = await openWithFrames(t);
      await store.seal(addHours(HOUR, 2));
      await store.close();
      const sortSegment = (): Promise<void> => Promise.reject(Object.assign(new Error('It cannot be read.'), { code }));
      const again = await HourLog.open({ root, clock, jobs: { ...storeJobsInPlace, sortSegment } });
      await assert.rejects(again.prepare(HOUR), { code });
      await again.prepare(addHours(HOUR, 1));
      await again.close();
    });
  }

  it('opens no log that has hours and no format.json', async (t) => {
    const { root, store, clock } = await openWithFrames(t);
    await store.close();
    await rm(join(root, 'format.json'));
    await assert.rejects(HourLog.open({ root, clock, jobs: storeJobsInPlace }), {
      code: 'store_corrupt',
      message: /format\.json is missing/,
    });
  });

  it('seals an hour although a run of it is damaged, and fails that hour alone', async (t) => {
    const { store, segment } = await openWithFrames(t);
    const run = segment.replace('.seg', '.run');
    sortSegment({ segmentPath: segment, bytes: (await stat(segment)).size, runPath: run });
    await flipByte(run, (await stat(run)).size - 30);
    await store.seal(addHours(HOUR, 2));
    await assert.rejects(store.prepare(HOUR), { code: 'store_corrupt' });
    await store.prepare(addHours(HOUR, 1));
    await store.close();
  });
});

describe('HourLog', () => {
  async function openAt(t: TestContext, root: string): Promise<HourLog> {
    const log = await HourLog.open({ root, clock: new FakeClock(HOUR_START_MS), jobs: storeJobsInPlace });
    atEnd(t, () => log.close());
    return log;
  }

  it('prepares no hour that is open', async (t) => {
    const log = await openAt(t, join(await temporaryFolder(t), 'hour-log'));
    await log.append(eventBatch('ai', [{ id: 'a' }]));
    await assert.rejects(log.prepare(HOUR), { code: 'hour_open' });
  });

  it('drops the hours that are sealed and not to be kept, and no other', async (t) => {
    const root = join(await temporaryFolder(t), 'hour-log');
    const log = await openAt(t, root);
    await log.append(eventBatch('ai', [{ id: 'a' }]));
    await log.seal(addHours(HOUR, 3));
    await log.append(eventBatch('ai', [{ id: 'in the open hour' }]));
    await log.dropBefore(addHours(HOUR, 9), new Set([addHours(HOUR, 1)]));
    assert.deepEqual((await readdir(join(root, 'hours'))).sort(), ['202611230500', '202611230700']);
  });

  /** Opens a log of tiny segments with a background that is never given time; counts what is sorted how. */
  async function openBusy(
    t: TestContext,
    options: { readonly maxUnsortedBytes?: number } = {},
  ): Promise<{ root: string; log: HourLog; sorted: Record<'early' | 'atOnce', number> }> {
    const root = join(await temporaryFolder(t), 'hour-log');
    const sorted = { early: 0, atOnce: 0 };
    const sorts = new SegmentSorts({
      atOnce: (job) => {
        sorted.atOnce += 1;
        return storeJobsInPlace.sortSegment(job);
      },
      inBackground: (_job, signal) => {
        sorted.early += 1;
        return untilAborted(new Promise<never>(() => undefined), signal);
      },
    });
    const jobs: StoreJobs = {
      ...storeJobsInPlace,
      sortSegment: (job, signal) => sorts.atOnce(job, signal),
      sortEarly: (job, signal) => sorts.early(job, signal),
    };
    const log = await HourLog.open({ root, clock: new FakeClock(HOUR_START_MS), jobs, segmentBytes: 1, ...options });
    atEnd(t, () => log.close());
    return { root, log, sorted };
  }

  it('waits for no sort in the background when the hour has ended', async (t) => {
    const { root, log, sorted } = await openBusy(t);
    for (const id of ['a', 'b', 'c']) await log.append(eventBatch('ai', [{ id }]));
    await log.seal(addHours(HOUR, 1));
    await log.prepare(HOUR);
    assert.equal(readLines(new HourLogReader(root), HOUR, 'ai').length, 3);
    assert.deepEqual(sorted, { early: 1, atOnce: 3 });
  });

  it('sorts a segment at once when more than may wait is unsorted', async (t) => {
    const { log, sorted } = await openBusy(t, { maxUnsortedBytes: 1 });
    for (const id of ['a', 'b', 'c']) await log.append(eventBatch('ai', [{ id }]));
    await log.close();
    assert.deepEqual(sorted, { early: 0, atOnce: 2 });
  });

  it('takes a segment out of the background when more than may wait is unsorted behind it', async (t) => {
    const { log, sorted } = await openBusy(t, { maxUnsortedBytes: 2_000 });
    for (let id = 0; id < 100 && sorted.atOnce === 0; id += 1) await log.append(eventBatch('ai', [{ id: `${id}` }]));
    assert.ok(sorted.early > 0);
    assert.notEqual(sorted.atOnce, 0);
  });

  it('refuses a directory of a newer program', async (t) => {
    const root = join(await temporaryFolder(t), 'hour-log');
    await mkdir(root);
    await writeFile(join(root, 'format.json'), '{"version":2,"firstHour":498743}\n');
    await assert.rejects(openAt(t, root), { code: 'format_too_new', message: /format 2; .* up to 1/ });
  });
});
