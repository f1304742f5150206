/** The 1.0 API over a whole server: clients written from its document, revisions, retention, removal, verification. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openDataCatalog } from '../src/catalog/data-catalog.ts';
import { addHours, formatBeijingHour, hourEndMs, hourOf, HOUR_MS } from '../src/events/hour.ts';
import { removeLegacyHour } from '../src/exports/legacy/remove-legacy-hour.ts';
import { LocalPackageStore } from '../src/packages/local-package-store.ts';
import { atEnd } from './helpers/at-end.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { exportRows, type TableRow } from './helpers/export-rows.ts';
import { askLegacy, legacyLinks, legacyToken, readLegacy, type LegacyTables } from './helpers/legacy-client.ts';
import { readMetrics } from './helpers/read-metrics.ts';
import { sendEvents } from './helpers/send-events.ts';
import { findPackages, listPackages } from './helpers/stored-packages.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';
import { runTidegate } from './helpers/tidegate-command.ts';
import { waitUntil } from './helpers/wait-until.ts';

const run = promisify(execFile);
const AI = TEST_PROJECT.ai;
const HOUR = hourOf(HOUR_START_MS);
const DATE = formatBeijingHour(HOUR);
const COLUMNS = JSON.parse(readFileSync(new URL('data/legacy-columns.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, readonly string[]>
>;
const NASTY = 'a,"b"\\c\nd\r\n😀';

/** Sends one visitor's web session whose events arrive in another order than they happened, and a server event. */
async function sendSession(server: TestServer): Promise<void> {
  const base = { u: 'u-1', s: 's-1', d: 'shop.test', p: NASTY, q: 'a=1' };
  const start = server.clock.nowMs();
  const sendAt = async (ms: number, path: string, events: readonly unknown[]): Promise<void> => {
    server.clock.set(start + ms);
    await sendEvents(server, `/v3/${AI}/${path}?stm=1`, events);
  };
  await sendAt(0, 'web/pv', [
    { ...base, t: 'vst', tm: 5, sh: 844, sw: 390, l: 'zh-cn', rf: 'https://ref.test/' },
    { ...base, t: 'page', tm: 1_000, tl: NASTY, cs1: '', rf: null },
  ]);
  await sendAt(10, 'web/other', [
    { ...base, t: 'clck', tm: 3_000, ptm: 1_000, e: [{ x: '/a', v: NASTY, h: '/next', idx: 2 }, { x: '/b' }] },
  ]);
  await sendAt(20, 'web/other', [{ ...base, t: 'clck', tm: 2_000, ptm: 1_000, e: [{ x: '/late', v: 'late' }] }]);
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`v${index}`, `"${index}"`]));
  await sendAt(30, 'web/cstm', [
    { ...base, t: 'cstm', tm: 4_000, ptm: 1_000, n: 'buy', num: 2, cs1: 'user-9', var: { _userId: 'x', k: NASTY } },
    { ...base, t: 'cstm', tm: 4_001, n: 'many', var: many },
    { ...base, t: 'pvar', tm: 4_002, ptm: 1_000, var: { cat: 'fruit' } },
  ]);
  await sendAt(40, 's2s/cstm', [{ t: 'cstm', tm: 4_003, n: 'paid', cs1: 'user-7', var: { price: 9.5 } }]);
}

