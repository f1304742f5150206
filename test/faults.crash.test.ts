/** Disks that are full, fail or hang under a running server: what was acknowledged stays, and the server recovers by itself. */
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { ExportTask } from '../src/catalog/catalog.ts';
import { openExistingCatalog } from '../src/catalog/data-catalog.ts';
import { addHours, formatBeijingHour, formatUtcHour, hourEndMs, hourOf } from '../src/events/hour.ts';
import { systemClock } from '../src/lib/clock.ts';
import { exportClient, isReady, post, unreadiness, type Posted } from './helpers/ask-server.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertExportedOnce, EventStream, exportedNames, postNames } from './helpers/event-stream.ts';
import { dataOnSmallDisk, fillDisk, injectFault, NO_MOUNTS, NO_TRACE } from './helpers/machine-faults.ts';
import { childPids, newDataDirectory, startServerProcess, type ServerProcess } from './helpers/server-process.ts';
import { TEST_PROJECT } from './helpers/test-server.ts';
import { waitUntil } from './helpers/wait-until.ts';

const HOUR = hourOf(HOUR_START_MS);
const NOW_MS = HOUR_START_MS + 60_000;
/** From the end of an hour to FINISHED. */
const FINISHED_WITHIN_MS = 60_000;
const DISK_BYTES = 24 * 1024 * 1024;

describe('a full disk', { skip: NO_MOUNTS }, () => {
  for (const part of ['', 'hour-log'] as const) {
    const where = part === '' ? 'the whole data directory' : 'the hour log alone';

    it(`refuses appends while it is full, and recovers by itself, when it holds ${where}`, async (t) => {
      const { data, disk } = await dataOnSmallDisk(t, { part, sizeBytes: DISK_BYTES });
      const server = await startServerProcess(t, { data, nowMs: NOW_MS });
      const stream = startStream(t, server);
      await stream.reach(1_000);
      await stream.stop();
      const makeRoom = fillDisk(disk, 0);

      const refusal = await refusedPost(server, stream.acknowledged);
      assert.equal(refusal.status, 503);
      assert.match(refusal.retryAfter, /^\d+$/);
      assert.equal(refusal.body.code, 'store_unavailable');
      assert.match(
        refusal.body.message,
        /could not be stored: the disk is full .*Try again soon, over HTTP as Retry-After says/,
      );
      assert.match(await unreadiness(server, 'store'), /^Events are refused: the disk is full \(ENOSPC\)\. .+\.$/);
      const segments = await segmentsOf(data);
      for (let i = 0; i < 20; i += 1) assert.ok(!(await postNames(server.baseUrl, [`refused-${i}`])));
      assert.deepEqual(await segmentsOf(data), segments, 'refused requests leave no files on a full disk');

      makeRoom();
      await waitUntil('the idle server is ready again', () => isReady(server));
      assert.ok(await postNames(server.baseUrl, ['afterwards']));
      stream.acknowledged.add('afterwards');
      server.clock.set(hourEndMs(HOUR));
      assertExportedOnce(stream.acknowledged, await exportedNames(server.baseUrl, server.clock, HOUR));
    });
  }

  const disks = [
    { part: 'packages', where: 'the packages', freeBytes: 0, segmentBytes: 512 * 1024 },
    // Room for seals and lists of this hour and of all before it, and not for a run: all rows are in one segment.
    { part: 'hour-log', where: 'the hour log, with room for a seal', freeBytes: 400 * 1024, segmentBytes: DISK_BYTES },
  ] as const;

  for (const { part, where, freeBytes, segmentBytes } of disks) {
    it(`has the export tried again until there is room, and nothing seen of it before, when it holds ${where}`, async (t) => {
      const { data, disk } = await dataOnSmallDisk(t, { part, sizeBytes: DISK_BYTES });
      const changes = { segmentBytes, packageBytes: 32 * 1024, exportAttempts: 2 };
      const server = await startServerProcess(t, { data, nowMs: NOW_MS, changes });
      const stream = startStream(t, server);
      await stream.reach(5_000);
      await stream.stop();
      const client = await exportClient(server);
      const makeRoom = fillDisk(disk, freeBytes);
      const openFiles = await openFilesOf(server.pid);

      server.clock.set(hourEndMs(HOUR));
      await waitUntil('the export has failed more often than --export-attempts says', async () => {
        const { attempts, error } = await waitingTask(server, data);
        return attempts >= 4 && error === 'The disk is full (ENOSPC).';
      });
      const answer = await client.exportHour('custom_event', { date: formatBeijingHour(HOUR) });
      assert.equal(answer.status, 'RUNNING', answer.errorMsg);
      assert.deepEqual(answer.downloadLinks, []);
      assert.ok((await openFilesOf(server.pid)) < openFiles + 20, 'failed tries leave no files open');
      assert.deepEqual(await unfinishedIn(data), [], 'failed tries leave no unfinished files');

      makeRoom();
      await waitingTask(server, data);
      assertExportedOnce(stream.acknowledged, await exportedNames(server.baseUrl, server.clock, HOUR));
    });
  }

  it('holds up the end of an hour, says so, and lets it end when there is room, when it holds everything', async (t) => {
    const { data, disk } = await dataOnSmallDisk(t, { part: '', sizeBytes: DISK_BYTES });
    const server = await startServerProcess(t, { data, nowMs: NOW_MS });
    const stream = startStream(t, server);
    await stream.reach(1_000);
    await stream.stop();
    const client = await exportClient(server);
    const makeRoom = fillDisk(disk, 0);

    server.clock.set(hourEndMs(HOUR));
    await waitUntil('the server is not ready', async () => !(await isReady(server)));
    assert.match(await unreadiness(server, 'hours'), /^An hour that has ended cannot be closed: .*full.*\.$/);
    const answer = await client.exportHour('custom_event', { date: formatBeijingHour(HOUR) });
    assert.equal(answer.status, 'RUNNING', answer.errorMsg);

    makeRoom();
    assertExportedOnce(stream.acknowledged, await exportedNames(server.baseUrl, server.clock, HOUR));
  });
});

