/** `kill -9` of the server while clients post at full speed: every acknowledged event is exported, once. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { downloadPackage, ExportClient, getToken } from '../src/client/export-client.ts';
import { formatBeijingHour, hourOf, HOUR_MS } from '../src/events/hour.ts';
import { systemClock } from '../src/lib/clock.ts';
import { openDataCatalog } from '../src/catalog/data-catalog.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { FakeClock } from './helpers/fake-clock.ts';
import { startServerProcess } from './helpers/server-process.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { TEST_PROJECT } from './helpers/test-server.ts';
import { waitUntil } from './helpers/wait-until.ts';

const CLIENTS = 4;
const EVENTS_PER_REQUEST = 20;
/** Requests answered before the kill: enough for several segments of the small size set below, some of them sorted already. */
const REQUESTS_BEFORE_KILL = 600;

describe('kill -9 of a server under load', () => {
  it('loses no acknowledged event and doubles none', { timeout: 120_000 }, async (t) => {
    const data = join(await temporaryFolder(t), 'data');
    const catalog = await openDataCatalog(data, systemClock);
    await catalog.projects.create(TEST_PROJECT);
    await catalog.close();

    const nowMs = HOUR_START_MS + 60_000;
    const changes = { segmentBytes: 1024 * 1024 };
    const first = await startServerProcess(t, { data, nowMs, changes });
    const acknowledged = new Set<string>();
    let requests = 0;
    const reachedKill = Promise.withResolvers<undefined>();
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      for (let number = 0; ; number += 1) {
        const names = Array.from({ length: EVENTS_PER_REQUEST }, (__, place) => `c${client}-r${number}-e${place}`);
        const isOk = await post(first.baseUrl, names).catch(() => false);
        if (!isOk) return;
        for (const name of names) acknowledged.add(name);
        requests += 1;
        if (requests === REQUESTS_BEFORE_KILL) reachedKill.resolve(undefined);
      }
    });
    await reachedKill.promise;
    await first.kill('SIGKILL');
    await Promise.all(clients);

    const second = await startServerProcess(t, { data, nowMs: nowMs + 5_000, changes });
    await post(second.baseUrl, ['after-the-restart']);
    acknowledged.add('after-the-restart');
    await second.setClock(HOUR_START_MS + HOUR_MS);
    const exported = await exportEventNames(second.baseUrl);
    assert.ok(acknowledged.size >= REQUESTS_BEFORE_KILL * EVENTS_PER_REQUEST);
    const counts = new Map<string, number>();
    for (const name of exported) counts.set(name, (counts.get(name) ?? 0) + 1);
    assert.deepEqual(
      [...acknowledged].filter((name) => !counts.has(name)),
      [],
      'acknowledged but not exported',
    );
    assert.deepEqual(
      [...counts].filter(([, count]) => count > 1),
      [],
      'exported more than once',
    );
    // What was being written when the server died may be there without having been acknowledged, but no more than that.
    assert.ok(counts.size - acknowledged.size <= CLIENTS * EVENTS_PER_REQUEST);
  });
});

async function post(baseUrl: string, names: readonly string[]): Promise<boolean> {
  const events = names.map((n) => ({
    t: 'cstm',
    tm: HOUR_START_MS,
    u: `visitor-${n.slice(0, 5)}`,
    s: 'session',
    d: 'shop',
    n,
    var: { n },
  }));
  const response = await fetch(`${baseUrl}/v3/${TEST_PROJECT.ai}/web/cstm`, {
    method: 'POST',
    body: JSON.stringify(events),
  });
  await response.arrayBuffer();
  return response.status === 200;
}

async function exportEventNames(baseUrl: string): Promise<string[]> {
  const { ai, uid, clientId, secret } = TEST_PROJECT;
  const clock = new FakeClock(HOUR_START_MS + HOUR_MS);
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  const client = new ExportClient({ baseUrl, clientId, token, ai });
  const date = formatBeijingHour(hourOf(HOUR_START_MS));
  const answer = await waitUntil('the hour is FINISHED', async () => {
    const asked = await client.exportHour('custom_event', { date });
    assert.notEqual(asked.status, 'ERROR', asked.errorMsg);
    return asked.status === 'FINISHED' ? asked : undefined;
  });
  const names: string[] = [];
  for (const link of answer.downloadLinks) {
    const lines = gunzipSync(await downloadPackage(link))
      .toString()
      .trimEnd()
      .split('\n');
    const place = lines[0]!.split(',').indexOf('eventName');
    names.push(...lines.slice(1).map((line) => line.split(',')[place]!));
  }
  return names;
}
