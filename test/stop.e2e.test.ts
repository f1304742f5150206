/** How the real program stops: what it had acknowledged is kept, what it had begun is finished or given back, and in bounded time. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openExistingCatalog } from '../src/catalog/data-catalog.ts';
import type { ExportTask } from '../src/catalog/catalog.ts';
import { addHours, hourEndMs, hourOf, hourStartMs, type Hour } from '../src/events/hour.ts';
import { systemClock, waitFor } from '../src/lib/clock.ts';
import { atEnd } from './helpers/at-end.ts';
import { assertExportedOnce, EventStream, exportedNames } from './helpers/event-stream.ts';
import { injectFault, NO_TRACE } from './helpers/machine-faults.ts';
import { isRunning, startServerProcess } from './helpers/server-process.ts';
import { TEST_PROJECT } from './helpers/test-server.ts';
import { newRecentData, spawnTidegate, startTidegate, type TidegateServer } from './helpers/tidegate-server.ts';
import { waitUntil } from './helpers/wait-until.ts';

/** What a stop may take when nothing holds it up: less than it waits for anything. It takes a fraction of a second. */
const QUICK_MS = 8_000;
/** What a stop waits for at most: an export, an HTTP answer, and everything together, after which it ends with an error. */
const EXPORT_STOP_MS = 10_000;
const HTTP_STOP_MS = 20_000;
const STOP_LIMIT_MS = 28_000;
/** What it may take beyond that on a busy machine. */
const SLACK_MS = 15_000;

describe('tidegate serve, told to stop under load', () => {
  const ways = [
    { name: 'by SIGTERM', signal: 'SIGTERM', target: 'process', collectors: 1 },
    { name: 'by SIGINT', signal: 'SIGINT', target: 'process', collectors: 1 },
    { name: 'by SIGTERM, with two collector processes', signal: 'SIGTERM', target: 'process', collectors: 2 },
    { name: 'by Ctrl-C, which reaches every process', signal: 'SIGINT', target: 'group', collectors: 2 },
    { name: 'by systemd, which signals every process', signal: 'SIGTERM', target: 'group', collectors: 2 },
  ] as const;

  for (const { name, signal, target, collectors } of ways) {
    it(`keeps what it acknowledged and ends in order ${name}`, async (t) => {
      const data = await newRecentData(t);
      const firstHour = hourOf(systemClock.nowMs());
      const server = await startTidegate(t, data, '--collectors', String(collectors), '--segment-bytes', '65536');
      assert.equal(server.children.length, collectors === 1 ? 0 : collectors);
      const stream = new EventStream(t, {
        baseUrl: () => server.baseUrl,
        clients: 6,
        eventsPerRequest: 20,
        prefix: 'e',
      });
      await stream.reach(2_000);
      const { ms } = await stop(server, signal, target);
      await stream.stop();
      t.diagnostic(`stopped in ${ms} ms`);
      assert.ok(ms < QUICK_MS, `it took ${ms} ms`);
      assert.ok(!existsSync(join(data, 'catalog.sqlite-wal')), 'the catalog is closed');

      const again = await startTidegate(t, data);
      await stop(again, 'SIGTERM');
      assert.deepEqual(warnings(again), [], 'it opens without a warning');
      assertExportedOnce(stream.acknowledged, await exportSince(t, data, firstHour));
    });
  }
});

describe('tidegate serve, told to stop a second time', () => {
  for (const collectors of [1, 2]) {
    it(`ends at once, although a request is still running, with ${collectors} collector process(es)`, async (t) => {
      const data = await newRecentData(t);
      const firstHour = hourOf(systemClock.nowMs());
      const server = await startTidegate(t, data, '--collectors', String(collectors));
      const stream = new EventStream(t, {
        baseUrl: () => server.baseUrl,
        clients: 3,
        eventsPerRequest: 5,
        prefix: 's',
      });
      await stream.reach(200);
      await beginRequest(t, server);
      server.signal('SIGTERM');
      await waitUntil('it takes no more connections', () => refusesConnections(server));
      const begunMs = performance.now();
      server.signal('SIGTERM');
      await server.ended;
      assert.ok(performance.now() - begunMs < QUICK_MS);
      await assertChildrenGone(server);
      await stream.stop();

      const again = await startTidegate(t, data);
      await stop(again, 'SIGTERM');
      assert.deepEqual(warnings(again), []);
      assertExportedOnce(stream.acknowledged, await exportSince(t, data, firstHour));
    });
  }
});

