import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readLines } from '../../../test/conformance/hour-store-suite.ts';
import { atEnd } from '../../../test/helpers/at-end.ts';
import { eventBatch, HOUR_START_MS } from '../../../test/helpers/event-rows.ts';
import { failDisk } from '../../../test/helpers/failing-disk.ts';
import { FakeClock } from '../../../test/helpers/fake-clock.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import { waitUntil } from '../../../test/helpers/wait-until.ts';
import { addHours, HOUR_MS, hourOf } from '../../events/hour.ts';
import { HourLog, type HourLogOptions } from './hour-log.ts';
import { HourLogReader } from './hour-log-reader.ts';
import { storeJobsInPlace } from './store-jobs.ts';

const HOUR = hourOf(HOUR_START_MS);

/** Opens the log of a folder, as a process of its own would: with its own clock and its own segments. */
async function openLog(
  t: TestContext,
  root: string,
  changes: Partial<HourLogOptions> = {},
): Promise<{ readonly log: HourLog; readonly clock: FakeClock; append(id: string): Promise<number> }> {
  const clock = new FakeClock(HOUR_START_MS);
  const log = await HourLog.open({ root, clock, jobs: storeJobsInPlace, ...changes });
  atEnd(t, () => log.close());
  const append = async (id: string): Promise<number> => (await log.append(eventBatch('ai', [{ id }]))).sendTimeMs;
  return { log, clock, append };
}

async function newRoot(t: TestContext): Promise<string> {
  return join(await temporaryFolder(t), 'hour-log');
}

async function segmentsOf(root: string): Promise<readonly { readonly name: string; readonly bytes: number }[]> {
  const folder = join(root, 'hours', '202611230400');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.seg')).sort();
  return Promise.all(names.map(async (name) => ({ name, bytes: (await stat(join(folder, name))).size })));
}

/** Prepares hours and gives the ids of their rows, hour by hour. */
async function idsOf(log: HourLog, root: string, ...hours: readonly number[]): Promise<string[][]> {
  const ids: string[][] = [];
  for (const count of hours) {
    await log.prepare(addHours(HOUR, count));
    const lines = readLines(new HourLogReader(root), addHours(HOUR, count), 'ai');
    ids.push(lines.map((line) => line.split(',').at(-1)!).sort());
  }
  return ids;
}

describe('SegmentAppender on a disk that fails', () => {
  it('A1 acknowledges nothing whose sync failed, and says why it takes nothing', async (t) => {
    const { log, append } = await openLog(t, await newRoot(t));
    await append('before');
    assert.equal(log.fault(), undefined);
    const disk = await failDisk(t, { call: 'datasync', code: 'EIO' });
    await assert.rejects(append('refused'), {
      code: 'store_unavailable',
      message: /\(EIO\)\. Nothing of this request/,
    });
    assert.match(log.fault() ?? '', /^Events are refused: .*\(EIO\)/);
    disk.mend();
  });

  it('A4 writes nothing to a segment again whose sync failed', async (t) => {
    const root = await newRoot(t);
    const { log, append } = await openLog(t, root);
    await append('before');
    await failDisk(t, { call: 'datasync', code: 'EIO', times: 1 });
    await assert.rejects(append('refused'), { code: 'store_unavailable' });
    const [givenUp] = await segmentsOf(root);
    await waitUntil('the log takes events again', () => log.fault() === undefined);
    await append('after');
    const segments = await segmentsOf(root);
    assert.equal(segments.length, 2);
    assert.deepEqual(
      segments.find(({ name }) => name === givenUp!.name),
      givenUp,
    );
  });

  it('refuses what comes after a failure without touching the disk', async (t) => {
    const { append } = await openLog(t, await newRoot(t));
    await append('before');
    const disk = await failDisk(t, { call: 'datasync', code: 'EIO' });
    await assert.rejects(append('refused'), { code: 'store_unavailable' });
    for (let i = 0; i < 5; i += 1) await assert.rejects(append(`refused ${i}`), { code: 'store_unavailable' });
    assert.equal(disk.calls(), 1);
    disk.mend();
  });

  it('takes events again only when a probe has been synced', async (t) => {
    const { log, append } = await openLog(t, await newRoot(t));
    await append('before');
    const disk = await failDisk(t, { call: 'datasync', code: 'EIO', times: 2 });
    await assert.rejects(append('refused'), { code: 'store_unavailable' });
    await waitUntil('the log takes events again', () => log.fault() === undefined);
    assert.equal(disk.calls(), 3, 'the append and the first probe fail, the second probe does not');
    await append('after');
  });

  it('refuses what does not fit into the memory that may wait for the disk', async (t) => {
    const { append } = await openLog(t, await newRoot(t), { maxQueuedBytes: 300 });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => append(`event ${i}`)));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    assert.ok(refused.length > 0 && refused.length < 20, `${refused.length} of 20 were refused`);
    for (const { reason } of refused) assert.equal((reason as { code?: string }).code, 'overloaded');
  });
});

describe('SegmentAppender with busy clients', () => {
  it('takes a batch that comes in the very moment in which the one before is acknowledged', async (t) => {
    const root = await newRoot(t);
    const { log, append } = await openLog(t, root);
    let last: Promise<unknown> = append('0');
    for (let id = 1; id < 50; id += 1) last = last.then(() => append(`${id}`));
    let isTaken = false;
    void last.then(() => (isTaken = true));
    await waitUntil('the last batch is taken', () => isTaken);
    await log.seal(addHours(HOUR, 1));
    assert.equal((await idsOf(log, root, 0))[0]!.length, 50);
  });

  it('writes a batch without the others that came with the last one, when they do not come again', async (t) => {
    const root = await newRoot(t);
    const { log, append } = await openLog(t, root);
    await Promise.all(['a', 'b', 'c', 'd'].map(append));
    await append('e');
    await log.seal(addHours(HOUR, 1));
    assert.deepEqual(await idsOf(log, root, 0), [['a', 'b', 'c', 'd', 'e']]);
  });
});

describe('SegmentAppender and the end of its hour', () => {
  it('A2 writes a batch again for the next hour when another process has sealed its own meanwhile', async (t) => {
    const root = await newRoot(t);
    const late = await openLog(t, root);
    const sealer = await openLog(t, root);
    await late.append('in time');
    await sealer.log.seal(addHours(HOUR, 1));
    assert.equal(await late.append('late'), HOUR_START_MS + HOUR_MS);
    await sealer.log.seal(addHours(HOUR, 2));
    assert.deepEqual(await idsOf(sealer.log, root, 0, 1), [['in time'], ['late']]);
  });

  it('A3 keeps away from a fenced hour of which nothing is left on the disk', async (t) => {
    const root = await newRoot(t);
    const sealer = await openLog(t, root);
    await sealer.log.seal(addHours(HOUR, 2));
    await sealer.log.dropBefore(addHours(HOUR, 1), new Set());
    const { append } = await openLog(t, root);
    assert.equal(await append('behind its time'), HOUR_START_MS + 2 * HOUR_MS);
  });

  it('A3 begins a segment with each hour', async (t) => {
    const root = await newRoot(t);
    const { log, clock, append } = await openLog(t, root);
    await append('first hour');
    clock.set(HOUR_START_MS + HOUR_MS);
    await append('second hour');
    await log.seal(addHours(HOUR, 2));
    assert.deepEqual(await idsOf(log, root, 0, 1), [['first hour'], ['second hour']]);
  });
});
