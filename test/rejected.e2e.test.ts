/** Rejected events: counted, downloaded and replayed beside a running server. */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { getToken } from '../src/client/export-client.ts';
import { addHours, formatBeijingHour, hourOf } from '../src/events/hour.ts';
import { systemClock } from '../src/lib/clock.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { exportRows } from './helpers/export-rows.ts';
import { endStatus } from './helpers/hour-status.ts';
import { startRecentServer } from './helpers/recent-server.ts';
import { sendEvents } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';
import { runTidegate } from './helpers/tidegate-command.ts';
import { waitUntil } from './helpers/wait-until.ts';

const AI = TEST_PROJECT.ai;
const PATH = `/v3/${AI}/web/cstm`;
const NO_NAME = 'n (the event name) is missing';
const NO_VISITOR = 'u (the visitor) is missing';
const good = { t: 'cstm', tm: 1, u: 'u', s: 's', d: 'shop', n: 'buy' };
const nameless = { t: 'cstm', tm: 1, u: 'u', s: 's', d: 'shop', num: '1.50' };
const nobody = { ...good, u: null };

async function ask(server: TestServer, path: string, headers: Record<string, string> = {}): Promise<Response> {
  const { baseUrl, clock, project } = server;
  const { ai, uid, clientId, secret } = project;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  return fetch(`${baseUrl}/api/v1/projects/${AI}${path}`, { headers: { Authorization: token, ...headers } });
}

test('rejected events are counted by hour and reason, and downloaded with all that is known of them', async (t) => {
  const server = await startTestServer(t);
  const first = hourOf(HOUR_START_MS);
  const headers = { 'User-Agent': 'a test' };
  await sendEvents(server, PATH, [nameless, good, nobody, nameless], { headers });
  const date = formatBeijingHour(first);
  const early = await ask(server, `/rejected?hour=${date}`);
  assert.equal(early.status, 404);
  assert.match(await early.text(), /hour_unreadable.*has not ended/);
  assert.ok(Number(early.headers.get('retry-after')) > 2_900);
  assert.deepEqual(await (await ask(server, '/rejected')).json(), { hours: [] });

  await exportRows(server, first);
  const second = addHours(first, 1);
  await sendEvents(server, PATH, [nobody]);
  await exportRows(server, second);
  const reasons = [
    { reason: NO_NAME, events: 2 },
    { reason: NO_VISITOR, events: 1 },
  ];
  const hours = [
    { hour: date, events: 3, reasons },
    { hour: formatBeijingHour(second), events: 1, reasons: [{ reason: NO_VISITOR, events: 1 }] },
  ];
  assert.deepEqual(await (await ask(server, `/rejected?hour=${date}`)).json(), { hours: hours.slice(0, 1) });
  assert.deepEqual(await (await ask(server, '/rejected')).json(), { hours });
  const page = (await (await ask(server, '/rejected?limit=1')).json()) as { hours: unknown; next: string };
  assert.deepEqual(page, { hours: hours.slice(0, 1), next: formatBeijingHour(second) });
  assert.deepEqual(await (await ask(server, `/rejected?limit=1&from=${page.next}`)).json(), { hours: hours.slice(1) });

  const download = await ask(server, `/rejected/${date}.ndjson`);
  assert.equal(download.headers.get('content-type'), 'application/x-ndjson');
  const text = await download.text();
  const records = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(records.length, 3);
  assert.equal(new Set(records.map(({ id }) => id)).size, 3, 'records that are the same have names of their own');
  assert.ok(records.every(({ id }) => String(id).startsWith(`${date}-`)));
  const { id: _id, ...record } = records[0]!;
  assert.deepEqual(record, {
    sendTime: HOUR_START_MS + 600_000,
    reason: NO_NAME,
    line: 'custom_event',
    platform: 'web',
    ip: '127.0.0.1',
    userAgent: 'a test',
    event: nameless,
  });
  assert.equal(await (await ask(server, `/rejected/${date}.ndjson`)).text(), text, 'the same names again');
  const head = await ask(server, '/rejected/2026112325.ndjson');
  assert.equal(head.status, 400);
  assert.equal((await ask(server, '/rejected/2020010100.ndjson')).status, 404);
});

