/** Retention: what is past it is gone from the API, the catalog and the disk; what is not exported yet stays. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openDataCatalog } from '../src/catalog/data-catalog.ts';
import { downloadPackage, ExportClient, getToken } from '../src/client/export-client.ts';
import {
  addHours,
  beijingDayOf,
  formatBeijingHour,
  formatUtcHour,
  hourEndMs,
  hourOf,
  HOUR_MS,
  type Hour,
} from '../src/events/hour.ts';
import { atEnd } from './helpers/at-end.ts';
import { readBelow } from './helpers/stored-packages.ts';
import { startTestServer, type TestServer } from './helpers/test-server.ts';
import { PATIENCE_MS, waitUntil } from './helpers/wait-until.ts';

const DAY_MS = 24 * HOUR_MS;

describe('retention', () => {
  it('lets rows and packages go with the last hour of their Beijing day, and says NOT_EXISTS with the reason', async (t) => {
    const server = await startTestServer(t, { retentionDays: 2, retentionDoubtMs: 0 });
    const hour = hourOf(server.clock.nowMs());
    await post(server);
    server.clock.set(hourEndMs(hour));
    const client = await clientOf(server);
    const link = await finishedLink(client, formatBeijingHour(hour));
    assert.ok((await downloadPackage(link)).length > 0);

    const lastKeptMs = hourEndMs(beijingDayOf(hour).until) - HOUR_MS + 2 * DAY_MS - 1;
    server.clock.set(lastKeptMs);
    assert.equal((await client.exportHour('page', { date: formatBeijingHour(hour) })).status, 'FINISHED');
    assert.deepEqual(await hourFolders(server, 'packages'), [1]);

    server.clock.set(lastKeptMs + 1);
    const answer = await client.exportHour('page', { date: formatBeijingHour(hour) });
    assert.equal(answer.status, 'NOT_EXISTS');
    assert.match(answer.errorMsg, /kept|retention/i);
    server.clock.set(lastKeptMs + HOUR_MS);
    await waitUntil('the packages are deleted', async () => (await hourFolders(server, 'packages')).length === 0);
    await waitUntil('the rows are deleted', async () => {
      const hours = await readdir(join(server.data, 'hour-log', 'hours'));
      return hours.every((name) => name >= formatUtcHour(beijingDayOf(hour).until));
    });
    assert.equal((await fetch(link)).status, 403, 'the link has expired long ago');
  });

  it('does not follow a clock that jumped ahead by months at once', async (t) => {
    const server = await startTestServer(t, { retentionDays: 2 });
    const hour = hourOf(server.clock.nowMs());
    await post(server);
    server.clock.set(hourEndMs(hour));
    const client = await clientOf(server);
    await finishedLink(client, formatBeijingHour(hour));
    server.clock.set(hourEndMs(hour) + 90 * DAY_MS);
    await waitUntil(
      'the hours up to the clock are sealed',
      async () => {
        const hours = await readdir(join(server.data, 'hour-log', 'hours'));
        return hours.includes(formatUtcHour(addHours(hourOf(server.clock.nowMs()), -1)));
      },
      2 * PATIENCE_MS,
    ); // a month of hours, each sealed with five syncs
    server.clock.set(hourEndMs(hour) + HOUR_MS);
    assert.equal((await client.exportHour('page', { date: formatBeijingHour(hour) })).status, 'FINISHED');
    assert.deepEqual(await hourFolders(server, 'packages'), [1]);
  });

  it('exports the hours that come back when it is made longer, and that were never exported', async (t) => {
    const server = await startTestServer(t, { retentionDays: 1 });
    const hour = hourOf(server.clock.nowMs());
    await post(server);
    server.clock.set(hourEndMs(hour) + 4 * DAY_MS); // as after days without a server
    const client = await clientOf(server);
    const statusOf = async (): Promise<string> =>
      (await client.exportHour('page', { date: formatBeijingHour(hour) })).status;
    await finishedHour(client, addHours(hour, 4 * 24));
    assert.equal(await statusOf(), 'NOT_EXISTS');

    const catalog = await openDataCatalog(server.data, server.clock);
    atEnd(t, () => catalog.close());
    const now = hourOf(server.clock.nowMs());
    const change = {
      values: { retentionDays: 30 },
      fromHour: addHours(now, 1),
      nowMs: server.clock.nowMs(),
      by: 'ada',
    };
    await catalog.settings.change(server.project.ai, change);
    server.clock.set(hourEndMs(now));
    await finishedHour(client, hour);
    assert.equal((await client.exportHour('page', { date: formatBeijingHour(hour) })).downloadLinks.length, 1);
  });

  it('finishes a download that runs while its package is deleted', async (t) => {
    const server = await startTestServer(t, { retentionDays: 1, retentionDoubtMs: 0 });
    const hour = hourOf(server.clock.nowMs());
    await post(server, 20_000);
    server.clock.set(hourEndMs(hour));
    const client = await clientOf(server);
    const link = await finishedLink(client, formatBeijingHour(hour), 10_080);
    const response = await fetch(link);
    const reader = response.body!.getReader();
    let bytes = 0;
    server.clock.set(hourEndMs(hour) + 4 * DAY_MS);
    await waitUntil('the package is deleted', async () => (await hourFolders(server, 'packages')).length === 0);
    for (let next = await reader.read(); !next.done; next = await reader.read())
      bytes += (next.value as Uint8Array).length;
    assert.equal(bytes, Number(response.headers.get('content-length')));
    assert.equal((await fetch(link)).status, 410, 'a link that is still valid to a package that is gone');
  });
});

async function post(server: TestServer, pages = 1): Promise<void> {
  const noise = (place: number): string =>
    Buffer.from(`${place} ${Math.sin(place)} ${Math.cos(place)}`).toString('base64');
  const events = Array.from({ length: pages }, (_, place) => ({
    t: 'page',
    tm: place,
    u: `u-${place}`,
    s: noise(place),
    d: 'd',
    tl: noise(place + 0.5),
  }));
  const response = await fetch(`${server.baseUrl}/v3/${server.project.ai}/web/pv`, {
    method: 'POST',
    body: JSON.stringify(events),
  });
  assert.equal(response.status, 200);
}

async function clientOf(server: TestServer): Promise<ExportClient> {
  const { baseUrl, clock, project } = server;
  const { clientId, secret, uid, ai } = project;
  return new ExportClient({
    baseUrl,
    clientId,
    ai,
    token: await getToken({ baseUrl, clientId, secret, project: uid, ai, clock }),
  });
}

function finishedLink(client: ExportClient, date: string, expireMinutes = 5): Promise<string> {
  return waitUntil(
    'the hour is FINISHED',
    async () => (await client.exportHour('page', { date, expireMinutes })).downloadLinks[0],
  );
}

async function finishedHour(client: ExportClient, hour: Hour): Promise<void> {
  const date = formatBeijingHour(hour);
  await waitUntil(
    `hour ${date} is FINISHED`,
    async () => (await client.exportHour('page', { date })).status === 'FINISHED',
  );
}

/** How many hours each project has a folder for. */
async function hourFolders(server: TestServer, store: 'packages'): Promise<number[]> {
  return readBelow(join(server.data, store), async (root) => {
    const projects = await readdir(root);
    return Promise.all(projects.map(async (ai) => (await readdir(join(root, ai))).length));
  });
}
