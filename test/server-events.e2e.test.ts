/**
 * Server events end to end: they name a login user, and take visitor and session of the last page with that login user in the four
 * hours before, whichever server took it.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDataCatalog } from '../src/catalog/data-catalog.ts';
import { addHours, HOUR_MS, hourOf, hourStartMs } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertRow, exportRows, onlyRow, type TableRow } from './helpers/export-rows.ts';
import { startRecentServer } from './helpers/recent-server.ts';
import { sendEvents } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { runTidegate } from './helpers/tidegate-command.ts';

const HOUR = hourOf(HOUR_START_MS);
const TM = 1_795_472_990_000;
const MINUTE_MS = 60_000;
type Event = Readonly<Record<string, unknown>>;

const page = (u: string, cs1: unknown, tm = TM): Event => ({ t: 'page', u, s: `${u}-s`, tm, d: 'shop', p: '/', cs1 });
const event = (n: string, cs1: unknown, more: Event = {}): Event => ({ t: 'cstm', tm: TM, n, cs1, ...more });

const sendPage = (server: TestServer, ...pages: readonly Event[]): Promise<unknown> =>
  sendEvents(server, `/v3/${server.project.ai}/web/pv`, pages);
const sendServer = (server: TestServer, ...events: readonly Event[]): Promise<unknown> =>
  sendEvents(server, `/v3/${server.project.ai}/s2s/cstm`, events);

function visitorsOf(rows: readonly TableRow[], eventName: string): readonly (string | null)[][] {
  return rows.filter((row) => row.eventName === eventName).map((row) => [row.visitUserId!, row.sessionId!]);
}

test('a server event', async (t) => {
  const server = await startTestServer(t);
  const other = await startTestServer(t, { data: server.data, clock: server.clock });
  const catalog = await openDataCatalog(server.data, server.clock);
  const elsewhere = {
    ...TEST_PROJECT,
    ai: 'fedcba9876543210',
    uid: 'zZ9yY8xX',
    clientId: 'another-key',
    name: 'Other',
  };
  await catalog.projects.create(elsewhere);
  await catalog.close();

  await sendPage(other, page('on-other', 'user-other'));
  await sendServer(server, event('on another server', 'user-other', { num: 9.5, var: { order: '7', price: 14.5 } }));
  await sendPage(server, page('first', 'user-last'), page('second', 'user-last', TM + 1));
  await sendServer(server, event('of the last page', 'user-last'));
  await sendServer(server, event('before its page', 'user-late'));
  server.clock.set(server.clock.nowMs() + 1);
  await sendPage(server, page('late', 'user-late'));
  await sendServer(server, event('without a page', 'user-none'));
  await sendPage(server, page('other-user', 'user'));
  await sendServer(server, event('of a longer name', 'user2'));
  await sendServer(server, event('with a visitor of its own', 'user', { u: 'own', s: 'own-s' }));
  await sendPage(server, page('number', 12345));
  await sendServer(server, event('of a number', '12345'), event('as a number', 12345));
  await sendEvents(server, `/v3/${elsewhere.ai}/web/pv`, [page('elsewhere', 'user-elsewhere')]);
  await sendServer(server, event('of another project', 'user-elsewhere'));
  const [long, longer] = [`${'长'.repeat(200)}a`, `${'长'.repeat(200)}b`];
  await sendPage(server, page('long', long));
  await sendServer(server, event('of a name that is cut', long), event('of one that is cut to the same', longer));
  await sendServer(server, event('with ptm and blank ids', 'user-none', { ptm: TM, u: '', s: null }));
  const { custom_event: rows } = await exportRows(server, HOUR);

  const cases: readonly (readonly [name: string, visitor: string | null])[] = [
    ['of the last page', 'second'],
    ['before its page', null],
    ['without a page', null],
    ['of a longer name', null],
    ['with a visitor of its own', 'own'],
    ['of a number', 'number'],
    ['as a number', 'number'],
    ['of another project', null],
    ['of a name that is cut', 'long'],
    ['of one that is cut to the same', null],
  ];
  for (const [name, visitor] of cases) {
    await t.test(`${name} has ${visitor === null ? 'no visitor' : `the visitor "${visitor}"`}`, () => {
      assert.deepEqual(visitorsOf(rows, name), [[visitor, visitor && `${visitor}-s`]]);
    });
  }
  await t.test('takes nothing else of the page', () => {
    assertRow(onlyRow(rows, { eventName: 'on another server' }), 'custom_event', {
      visitUserId: 'on-other',
      sessionId: 'on-other-s',
      time: String(TM),
      sendTime: String(HOUR_START_MS + 600_000),
      eventName: 'on another server',
      eventNumber: '9.5',
      eventVariable: '{"order":"7","price":"14.5"}',
      loginUserId: 'user-other',
    });
  });
  await t.test('belongs to no page, although it says when one was', () => {
    const { pageRequestId, pageTime } = onlyRow(rows, { eventName: 'with ptm and blank ids' });
    assert.deepEqual([pageRequestId, pageTime], [null, String(TM)]);
  });
  await t.test('lies among the other rows in order of its visitor', () => {
    const visitors = rows.map((row) => row.visitUserId ?? '');
    assert.deepEqual(visitors, visitors.toSorted());
  });
});

test('the four hours before a server event', async (t) => {
  const server = await startTestServer(t);
  const other = await startTestServer(t, { data: server.data, clock: server.clock });
  const pageMs = HOUR_START_MS + 30 * MINUTE_MS;
  server.clock.set(pageMs);
  await sendPage(other, page('seen', 'user'));
  await exportRows(server, HOUR);
  server.clock.set(pageMs + 4 * HOUR_MS);
  await sendServer(server, event('in time', 'user'));
  server.clock.set(pageMs + 4 * HOUR_MS + 1);
  await sendServer(server, event('too late', 'user'));
  server.clock.set(pageMs + 4 * HOUR_MS + 2);
  await sendPage(other, page('seen-again', 'user', TM + 5));
  const { custom_event: rows } = await exportRows(server, addHours(HOUR, 4));
  await t.test('are counted by send time to the millisecond', () => {
    assert.deepEqual(visitorsOf(rows, 'in time'), [['seen', 'seen-s']]);
    assert.deepEqual(visitorsOf(rows, 'too late'), [[null, null]]);
  });

  await sendServer(server, event('next hour', 'user'));
  const next = await exportRows(server, addHours(HOUR, 5));
  await t.test('reach over the ends of hours', () => {
    assert.deepEqual(visitorsOf(next.custom_event, 'next hour'), [['seen-again', 'seen-again-s']]);
  });
});

test('copies of a server event', async (t) => {
  const server = await startTestServer(t, { segmentBytes: 1 }); // each request in a run of its own
  const twice = event('twice', 'user');
  await sendPage(server, page('before', 'user'));
  await sendServer(server, twice);
  server.clock.set(HOUR_START_MS + 52 * MINUTE_MS);
  await sendPage(server, page('between', 'user'));
  await sendServer(server, twice, event('across', 'user'));
  server.clock.set(HOUR_START_MS + HOUR_MS - 1);
  await sendPage(server, page('after', 'user'));
  const first = await exportRows(server, HOUR);
  await sendServer(server, event('across', 'user'), event('new', 'user'));
  const second = await exportRows(server, addHours(HOUR, 1));
  await t.test('in one hour are one row, with what the first found', () => {
    assert.deepEqual(visitorsOf(first.custom_event, 'twice'), [['before', 'before-s']]);
  });
  await t.test('across the end of an hour are one row, although a page came between', () => {
    assert.deepEqual(visitorsOf(first.custom_event, 'across'), [['between', 'between-s']]);
    assert.deepEqual(
      second.custom_event.map((row) => [row.eventName, row.visitUserId]),
      [['new', 'after']],
    );
  });
});

test('an import of past server events', async (t) => {
  const server = await startRecentServer(t);
  const { hour, data } = server;
  await sendPage(server, page('live', 'user-live'));
  await sendServer(server, event('live', 'user-live'));
  server.endHour(hour);
  await exportRows(server, hour);
  server.endHour(addHours(hour, 2));
  server.catchUp();

  // Into the hours after that one, in which nothing came in. The pages of the import stand behind its events.
  const sentMs = hourStartMs(addHours(hour, 2)) + 1000;
  const line = (of: Event, platform: string, sendTime: number): string => JSON.stringify({ ...of, sendTime, platform });
  const lines = [
    line(event('imported', 'user-past'), 's2s', sentMs),
    line(page('past', 'user-past'), 'web', sentMs - HOUR_MS),
    line(event('of a live page', 'user-live'), 's2s', sentMs + 1),
    line(event('of nobody', 'user-none'), 's2s', sentMs + 2),
    line(event('of nobody', 'user-none'), 's2s', sentMs + 9),
  ];
  const file = join(await temporaryFolder(t), 'past.ndjson');
  await writeFile(file, `${lines.join('\n')}\n`);
  const imported = await runTidegate('import', '--data', data, '--ai', server.project.ai, file);
  assert.equal(imported.exitCode, 0, imported.stdout + imported.stderr);

  const { custom_event: rows } = await exportRows(server, addHours(hour, 2));
  await t.test('finds visitors among imported pages and those that came in', () => {
    assert.deepEqual(
      rows.map((row) => [row.eventName, row.visitUserId]),
      [
        ['of nobody', null],
        ['of a live page', 'live'],
        ['imported', 'past'],
      ],
    );
  });
  await t.test('leaves a data directory in which `tidegate verify` finds nothing', async () => {
    const { exitCode, stdout, stderr } = await runTidegate('verify', '--data', data);
    assert.equal(exitCode, 0, stdout + stderr);
  });
});
