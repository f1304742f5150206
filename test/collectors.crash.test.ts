/** The seal barrier between several collector processes: killed, paused, with a clock that steps. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { addHours, hourEndMs, hourOf, HOUR_MS } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertExportedOnce, EventStream, exportedNames, postNames } from './helpers/event-stream.ts';
import { newDataDirectory, startServerProcess, type ServerProcess } from './helpers/server-process.ts';
import { waitUntil } from './helpers/wait-until.ts';

const HOUR = hourOf(HOUR_START_MS);
/** From the end of an hour to FINISHED, with every process healthy or not. */
const FINISHED_WITHIN_MS = 60_000;

async function startWithCollectors(t: TestContext): Promise<ServerProcess> {
  const data = await newDataDirectory(t);
  return startServerProcess(t, {
    data,
    nowMs: HOUR_START_MS + 60_000,
    changes: { collectors: 2, segmentBytes: 512 * 1024 },
  });
}

/** The collector processes of a server, from /proc, as Linux lists a process's children. */
function collectorPids(server: ServerProcess): number[] {
  const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

async function killOneCollector(server: ServerProcess): Promise<void> {
  const killed = collectorPids(server)[0]!;
  process.kill(killed, 'SIGKILL');
  await waitUntil('another collector process runs', () => {
    const pids = collectorPids(server);
    return pids.length === 2 && !pids.includes(killed);
  });
}

/** Closes these hours one after the other and reads what they hold. */
async function exportHours(server: ServerProcess, hours: number): Promise<string[]> {
  const names: string[] = [];
  for (let place = 0; place < hours; place += 1) {
    const hour = addHours(HOUR, place);
    if (server.clock.nowMs() < hourEndMs(hour)) server.clock.set(hourEndMs(hour));
    names.push(...(await exportedNames(server.baseUrl, server.clock, hour, FINISHED_WITHIN_MS)));
  }
  return names;
}

describe('several collector processes', { timeout: 240_000 }, () => {
  it('lose and double nothing while hours end and one of them is killed again and again', async (t) => {
    const server = await startWithCollectors(t);
    const stream = new EventStream(t, { baseUrl: () => server.baseUrl, clients: 6, eventsPerRequest: 5, prefix: 'k' });
    for (let hour = 1; hour <= 3; hour += 1) {
      await stream.reach(hour * 2_000);
      await killOneCollector(server);
      await stream.reach(hour * 2_000 + 500);
      server.clock.set(HOUR_START_MS + hour * HOUR_MS);
    }
    await stream.reach(7_000);
    await stream.stop();
    assertExportedOnce(stream.acknowledged, await exportHours(server, 4));
  });

  it('do not hold up an hour when one is paused with an append in flight, and what it had in flight is in one hour', async (t) => {
    const server = await startWithCollectors(t);
    const stream = new EventStream(t, { baseUrl: () => server.baseUrl, clients: 6, eventsPerRequest: 5, prefix: 'p' });
    await stream.reach(1_000);
    const [paused] = collectorPids(server) as [number, number];
    process.kill(paused, 'SIGSTOP');
    t.after(() => process.kill(paused, 'SIGCONT'));
    server.clock.set(HOUR_START_MS + HOUR_MS);
    const first = await exportedNames(server.baseUrl, server.clock, HOUR, FINISHED_WITHIN_MS);
    process.kill(paused, 'SIGCONT');
    await stream.reach(stream.acknowledged.size + 1_000);
    await stream.stop();
    const names = await exportHours(server, 2);
    assert.deepEqual(names.slice(0, first.length), first, 'the published hour has not changed');
    assertExportedOnce(stream.acknowledged, names);
  });

  it('follow a clock that steps back and forward by seconds and by an hour, and no row lands in a sealed hour', async (t) => {
    const server = await startWithCollectors(t);
    const stream = new EventStream(t, { baseUrl: () => server.baseUrl, clients: 6, eventsPerRequest: 5, prefix: 's' });
    const end = HOUR_START_MS + HOUR_MS;
    let count = 0;
    for (const stepMs of [
      -3_000,
      2_000,
      -1_000,
      5_000,
      -4_000,
      -HOUR_MS,
      1_000,
      HOUR_MS + 1_000,
      -HOUR_MS,
      2 * HOUR_MS,
    ]) {
      server.clock.set(end + stepMs);
      count += 400;
      await stream.reach(count);
    }
    await stream.stop();
    server.clock.set(end + 2 * HOUR_MS);
    assertExportedOnce(stream.acknowledged, await exportHours(server, 4));
  });

  it('make one row of a request that is sent to both, also across the end of an hour', async (t) => {
    const server = await startWithCollectors(t);
    server.clock.set(HOUR_START_MS + HOUR_MS - 5_000);
    const names = Array.from({ length: 50 }, (_, place) => `twice-${place}`);
    for (let i = 0; i < 8; i += 1) assert.ok(await postNames(server.baseUrl, names));
    server.clock.set(HOUR_START_MS + HOUR_MS + 5_000);
    await exportedNames(server.baseUrl, server.clock, HOUR, FINISHED_WITHIN_MS);
    for (let i = 0; i < 8; i += 1) assert.ok(await postNames(server.baseUrl, names));
    const exported = await exportHours(server, 2);
    assert.deepEqual(exported.sort(), names.sort());
  });
});