describe('a disk whose sync fails (EIO)', { skip: NO_TRACE }, () => {
  it('acknowledges nothing of the group, gives the segment up, and goes on in a new one', async (t) => {
    const data = await newDataDirectory(t);
    const server = await startServerProcess(t, { data, nowMs: NOW_MS });
    const stream = startStream(t, server);
    await stream.reach(500);
    await stream.stop();
    const before = await segmentsOf(data);
    assert.equal(before.length, 1);

    const fault = await injectFault(t, server.pid, 'fdatasync:error=EIO');
    const refusal = await post(server, ['refused']);
    assert.equal(refusal.status, 503);
    assert.match(refusal.body.message, /the disk failed to read or write \(EIO\)/);
    assert.match(await unreadiness(server, 'store'), /EIO/);
    const [given] = await segmentsOf(data);
    await fault.stop();

    await waitUntil('the server is ready again', () => isReady(server));
    assert.ok(await postNames(server.baseUrl, ['refused', 'in a new segment']));
    const after = await segmentsOf(data);
    assert.equal(after.length, 2, 'a new segment');
    assert.deepEqual(
      after.find(({ name }) => name === given?.name),
      given,
      'nothing is written behind a failed sync',
    );
    for (const name of ['refused', 'in a new segment']) stream.acknowledged.add(name);
    server.clock.set(hourEndMs(HOUR));
    assertExportedOnce(stream.acknowledged, await exportedNames(server.baseUrl, server.clock, HOUR));
  });

  it('loses nothing under load when syncs fail now and then', async (t) => {
    const data = await newDataDirectory(t);
    const server = await startServerProcess(t, { data, nowMs: NOW_MS });
    const stream = startStream(t, server);
    await stream.reach(200);
    const fault = await injectFault(t, server.pid, 'fdatasync:error=EIO:when=5+40');
    await waitUntil('three segments were given up', async () => (await segmentsOf(data)).length >= 4);
    await fault.stop();
    await stream.reach(stream.acknowledged.size + 200);
    await stream.stop();
    server.clock.set(hourEndMs(HOUR));
    assertExportedOnce(stream.acknowledged, await exportedNames(server.baseUrl, server.clock, HOUR));
  });
});