/** Checks what a client got against what 2.0 exported of the same hour. */
function check(tables: LegacyTables, v2: Readonly<Record<string, readonly TableRow[]>>): void {
  assert.deepEqual(Object.keys(tables), ['visit', 'page', 'action', 'custom_attr']);
  for (const [table, rows] of Object.entries(tables))
    for (const row of rows) assert.deepEqual(Object.keys(row), COLUMNS[table]);
  const [visit] = tables.visit!;
  assert.deepEqual(
    [visit?.userId, visit?.eventType, visit?.resolution, visit?.countryName, visit?.region, visit?.city, visit?.path],
    ['u-1', 'vst', '390 * 844', null, null, null, NASTY],
  );
  assert.equal(visit?.id, v2.visit![0]!.vstRequestId);
  const [page] = tables.page!;
  assert.deepEqual([page?.title, page?.cs1, page?.refer, page?.eventType], [NASTY, '', null, 'page']);
  assert.deepEqual([page?.id, page?.visit_id], [v2.page![0]!.pageRequestId, visit?.id], 'a page joins its visit');
  assert.deepEqual(
    v2.action!.map(({ time }) => time),
    ['2000', '3000', '3000'],
    '2.0 goes by the time of the event',
  );
  assert.deepEqual(
    tables.action!.map(({ eventTime, eventValue, index, page_id }) => [eventTime, eventValue, index, page_id]),
    [
      ['3000', NASTY, '2', page?.id],
      ['3000', null, null, page?.id],
      ['2000', 'late', null, page?.id],
    ].sort((a, b) => orderOf(v2, a) - orderOf(v2, b)),
    '1.0 goes by the send time',
  );
  const attributes = tables.custom_attr!.map(({ eventname, attribute }) => [
    eventname,
    JSON.parse(attribute!) as object,
  ]);
  const own = { _userId: 'u-1', _sessionId: 's-1', _domain: 'shop.test', _path: NASTY, _query: 'a=1' };
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`v${index}`, `"${index}"`]));
  const nobody = { _userId: null, _sessionId: null, _domain: null, _path: null, _query: null };
  assert.deepEqual(attributes, [
    ['paid', { ...nobody, _eventTime: 4_003, _cs1: 'user-7', price: '9.5' }],
    ['buy', { ...own, _eventTime: 4_000, _cs1: 'user-9', k: NASTY }],
    ['many', { ...own, _eventTime: 4_001, _cs1: null, ...many }],
  ]);
}

/** Two clicks of one event were sent at once; they stand as 2.0 has them, before the one that was sent later. */
function orderOf(v2: Readonly<Record<string, readonly TableRow[]>>, [time, value]: readonly unknown[]): number {
  const place = v2.action!.findIndex((row) => row.time === time && row.requestValue === value);
  return time === '2000' ? 99 : place;
}

test('a client written from the 1.0 document gets every row of the hour', async (t) => {
  const server = await startTestServer(t);
  await sendSession(server);
  const v2 = await exportRows(server, HOUR);
  const logBefore = await readLog(server);
  check(await readLegacy(server, DATE), v2);
  assert.deepEqual(await readLog(server), logBefore, 'nothing of it is in the publication log');

  await t.test('in Python too, with csv and gzip', async () => {
    const { uid, clientId, secret } = TEST_PROJECT;
    const script = join(import.meta.dirname, 'helpers/legacy_client.py');
    const { stdout } = await run('python3', [
      script,
      server.baseUrl,
      uid,
      AI,
      clientId,
      secret,
      String(server.clock.nowMs()),
      DATE,
    ]);
    const read = JSON.parse(stdout) as {
      readonly status: string;
      readonly tables: Readonly<Record<string, { readonly header: string[]; readonly rows: string[][] }>>;
    };
    assert.equal(read.status, 'FINISHED');
    for (const [table, rows] of Object.entries(await readLegacy(server, DATE))) {
      assert.deepEqual(read.tables[table]?.header, COLUMNS[table]);
      const texts = rows.map((row) => Object.values(row).map((value) => value ?? ''));
      assert.deepEqual(read.tables[table]?.rows, texts, table); // csv knows no null
    }
  });

  await t.test('and of its day', async () => {
    server.clock.set(hourEndMs(addHours(HOUR, 20)));
    assert.deepEqual(
      Object.keys(await readLegacy(server, DATE.slice(0, 8))),
      Object.keys(await readLegacy(server, DATE)),
    );
  });

  await t.test('and verify finds a package that was changed, which is made again when it is asked for', async () => {
    const verify = () => runTidegate('verify', '--data', server.data, '--json');
    const whole = await verify();
    assert.equal(whole.exitCode, 0, whole.stdout);
    const [key] = [...(await findPackages(server.data)).keys()].filter((name) => name.includes('/v1/'));
    const path = join(server.data, 'packages', key!);
    const bytes = await readFile(path);
    bytes[20]! ^= 1;
    await writeFile(path, bytes);
    assert.match((await verify()).stdout, /for the 1\.0 API: package .* its MD5 is/);
    await rm(path);
    assert.match((await verify()).stdout, /for the 1\.0 API: package .* not in the package store/);

    const retried = await runTidegate('export', 'retry', '--data', server.data, '--ai', AI, '--hour', DATE);
    assert.equal(retried.exitCode, 0, retried.stderr);
    assert.match(retried.stdout, /is FINISHED with revision 1\. Its packages of the 1\.0 API are made again/);
    await waitUntil('they are made again', async () => (await verify()).exitCode === 0);
  });
});

