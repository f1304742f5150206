/** What is sent again is exported once, and what only looks alike is not taken for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import snappy from 'snappyjs';
import { addHours, HOUR_MS, hourOf } from '../src/events/hour.ts';
import { xorBody } from './data/wire-encoders.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { exportRows, onlyRow, type TableRow, type Tables } from './helpers/export-rows.ts';
import { send, sendEvents } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';

const HOUR = hourOf(HOUR_START_MS);
const AI = TEST_PROJECT.ai;
const PATH = `/v3/${AI}/web/pv`;
const TM = 1_795_472_990_000;
type Event = Readonly<Record<string, unknown>>;

const of = (u: string): Event => ({ u, s: 'session', d: 'shop.example.test', p: '/', tm: TM });
const visit = (u: string): Event => ({ ...of(u), t: 'vst', l: 'en' });
const page = (u: string): Event => ({ ...of(u), t: 'page', tl: 'Home' });
const click = (u: string): Event => ({ ...of(u), t: 'clck', ptm: TM, e: [{ x: '/a', v: 'buy' }] });
const custom = (u: string): Event => ({
  ...of(u),
  t: 'cstm',
  ptm: TM,
  n: 'buy',
  var: { b: '2', a: { d: 1, c: [2, 3] } },
});
const batchOf = (u: string): readonly Event[] => [
  visit(u),
  page(u),
  click(u),
  { ...click(u), t: 'chng', e: [{ v: 'one' }, { v: 'two' }] },
  custom(u),
  { ...of(u), t: 'pvar', ptm: TM, var: { a: 'b' } },
  { ...of(u), t: 'evar', var: { a: 'b' } },
  { ...of(u), t: 'vstr', var: { a: 'b' } },
  { ...of(u), t: 'activate', ui: 'idfa' },
];
const ROWS_OF_BATCH = {
  visit: 1,
  page: 1,
  action: 3,
  action_tag: 0,
  custom_event: 1,
  ads_track_activation: 1,
  ads_track_click: 0,
  pvar: 1,
  evar: 1,
  vstr: 1,
};

function rowsOf(tables: Tables, visitUserId: string): Record<string, readonly TableRow[]> {
  return Object.fromEntries(
    Object.entries(tables).map(([dataType, rows]) => [dataType, rows.filter((row) => row.visitUserId === visitUserId)]),
  );
}

const countsOf = (tables: Tables, u: string): Record<string, number> =>
  Object.fromEntries(Object.entries(rowsOf(tables, u)).map(([dataType, rows]) => [dataType, rows.length]));

/** Small segments, so that the copies lie in different runs; one large, so that they lie in the same. */
for (const segmentBytes of [1, 64 * 1024 * 1024]) {
  test(`duplicates, with segments of ${segmentBytes} bytes`, async (t) => {
    const server = await startTestServer(t, { segmentBytes });
    await sendAll(server);
    const tables = await exportRows(server, HOUR);

    await t.test('a batch sent twice is exported once', () => {
      assert.deepEqual(countsOf(tables, 'twice'), ROWS_OF_BATCH);
    });
    await t.test('the second sending may differ in stm, headers, path and coding', () => {
      assert.deepEqual(countsOf(tables, 'other-way'), ROWS_OF_BATCH);
    });
    await t.test('two equal clicks in one batch are two rows', () => {
      assert.equal(rowsOf(tables, 'two-clicks').action?.length, 2);
    });
    await t.test('a batch with two equal clicks sent twice is still two rows', () => {
      const { action = [] } = rowsOf(tables, 'two-clicks-twice');
      assert.equal(action.length, 2);
      assert.equal(new Set(action.map((row) => row.actionRequestId)).size, 2);
    });
    await t.test('two equal elements of one click are two rows', () => {
      assert.equal(rowsOf(tables, 'two-elements').action?.length, 2);
    });
    await t.test('a page sent again in the hour with another login user is one row, the last', () => {
      const row = onlyRow(tables.page, { visitUserId: 'logged-in' });
      assert.equal(row.loginUserId, 'user-2');
      assert.equal(row.sendTime, String(HOUR_START_MS + 620_000));
    });
    await t.test('a page sent twice in one request is the last', () => {
      assert.equal(onlyRow(tables.page, { visitUserId: 'in-one-request' }).loginUserId, 'user-2');
    });
    await t.test('pages with another tm, session or visitor are other pages', () => {
      const pages = tables.page.filter((row) => row.title === 'Apart');
      assert.deepEqual(
        pages.map((row) => [row.visitUserId, row.sessionId, row.time]),
        [
          ['apart', 'session', String(TM)],
          ['apart', 'session', String(TM + 1)],
          ['apart', 'session-2', String(TM)],
          ['apart-2', 'session', String(TM)],
        ],
      );
      assert.equal(new Set(pages.map((row) => row.pageRequestId)).size, 4);
      assert.equal(new Set(pages.map((row) => row.vstRequestId)).size, 3);
    });
    await t.test('the same event with its keys in another order, and blanks, is the same', () => {
      assert.equal(rowsOf(tables, 'key-order').custom_event?.length, 1);
    });
    await t.test('an event that differs in anything that was sent is another', () => {
      assert.equal(rowsOf(tables, 'differs').custom_event?.length, 3);
    });
    await t.test('events that differ behind the width of their columns are two', () => {
      assert.equal(rowsOf(tables, 'cut').custom_event?.length, 2);
    });
    await t.test('a visit sent again in the same session is one row, the first', () => {
      const row = onlyRow(tables.visit, { visitUserId: 'visits' });
      assert.deepEqual([row.language, row.time], ['en', String(TM)]);
    });
  });
}