describe('an append that hangs across the end of its hour', { skip: NO_TRACE }, () => {
  const points = [
    { name: 'in its sync, and is counted, since its frame is whole', call: 'fdatasync', hours: [HOUR] },
    { name: 'before its write, and is written again in the next', call: 'pwritev', hours: [addHours(HOUR, 1)] },
  ];

  for (const { name, call, hours } of points) {
    it(`holds up no hour and is in one only, when it hangs ${name}`, async (t) => {
      const data = await newDataDirectory(t);
      const server = await startServerProcess(t, { data, nowMs: NOW_MS, changes: { collectors: 2 } });
      const stream = startStream(t, server);
      await stream.reach(500);
      await stream.stop();
      const faults = await Promise.all(
        childPids(server.pid).map((pid) => injectFault(t, pid, `${call}:delay_enter=200000000`)),
      );
      const answer = post(server, ['hanging']);
      await waitUntil('an append hangs', () => faults.some((fault) => fault.calls() > 0));

      server.clock.set(hourEndMs(HOUR) + 1_000);
      const endedMs = performance.now();
      const first = await exportedNames(server.baseUrl, server.clock, HOUR, FINISHED_WITHIN_MS);
      t.diagnostic(`FINISHED ${Math.round(performance.now() - endedMs)} ms after the end of the hour`);
      assert.equal(await Promise.race([answer, Promise.resolve('none yet')]), 'none yet');
      for (const fault of faults) await fault.stop();
      assert.equal((await answer).status, 200);

      server.clock.set(hourEndMs(addHours(HOUR, 1)));
      const second = await exportedNames(server.baseUrl, server.clock, addHours(HOUR, 1), FINISHED_WITHIN_MS);
      stream.acknowledged.add('hanging');
      assertExportedOnce(stream.acknowledged, [...first, ...second]);
      assert.equal(first.includes('hanging'), hours.includes(HOUR));
    });
  }
});

function startStream(t: TestContext, server: ServerProcess): EventStream {
  return new EventStream(t, { baseUrl: () => server.baseUrl, clients: 3, eventsPerRequest: 20, prefix: 'e' });
}

/** Posts until the disk's last page is full and a request is refused. */
async function refusedPost(server: ServerProcess, acknowledged: Set<string>): Promise<Posted> {
  for (let number = 0; number < 10_000; number += 1) {
    const name = `last-page-${number}`;
    const posted = await post(server, [name]);
    if (posted.status !== 200) return posted;
    acknowledged.add(name);
  }
  return assert.fail('a full disk takes everything');
}

/** Waits until the hour's task waits for its next try, and lets the time of that come. */
async function waitingTask(server: ServerProcess, data: string): Promise<ExportTask> {
  const catalog = await openExistingCatalog(data, systemClock);
  try {
    const waiting = await waitUntil('a try has failed', async () => {
      const [task] = await catalog.tasks.list(TEST_PROJECT.ai, { from: HOUR, until: addHours(HOUR, 1) });
      assert.ok(
        task?.status !== 'finished' && task?.status !== 'failed',
        'a full disk neither ends nor fails an export',
      );
      return task?.status === 'pending' && task;
    });
    server.clock.set(Math.max(server.clock.nowMs(), waiting.runAtMs));
    return waiting;
  } finally {
    await catalog.close();
  }
}

async function openFilesOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

/** Lists what failed writes have left behind. */
async function unfinishedIn(data: string): Promise<readonly string[]> {
  return (await readdir(data, { recursive: true })).filter((name) => name.endsWith('.tmp'));
}

async function segmentsOf(data: string): Promise<readonly { readonly name: string; readonly size: number }[]> {
  const folder = join(data, 'hour-log', 'hours', formatUtcHour(HOUR));
  const names = (await readdir(folder)).filter((name) => name.endsWith('.seg')).sort();
  return Promise.all(names.map(async (name) => ({ name, size: (await stat(join(folder, name))).size })));
}
