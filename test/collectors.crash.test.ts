/** The seal barrier between several collector processes: killed, paused, with a clock that steps. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { addHours, hourEndMs, hourOf, HOUR_MS } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertExportedOnce, EventStream, exportedNames, postNames } from './helpers/event-stream.ts';
import { childPids, newDataDirectory, startServerProcess, type ServerProcess } from './helpers/server-process.ts';
import { waitUntil } from './helpers/wait-until.ts';

const HOUR = hourOf(HOUR_START_MS);
/** From the end of an hour to FINISHED, with every process healthy or not. */
const FINISHED_WITHIN_MS = 60_000;
/** When an hour is left for the next one: within its last minutes, so that resends after its end are known for what they are. */
const BEFORE_END_MS = 60_000;

async function startWithCollectors(t: TestContext): Promise<ServerProcess> {
  const data = await newDataDirectory(t);
  return startServerProcess(t, {
    data,
    nowMs: hourEndMs(HOUR) - BEFORE_END_MS,
    changes: { collectors: 2, segmentBytes: 256 * 1024 },
  });
}

function startStream(
  t: TestContext,
  server: ServerProcess,
  options: { readonly prefix: string; readonly resends: boolean; readonly postTimeoutMs?: number },
): EventStream {
  return new EventStream(t, {
    baseUrl: () => server.baseUrl,
    clients: 6,
    eventsPerRequest: 5,
    pauseMs: 5,
    ...options,
  });
}

/** Stops a process and waits until it stands still. */
async function pause(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await waitUntil(`process ${pid} stands still`, () => readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') T '));
}

/** Ends these hours one after the other and reads what each holds. */
async function exportHours(server: ServerProcess, hours: number): Promise<string[][]> {
  const names: string[][] = [];
  for (let place = 0; place < hours; place += 1) {
    const hour = addHours(HOUR, place);
    if (server.clock.nowMs() < hourEndMs(hour)) server.clock.set(hourEndMs(hour));
    names.push(await exportedNames(server.baseUrl, server.clock, hour, FINISHED_WITHIN_MS));
  }
  return names;
}

describe('several collector processes', () => {
  it('lose and double nothing while hours end and they are killed again and again, one or all at once', async (t) => {
    const server = await startWithCollectors(t);
    const stream = startStream(t, server, { prefix: 'k', resends: true });
    for (const [place, killed] of [1, 2, 1].entries()) {
      await stream.reach(stream.acknowledged.size + 1_000);
      const before = childPids(server.pid);
      const victims = before.slice(0, killed);
      for (const pid of victims) process.kill(pid, 'SIGKILL');
      server.clock.set(hourEndMs(addHours(HOUR, place + 1)) - BEFORE_END_MS);
      await waitUntil('two collector processes run again', () => {
        const pids = childPids(server.pid);
        return pids.length === 2 && !pids.some((pid) => victims.includes(pid));
      });
    }
    await stream.reach(stream.acknowledged.size + 1_000);
    await stream.stop();
    assert.ok(stream.unacknowledged > 0, 'the kills hit requests');
    assertExportedOnce(stream.acknowledged, (await exportHours(server, 4)).flat());
  });

  it('do not hold up an hour when one is paused with appends in flight, and void what it writes there when it goes on', async (t) => {
    const server = await startWithCollectors(t);
    // Clients that get no answer send again after a second: over a new connection, and so to the process that runs.
    const stream = startStream(t, server, { prefix: 'p', resends: true, postTimeoutMs: 1_000 });
    await stream.reach(1_000);
    const [paused] = childPids(server.pid) as [number, number];
    await pause(paused);
    server.clock.set(hourEndMs(HOUR));
    const [first] = (await exportHours(server, 1)) as [string[]];
    await stream.reach(stream.acknowledged.size + 500);
    // It still has its segment of that hour open, and now a clock that leads it there.
    server.clock.set(hourEndMs(HOUR) - 1_000);
    process.kill(paused, 'SIGCONT');
    await stream.reach(stream.acknowledged.size + 1_000);
    await stream.stop();
    const hours = await exportHours(server, 2);
    assert.deepEqual(hours[0], first, 'the published hour has not changed');
    assertExportedOnce(stream.acknowledged, hours.flat());
  });

  it('follow a clock that steps back and forward by seconds and by an hour, and no row lands in a sealed hour', async (t) => {
    const server = await startWithCollectors(t);
    const stream = startStream(t, server, { prefix: 's', resends: false });
    const end = hourEndMs(HOUR);
    const follow = async (stepsMs: readonly number[]): Promise<void> => {
      for (const stepMs of stepsMs) {
        server.clock.set(end + stepMs);
        await stream.reach(stream.acknowledged.size + 200);
      }
    };
    // To the latest moment at last: the clock stands still here, and what was planned for that moment waits for it.
    await follow([-3_000, 2_000, -1_000, 5_000, -4_000, 1_000, 5_000]);
    const [first] = (await exportHours(server, 1)) as [string[]];
    await follow([-HOUR_MS, 1_000, HOUR_MS + 1_000, -HOUR_MS, 2 * HOUR_MS]);
    await stream.stop();
    assert.equal(stream.unacknowledged, 0, 'nothing was refused');
    const hours = await exportHours(server, 4);
    assert.deepEqual(hours[0], first, 'the published hour has not changed');
    assertExportedOnce(stream.acknowledged, hours.flat());
  });

  it('pass over one that is paused, and make one row of a request that is sent to each, also across the end of an hour', async (t) => {
    const server = await startWithCollectors(t);
    const names = Array.from({ length: 50 }, (_, place) => `twice-${place}`);
    /** Sends the request to each process: while one is paused, every new connection must be the other's. */
    const postToEach = async (): Promise<void> => {
      for (const pid of childPids(server.pid)) {
        await pause(pid);
        for (let i = 0; i < 10; i += 1) assert.ok(await postNames(server.baseUrl, names), 'the other one answers');
        process.kill(pid, 'SIGCONT');
      }
    };
    await postToEach();
    server.clock.set(hourEndMs(HOUR));
    const [first] = await exportHours(server, 1);
    await postToEach();
    assert.deepEqual(await exportHours(server, 2), [first, []]);
    assert.deepEqual(first!.sort(), names.sort());
  });
});