test('what is sent again after the end of its hour', async (t) => {
  const server = await startTestServer(t);
  const noDomain = { ...custom('late'), d: undefined, n: 'without domain' };
  await sendEvents(server, PATH, batchOf('early'));
  server.clock.set(HOUR_START_MS + 55 * 60_000);
  await sendEvents(server, PATH, [noDomain]);
  await sendEvents(server, PATH, batchOf('late'));
  const first = await exportRows(server, HOUR);
  server.clock.set(HOUR_START_MS + HOUR_MS + 60_000);
  await sendEvents(server, PATH, [...batchOf('early'), ...batchOf('late'), ...batchOf('new'), noDomain]);
  await sendEvents(server, PATH, [{ ...click('late'), e: [{ v: 'another' }] }]);
  const second = await exportRows(server, addHours(HOUR, 1));

  await t.test('is not exported again when it came in the last minutes of that hour', () => {
    assert.deepEqual(countsOf(first, 'late'), { ...ROWS_OF_BATCH, custom_event: 2 });
    assert.deepEqual(
      Object.values(rowsOf(second, 'late')).flatMap((rows) => rows.map((row) => row.requestValue)),
      ['another'],
    );
  });
  await t.test('is exported again when it came before: the window is some minutes', () => {
    assert.deepEqual(countsOf(first, 'early'), ROWS_OF_BATCH);
    // A device has one activation in 15 days, however late it is sent again.
    assert.deepEqual(countsOf(second, 'early'), { ...ROWS_OF_BATCH, ads_track_activation: 0 });
  });
  await t.test('takes nothing away from what is new', () => {
    assert.deepEqual(countsOf(second, 'new'), ROWS_OF_BATCH);
  });
});

async function sendAll(server: TestServer): Promise<void> {
  await sendTwice(server, batchOf('twice'));

  const stm = 1_795_473_000_123;
  await sendEvents(server, `${PATH}?stm=${stm - 5}`, batchOf('other-way'));
  await sendEvents(server, `/v3/${AI}/web/cstm?stm=${stm}`, batchOf('other-way'), {
    headers: { 'User-Agent': 'another', 'Content-Type': 'text/plain', 'X-Compress-Codec': '2', 'X-Crypt-Codec': '1' },
    encode: (json) => json,
  });
  await sendEvents(server, `/v3/${AI}/android/other?stm=${stm}`, batchOf('other-way'), {
    headers: { 'X-Compress-Codec': '2', 'X-Crypt-Codec': '1' },
    encode: (json) => xorBody(Buffer.from(snappy.compress(json)), stm),
  });

  await sendEvents(server, PATH, [click('two-clicks'), click('two-clicks')]);
  await sendTwice(server, [click('two-clicks-twice'), click('two-clicks-twice')]);
  await sendEvents(server, PATH, [{ ...click('two-elements'), e: [{ v: 'a' }, { v: 'a' }] }]);

  const loggedIn = page('logged-in');
  await sendEvents(server, PATH, [loggedIn]);
  server.clock.set(HOUR_START_MS + 610_000);
  await sendEvents(server, PATH, [{ ...loggedIn, cs1: 'user-1' }]);
  server.clock.set(HOUR_START_MS + 620_000);
  await sendEvents(server, PATH, [{ ...loggedIn, cs1: 'user-2', rp: 'own page' }]);
  await sendEvents(server, PATH, [{ ...page('in-one-request') }, { ...page('in-one-request'), cs1: 'user-2' }]);

  const apart = { ...page('apart'), tl: 'Apart' };
  await sendEvents(server, PATH, [
    apart,
    { ...apart, tm: TM + 1 },
    { ...apart, s: 'session-2' },
    { ...apart, u: 'apart-2' },
  ]);

  const { n, var: variables, ...rest } = custom('key-order');
  await sendEvents(server, PATH, [{ ...rest, n, var: variables }]);
  const reordered = {
    var: { a: { c: [2, 3], d: 1 }, b: '2' },
    n,
    ...Object.fromEntries(Object.entries(rest).reverse()),
  };
  const answer = await send(server, { path: PATH, body: JSON.stringify([reordered], null, 2) });
  assert.equal(answer.status, 200, answer.text);

  const differs = custom('differs');
  await sendEvents(server, PATH, [differs]);
  await sendEvents(server, PATH, [{ ...differs, esid: 1 }]);
  await sendEvents(server, PATH, [{ ...differs, var: { b: 2, a: { d: 1, c: [3, 2] } } }]);

  for (const end of ['1', '2']) {
    await sendEvents(server, PATH, [{ ...custom('cut'), p: 'x'.repeat(1024) + end }]);
  }

  await sendEvents(server, PATH, [visit('visits')]);
  await sendEvents(server, PATH, [{ ...visit('visits'), l: 'zh', tm: TM + 5 }]);
}

async function sendTwice(server: TestServer, events: readonly Event[]): Promise<void> {
  await sendEvents(server, PATH, events);
  await sendEvents(server, PATH, events);
}