async function readLog({ baseUrl, project, clock }: TestServer): Promise<unknown> {
  const token = await legacyToken({ baseUrl, project, clock });
  const response = await fetch(`${baseUrl}/api/v1/projects/${AI}/log`, { headers: { Authorization: token } });
  return response.json();
}

test('packages are made with every hour where the project says so', async (t) => {
  const server = await startTestServer(t);
  const catalog = await openDataCatalog(server.data, server.clock);
  atEnd(t, () => catalog.close());
  const change = { values: { legacyExport: true }, fromHour: HOUR, nowMs: server.clock.nowMs(), by: 'a test' };
  await catalog.settings.change(AI, change);
  await sendSession(server);
  server.clock.set(hourEndMs(HOUR));
  const made = await waitUntil('the 1.0 packages are there without a call', async () => {
    const [task] = await catalog.legacy.listTasks(AI, { from: HOUR, until: addHours(HOUR, 1) });
    return task?.status === 'finished' && task;
  });
  assert.equal(made.revision, 1);
  const counted = await readMetrics(server, /^tidegate_legacy_tasks$/);
  assert.ok(counted.includes('tidegate_legacy_tasks{status="finished"} 1'), counted.join());
  assert.equal((await askLegacy(server, await legacyToken(server), DATE)).status, 'FINISHED', 'at the first call');
});

test('links to packages end at once when their hour is removed, and packages go with retention', async (t) => {
  const server = await startTestServer(t, { retentionDays: 1, retentionDoubtMs: 0 });
  await sendSession(server);
  server.clock.set(hourEndMs(HOUR));
  const [link] = await legacyLinks(server, DATE);
  const keys = async (): Promise<readonly string[]> =>
    (await listPackages(server.data)).filter((key) => /\/v1\/.*\.gz$/.test(key));
  assert.equal((await keys()).length, 4);

  const catalog = await openDataCatalog(server.data, server.clock);
  atEnd(t, () => catalog.close());
  const packages = await LocalPackageStore.open(join(server.data, 'packages'));
  // The clock of the task is ahead, so that nothing is made again before the test has looked.
  const nowMs = server.clock.nowMs() + 60_000;
  await removeLegacyHour({ catalog, packages, ai: AI, hour: HOUR, nowMs });
  assert.deepEqual(await catalog.legacy.listKept(AI, HOUR), []);
  assert.equal((await fetch(link!)).status, 410);
  const token = await legacyToken(server);
  assert.deepEqual(await askLegacy(server, token, DATE), { status: 'RUNNING', downlinks: [] });
  server.clock.set(nowMs);
  assert.deepEqual((await legacyLinks(server, DATE)).length, 4, 'they are made again');

  server.clock.set(hourEndMs(HOUR) + 3 * 24 * HOUR_MS);
  assert.deepEqual(await askLegacy(server, token, DATE), { status: 'NOT_EXISTS', downlinks: [] });
  await waitUntil('retention has deleted the 1.0 packages', async () => {
    const left = await keys().catch(() => undefined); // folders may go while they are listed
    return left?.length === 0;
  });
  assert.deepEqual(await catalog.legacy.listHours(AI), []);
});

test('several servers on one data directory make an hour once', async (t) => {
  const first = await startTestServer(t);
  await sendSession(first);
  first.clock.set(hourEndMs(HOUR));
  await exportRows(first, HOUR);
  const second = await startTestServer(t, { data: first.data, clock: first.clock });
  const links = await Promise.all([first, second, first, second].map((server) => legacyLinks(server, DATE)));
  for (const [place, some] of links.entries())
    assert.deepEqual(some.map(pathOf), links[0]!.map(pathOf), `call ${place}`);
  const catalog = await openDataCatalog(first.data, first.clock);
  const [task] = await catalog.legacy.listTasks(AI, { from: HOUR, until: addHours(HOUR, 1) });
  await catalog.close();
  assert.equal(task?.attempts, 1);
});

function pathOf(link: string): string {
  return new URL(link).pathname.replace(/^\/[0-9a-f]+_/, '');
}
