import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readLines } from '../../../test/conformance/hour-store-suite.ts';
import { atEnd } from '../../../test/helpers/at-end.ts';
import { eventBatch, HOUR_START_MS } from '../../../test/helpers/event-rows.ts';
import { FakeClock } from '../../../test/helpers/fake-clock.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import { addHours, HOUR_MS, hourOf } from '../../events/hour.ts';
import { waitUntil } from '../../../test/helpers/wait-until.ts';
import { HourLog } from './hour-log.ts';
import { HourLogReader } from './hour-log-reader.ts';
import { lockImports } from './import-lock.ts';
import { ImportWriter } from './import-writer.ts';
import { storeJobsInPlace, type StoreJobs } from './store-jobs.ts';

const PAST_HOUR = addHours(hourOf(HOUR_START_MS), -1);

async function newLog(t: TestContext): Promise<string> {
  const root = join(await temporaryFolder(t), 'hour-log');
  const log = await HourLog.open({ root, clock: new FakeClock(HOUR_START_MS), jobs: storeJobsInPlace });
  await log.close();
  return root;
}

async function beginImport(root: string, jobs: StoreJobs = storeJobsInPlace): Promise<ImportWriter> {
  const writer = await ImportWriter.begin({ root, ai: 'ai', jobs });
  await writer.append(eventBatch('ai', [{ id: 'imported' }]), HOUR_START_MS - HOUR_MS);
  return writer;
}

describe('ImportWriter', () => {
  it('makes an import count only when each of its runs is there', async (t) => {
    const root = await newLog(t);
    const reader = new HourLogReader(root);
    const sorting: number[] = [];
    const jobs: StoreJobs = {
      ...storeJobsInPlace,
      sortSegment: (job) => {
        sorting.push(reader.committedImports().length);
        return storeJobsInPlace.sortSegment(job);
      },
    };
    await (await beginImport(root, jobs)).commit();
    assert.deepEqual(sorting, [0]);
    assert.equal(reader.committedImports().length, 1);
    assert.equal(readLines(reader, PAST_HOUR, 'ai').length, 1);
  });

  it('fails its own hours only when its commit is damaged', async (t) => {
    const root = await newLog(t);
    const reader = new HourLogReader(root);
    await (await beginImport(root)).commit();
    const [{ id } = { id: '' }] = reader.committedImports();
    await writeFile(join(root, 'imports', id, 'commit.json'), '{"version":1,"ai":"ai","iours":[]}\n');
    const clock = new FakeClock(HOUR_START_MS + HOUR_MS);
    const log = await HourLog.open({ root, clock, jobs: storeJobsInPlace });
    await log.seal(hourOf(clock.nowMs()));
    await log.prepare(hourOf(HOUR_START_MS));
    assert.throws(() => reader.runPaths(PAST_HOUR), { code: 'store_corrupt', message: /commit\.json is damaged/ });
    assert.deepEqual(reader.runPaths(hourOf(HOUR_START_MS)), []);
    assert.deepEqual(readLines(reader, hourOf(HOUR_START_MS), 'ai'), []);
    await log.close();
  });
});

describe('the lock of imports', () => {
  it('keeps a second import out while the process of the first lives', async (t) => {
    const root = await newLog(t);
    await writeFile(join(root, 'imports', 'lock-1'), String(process.ppid));
    await assert.rejects(lockImports(root), { code: 'store_unavailable', message: /Another import \(process \d+\)/ });
    assert.deepEqual(await readdir(join(root, 'imports')), ['lock-1']);
  });

  it('is had by one at most of two that come at the same moment', async (t) => {
    const root = await newLog(t);
    const gone = spawn('true');
    await once(gone, 'exit');
    await writeFile(join(root, 'imports', 'lock-1'), String(gone.pid));
    const taken = await Promise.allSettled([lockImports(root), lockImports(root), lockImports(root)]);
    assert.equal(taken.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  it('is taken over from a process that has ended and that nobody has looked at', async (t) => {
    const root = await newLog(t);
    const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    atEnd(t, () => parent.kill('SIGKILL'));
    const [pid] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string];
    await writeFile(join(root, 'imports', 'lock-1'), pid.trim());
    const lock = await waitUntil('the lock is taken over', () => lockImports(root).catch(() => undefined));
    await lock[Symbol.asyncDispose]();
  });

  it('is taken over from a process that is gone, once', async (t) => {
    const root = await newLog(t);
    const gone = spawn('true');
    await once(gone, 'exit');
    await writeFile(join(root, 'imports', 'lock-7'), String(gone.pid));
    {
      await using _lock = await lockImports(root);
    }
    assert.deepEqual(await readdir(join(root, 'imports')), []);
  });

  it('deletes what an import left that never counted, and leaves those that count', async (t) => {
    const root = await newLog(t);
    await (await beginImport(root)).commit();
    const [counted] = await readdir(join(root, 'imports'));
    await beginImport(root);
    assert.equal((await readdir(join(root, 'imports'))).length, 2);
    {
      await using _lock = await lockImports(root);
      assert.deepEqual((await readdir(join(root, 'imports'))).sort(), [counted, 'lock-1'].sort());
    }
    assert.equal(readLines(new HourLogReader(root), PAST_HOUR, 'ai').length, 1);
  });
});