describe('tidegate serve, held up while it stops', { concurrency: true }, () => {
  it('cuts off a request that does not end', async (t) => {
    const server = await startTidegate(t, await newRecentData(t));
    await beginRequest(t, server);
    const { ms } = await stop(server, 'SIGTERM');
    assert.ok(ms >= HTTP_STOP_MS && ms < HTTP_STOP_MS + SLACK_MS, `it took ${ms} ms`);
  });

  it('ends all the same when the disk hangs, collector processes too', { skip: NO_TRACE }, async (t) => {
    const data = await newRecentData(t);
    const server = await startTidegate(t, data, '--collectors', '2');
    const faults = await Promise.all(
      server.children.map((pid) => injectFault(t, pid, 'fdatasync:delay_enter=300000000')),
    );
    const stream = new EventStream(t, { baseUrl: () => server.baseUrl, clients: 4, eventsPerRequest: 1, prefix: 'h' });
    await waitUntil('an append hangs', () => faults.some((fault) => fault.calls() > 0));
    const begunMs = performance.now();
    server.signal('SIGTERM');
    await server.ended;
    const ms = Math.round(performance.now() - begunMs);
    t.diagnostic(`ended in ${ms} ms`);
    assert.ok(ms < STOP_LIMIT_MS + SLACK_MS, `it took ${ms} ms`);
    await assertChildrenGone(server);
    await stream.stop();
    assert.equal(stream.acknowledged.size, 0);
  });

  it('gives a running export back, so that the next start goes on with it at once', async (t) => {
    const data = await newRecentData(t);
    const hour = addHours(hourOf(systemClock.nowMs()), -1);
    const filling = await startServerProcess(t, { data, nowMs: hourStartMs(hour) + 60_000 });
    const stream = new EventStream(t, {
      baseUrl: () => filling.baseUrl,
      clients: 3,
      eventsPerRequest: 200,
      prefix: 'x',
    });
    await stream.reach(200_000);
    await stream.stop();
    await filling.kill('SIGKILL');

    // Thousands of packages, each synced: many seconds of work.
    const slow = await startTidegate(t, data, '--package-bytes', '512');
    await waitUntil('the export runs', async () => (await taskOf(data, hour))?.status === 'running');
    const { ms } = await stop(slow, 'SIGTERM');
    t.diagnostic(`stopped in ${ms} ms`);
    const given = await taskOf(data, hour);
    assert.equal(given?.status, 'pending', 'the export takes longer than a stop waits for it');
    assert.equal(given.attempts, 0);
    assert.ok(await isClaimable(data, hour), 'nobody has to wait for the end of a lease');
    assert.ok(ms < EXPORT_STOP_MS + SLACK_MS, `it took ${ms} ms`);

    const next = await startTidegate(t, data);
    await waitUntil('the hour is FINISHED', async () => (await taskOf(data, hour))?.status === 'finished');
    await stop(next, 'SIGTERM');
    assertExportedOnce(stream.acknowledged, await exportSince(t, data, hour));
  });
});

describe('tidegate serve, told to stop while it starts', () => {
  for (const collectors of [1, 2]) {
    it(`ends, and leaves a directory that opens, with ${collectors} collector process(es)`, async (t) => {
      const data = await newRecentData(t);
      for (let afterMs = 50; afterMs <= 1_200; afterMs += 150) {
        const server = spawnTidegate(t, data, '--collectors', String(collectors));
        await waitFor(afterMs);
        server.signal('SIGTERM');
        const { code, signal } = await server.ended;
        // Before the program has begun to open anything, the signal's own default ends it.
        assert.ok(code === 0 || (signal === 'SIGTERM' && server.printed() === ''), `${code} ${signal} ${server.log()}`);
        assert.deepEqual(warnings(server), []);
      }
      await stop(await startTidegate(t, data), 'SIGTERM');
    });
  }
});

/** Stops a server, which must end in order with all its processes, and gives how long it took. */
async function stop(
  server: TidegateServer,
  signal: NodeJS.Signals,
  target?: 'process' | 'group',
): Promise<{ readonly ms: number }> {
  const begunMs = performance.now();
  server.signal(signal, target);
  const end = await server.ended;
  const ms = Math.round(performance.now() - begunMs);
  assert.deepEqual(end, { code: 0, signal: null }, server.log());
  await assertChildrenGone(server);
  return { ms };
}

async function assertChildrenGone({ children }: TidegateServer): Promise<void> {
  await waitUntil('the collector processes are gone', () => !children.some(isRunning));
}

/** Gives the lines of a log that tell of anything but information. */
function warnings(server: Pick<TidegateServer, 'log'>): readonly string[] {
  return server
    .log()
    .split('\n')
    .filter((line) => line !== '' && !/^\{"level":[1-3]0,/.test(line));
}

/** Begins a request that never ends, and waits until the server has it. */
async function beginRequest(context: TestContext, { baseUrl }: TidegateServer): Promise<void> {
  const { hostname, port } = new URL(baseUrl);
  const socket = connect(Number(port), hostname);
  atEnd(context, () => socket.destroy());
  socket.on('error', () => undefined); // it is cut off
  socket.write(
    `POST /v3/${TEST_PROJECT.ai}/web/cstm HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n`,
  );
  // The server answers 100 Continue as soon as it has the request.
  await new Promise((resolve) => socket.once('data', resolve));
  socket.write('[');
}

async function refusesConnections({ baseUrl }: TidegateServer): Promise<boolean> {
  const { hostname, port } = new URL(baseUrl);
  const socket = connect(Number(port), hostname);
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(false)).once('error', () => resolve(true));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}

async function taskOf(data: string, hour: Hour): Promise<ExportTask | undefined> {
  const catalog = await openExistingCatalog(data, systemClock);
  try {
    return (await catalog.tasks.list(TEST_PROJECT.ai, { from: hour, until: addHours(hour, 1) }))[0];
  } finally {
    await catalog.close();
  }
}

/** Says whether a worker may take the hour's export now. */
async function isClaimable(data: string, hour: Hour): Promise<boolean> {
  const catalog = await openExistingCatalog(data, systemClock);
  try {
    const nowMs = systemClock.nowMs();
    const task = await catalog.tasks.claim({ nowMs, leaseMs: 1_000, ai: TEST_PROJECT.ai, hours: [hour] });
    if (task) await catalog.tasks.release(task, nowMs);
    return task !== undefined;
  } finally {
    await catalog.close();
  }
}

/** Ends all hours from this one until now with a clock of our own, and gives the names of their events. */
async function exportSince(context: TestContext, data: string, hour: Hour): Promise<readonly string[]> {
  const last = hourOf(systemClock.nowMs());
  const server = await startServerProcess(context, { data, nowMs: hourEndMs(last) });
  const names: string[] = [];
  for (let at = hour; at <= last; at = addHours(at, 1))
    for (const name of await exportedNames(server.baseUrl, server.clock, at)) names.push(name);
  await server.kill('SIGKILL');
  return names;
}
