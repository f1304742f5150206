/** `kill -9` of the server while clients post at full speed: every acknowledged event is exported, once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hourOf, HOUR_MS } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertExportedOnce, EventStream, exportedNames, postNames } from './helpers/event-stream.ts';
import { newDataDirectory, startServerProcess } from './helpers/server-process.ts';

const CLIENTS = 4;
const EVENTS_PER_REQUEST = 20;
/** Answered before the kill: enough for several segments of the small size set below, some of them sorted already. */
const EVENTS_BEFORE_KILL = 12_000;

describe('kill -9 of a server under load', () => {
  it('loses no acknowledged event and doubles none', async (t) => {
    const data = await newDataDirectory(t);
    const nowMs = HOUR_START_MS + 60_000;
    const changes = { segmentBytes: 1024 * 1024 };
    const first = await startServerProcess(t, { data, nowMs, changes });
    const stream = new EventStream(t, {
      baseUrl: () => first.baseUrl,
      clients: CLIENTS,
      eventsPerRequest: EVENTS_PER_REQUEST,
      prefix: 'e',
    });
    await stream.reach(EVENTS_BEFORE_KILL);
    await first.kill('SIGKILL');
    await stream.stop();

    const second = await startServerProcess(t, { data, nowMs: nowMs + 5_000, changes });
    assert.ok(await postNames(second.baseUrl, ['after-the-restart']));
    stream.acknowledged.add('after-the-restart');
    second.clock.set(HOUR_START_MS + HOUR_MS);
    const exported = await exportedNames(second.baseUrl, second.clock, hourOf(HOUR_START_MS));
    assertExportedOnce(stream.acknowledged, exported);
    // What was being written when the server died may be there without having been acknowledged, but no more than that.
    assert.ok(exported.length - stream.acknowledged.size <= CLIENTS * EVENTS_PER_REQUEST);
  });
});