test('a client that hangs up during a download of rejected events leaves no file open', async (t) => {
  const server = await startTestServer(t);
  const filler = 'x'.repeat(60_000);
  for (let request = 0; request < 8; request += 1)
    await sendEvents(
      server,
      PATH,
      Array.from({ length: 100 }, (_, place) => ({ ...nameless, filler, place, request })),
    );
  const hour = hourOf(HOUR_START_MS);
  await exportRows(server, hour);
  const { baseUrl, clock, project } = server;
  const { ai, uid, clientId, secret } = project;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  const url = `${baseUrl}/api/v1/projects/${AI}/rejected/${formatBeijingHour(hour)}.ndjson`;
  const request = get(url, { headers: { Authorization: token }, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  await once(response, 'readable');
  response.read(1);
  await waitUntil('the download has a run open', () => openRuns() > 0);
  request.on('error', () => undefined).destroy();
  await waitUntil('the run is closed', () => openRuns() === 0);
});

/** How many runs this process, which is the server, has open. */
function openRuns(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).endsWith('.run');
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

test('an edited download is replayed beside the server, once, and the ledger says what came from it', async (t) => {
  const server = await startRecentServer(t);
  await sendEvents(server, PATH, [nameless, nobody]);
  server.endHour(server.hour);
  assert.equal((await endStatus(server, server.hour)).status, 'FINISHED');
  server.catchUp();
  const which = ['--data', server.data, '--ai', AI];
  const hour = ['--hour', formatBeijingHour(server.hour)];

  const listed = await runTidegate('rejected', 'list', ...which);
  assert.match(listed.stdout, new RegExp(`: 2 rejected\\n.*1: ${NO_NAME.replaceAll(/[()]/g, '\\$&')}`));
  const open = await runTidegate(
    'rejected',
    'download',
    ...which,
    '--hour',
    formatBeijingHour(addHours(hourOf(systemClock.nowMs()), 1)), // the next hour, which no slow machine sees end
  );
  assert.equal(open.exitCode, 1);
  assert.match(open.stderr, /has not ended/);
  const again = await runTidegate('rejected', 'replay', ...which, ...hour);
  assert.match(again.stdout, /^Of 2 events 0 were sent again;.* 2 are rejected still\./);

  const { stdout } = await runTidegate('rejected', 'download', ...which, ...hour);
  const file = join(dirname(server.data), 'edited.ndjson');
  await writeFile(file, stdout.replace('"num":"1.50"}', '"num":"1.50","n":"mended"}'));
  const replayed = await runTidegate('rejected', 'replay', ...which, '--file', file, '--json');
  assert.equal(replayed.exitCode, 0, replayed.stderr);
  const { replayed: sent, rejected, reasons } = JSON.parse(replayed.stdout) as Record<string, unknown>;
  assert.deepEqual([sent, rejected, reasons], [1, 1, { [NO_VISITOR]: 1 }]);
  const twice = await runTidegate('rejected', 'replay', ...which, '--file', file);
  assert.match(twice.stdout, /^Of 2 events 0 were sent again; 1 had been before/);

  const now = hourOf(server.clock.nowMs());
  const rows = (await exportRows(server, hourOf(systemClock.nowMs()))).custom_event;
  const found = rows.length > 0 ? rows : (await exportRows(server, now)).custom_event; // the hour may have turned
  assert.deepEqual(
    found.map(({ eventName, eventNumber }) => [eventName, eventNumber]),
    [['mended', '1.5']],
  );
  const manifestHour = formatBeijingHour(rows.length > 0 ? hourOf(Number(found[0]!.sendTime)) : now);
  const manifest = (await (await ask(server, `/hours/${manifestHour}/manifest`)).json()) as {
    ledger: { replayed?: number; events: Record<string, unknown> };
  };
  assert.equal(manifest.ledger.replayed, 1);
  assert.deepEqual(manifest.ledger.events.custom_event, { received: 1, accepted: 1, rejected: 0, ignored: 0 });
});
