/** Events that cannot be taken: each is kept with its reason, its neighbours are exported, and the answer stays 200. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hourOf } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertRow, exportRows, onlyRow, readRejected } from './helpers/export-rows.ts';
import { send, sendEvents, type Receipt } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT } from './helpers/test-server.ts';

const HOUR = hourOf(HOUR_START_MS);
const AI = TEST_PROJECT.ai;
const WEB = `/v3/${AI}/web/cstm`;
const S2S = `/v3/${AI}/s2s/cstm`;
const TM = 1_795_472_990_000;

type Case = readonly [what: string, event: unknown, reason: string];
const custom = { t: 'cstm', u: 'u', s: 's', tm: TM, n: 'buy' };
const click = { t: 'clck', u: 'u', s: 's', tm: TM, e: [{ v: 'a' }] };
const server = { t: 'cstm', tm: TM, n: 'buy', cs1: 'user' };

const NO_TIME = 'tm is no whole number of milliseconds';
const NO_VISITOR = 'u (the visitor) is missing';
const NO_NAME = 'n (the event name) is missing';
const NO_ELEMENTS = 'e (the elements of an action) is missing or empty';
const REJECTED: readonly Case[] = [
  ['t missing', { ...custom, t: undefined }, 't (the event type) is missing'],
  ['t null', { ...custom, t: null }, 't (the event type) is missing'],
  ['t empty', { ...custom, t: '' }, 't (the event type) is missing'],
  ['t a number', { ...custom, t: 5 }, 't (the event type) is missing'],
  ['tm missing', { ...custom, tm: undefined }, NO_TIME],
  ['tm null', { ...custom, tm: null }, NO_TIME],
  ['tm empty', { ...custom, tm: '' }, NO_TIME],
  ['tm a word', { ...custom, tm: 'now' }, NO_TIME],
  ['tm a float', { ...custom, tm: TM + 0.5 }, NO_TIME],
  ['tm a float in a text', { ...custom, tm: `${TM}.5` }, NO_TIME],
  ['tm beyond what a double holds', { ...custom, tm: 2 ** 53 }, NO_TIME],
  ['tm an object', { ...custom, tm: {} }, NO_TIME],
  ['tm true', { ...custom, tm: true }, NO_TIME],
  ['tm of a page', { t: 'page', u: 'u' }, NO_TIME],
  ['u missing', { ...custom, u: undefined }, NO_VISITOR],
  ['u null', { ...custom, u: null }, NO_VISITOR],
  ['u empty', { ...custom, u: '' }, NO_VISITOR],
  ['u of a visit', { t: 'vst', tm: TM }, NO_VISITOR],
  ['u of an activation', { t: 'activate', tm: TM }, NO_VISITOR],
  ['n missing', { ...custom, n: undefined }, NO_NAME],
  ['n null', { ...custom, n: null }, NO_NAME],
  ['n empty', { ...custom, n: '' }, NO_NAME],
  ['e missing', { ...click, e: undefined }, NO_ELEMENTS],
  ['e empty', { ...click, e: [] }, NO_ELEMENTS],
  ['e an object', { ...click, e: { v: 'a' } }, NO_ELEMENTS],
  ['e a text', { ...click, t: 'chng', e: 'abc' }, NO_ELEMENTS],
  ['e with a number', { ...click, e: [{ v: 'a' }, 5] }, 'e holds something that is no object'],
  ['e with null', { ...click, t: 'sbmt', e: [null] }, 'e holds something that is no object'],
  ['e with an array', { ...click, e: [[]] }, 'e holds something that is no object'],
  ['e with too many', { ...click, e: Array.from({ length: 5001 }, () => ({})) }, 'e has more than 5000 elements'],
];

const NOT_CUSTOM = 'a server event must have t "cstm"';
const SERVER_REJECTED: readonly Case[] = [
  ['a page', { t: 'page', u: 'u', tm: TM }, NOT_CUSTOM],
  ['an ignored type', { t: 'imp', u: 'u', tm: TM }, NOT_CUSTOM],
  ['a type we do not know', { t: 'CUSTOM', tm: TM }, NOT_CUSTOM],
  ['no t', { tm: TM, n: 'buy', cs1: 'user' }, 't (the event type) is missing'],
  ['no tm', { ...server, tm: undefined }, NO_TIME],
  ['no n', { ...server, n: undefined }, NO_NAME],
  ['empty n', { ...server, n: '' }, NO_NAME],
  ['n of 256', { ...server, n: '苹'.repeat(256) }, 'n is longer than 255 characters'],
  ['no cs1', { ...server, cs1: undefined }, 'cs1 (the login user) is missing'],
  ['cs1 null', { ...server, cs1: null }, 'cs1 (the login user) is missing'],
  ...['', '0', '1', '-1', '{user.id}', 'null'].map((cs1): Case => [
    `cs1 "${cs1}"`,
    { ...server, cs1 },
    `cs1 "${cs1}" is no login user`,
  ]),
  ...[0, 1, -1].map((cs1): Case => [`cs1 the number ${cs1}`, { ...server, cs1 }, `cs1 "${cs1}" is no login user`]),
  ['cs1 an object', { ...server, cs1: { id: 1 } }, 'cs1 holds a colon'],
  ['tm missing beside stm', { ...server, tm: null, stm: TM }, NO_TIME],
  ['cs1 with a colon', { ...server, cs1: 'a:b' }, 'cs1 holds a colon'],
  ['cs1 of 256', { ...server, cs1: '🍎'.repeat(256) }, 'cs1 is longer than 255 characters'],
  ['var a text', { ...server, var: 'a' }, 'var is no object'],
  ['var an array', { ...server, var: [1] }, 'var is no object'],
  ['var with true', { ...server, var: { a: true } }, 'var holds a value that is neither text nor number'],
  ['var with a map', { ...server, var: { a: {} } }, 'var holds a value that is neither text nor number'],
  ['var with 256', { ...server, var: { a: 'x'.repeat(256) } }, 'var holds a text longer than 255 characters'],
];

const SERVER_TAKEN = {
  'n of 255 emoji': { ...server, n: '🍎'.repeat(255) },
  'cs1 of 255 emoji': { ...server, cs1: '🍎'.repeat(255) },
  'var with null': { ...server, var: { a: null, b: 'x'.repeat(255), c: 1.5 } },
};

test('events that cannot be taken', async (t) => {
  const testServer = await startTestServer(t);
  const good: string[] = [];
  for (const [path, cases] of [
    [WEB, REJECTED],
    [S2S, SERVER_REJECTED],
  ] as const) {
    for (const [what, event, reason] of cases) {
      const name = `${path === S2S ? 'server: ' : ''}${what}`;
      const neighbour = { t: 'cstm', tm: TM, u: 'neighbour', cs1: 'user-1', n: name };
      const receipt = await sendEvents(testServer, path, [event, neighbour]);
      await t.test(`${name}: rejected alone`, () => {
        assert.deepEqual(receipt, { accepted: 1, rejected: 1, ignored: 0, reasons: [reason] } satisfies Receipt);
      });
      good.push(name);
    }
  }
  const taken = await sendEvents(testServer, S2S, Object.values(SERVER_TAKEN));
  const oversize = { ...custom, n: 'too large', var: { text: '苹'.repeat(360_000) } };
  const before = { ...custom, n: 'before the large one' };
  const after = { ...custom, n: 'behind the large one' };
  const receipt = await sendEvents(testServer, WEB, [before, oversize, after]);
  const tables = await exportRows(testServer, HOUR);
  const rejected = readRejected(testServer, HOUR);

  await t.test('have their neighbours exported', () => {
    const names = tables.custom_event.filter((row) => row.visitUserId === 'neighbour').map((row) => row.eventName);
    assert.deepEqual(names.sort(), good.sort());
  });
  await t.test('are each kept with its reason, as they were sent', () => {
    for (const [pathWord, cases] of [
      ['web', REJECTED],
      ['s2s', SERVER_REJECTED],
    ] as const) {
      const kept = rejected.filter(({ platform, event }) => platform === pathWord && event !== undefined);
      const expected = cases.map(([, event, reason]): unknown[] => [reason, JSON.parse(JSON.stringify(event))]);
      const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
      assert.deepEqual(kept.map(({ reason, event }) => [reason, event]).sort(byText), expected.sort(byText));
    }
    for (const { sendTime, ip, userAgent } of rejected) {
      assert.deepEqual(
        { sendTime, ip, userAgent },
        { sendTime: HOUR_START_MS + 600_000, ip: '127.0.0.1', userAgent: null },
      );
    }
  });
  await t.test('make no row in any table', () => {
    const others = Object.entries(tables).filter(([dataType, rows]) => dataType !== 'custom_event' && rows.length > 0);
    assert.deepEqual(others, []);
    assert.equal(tables.custom_event.length, good.length + Object.keys(SERVER_TAKEN).length + 2);
  });
  await t.test('over 1 MiB leave their neighbours, and the beginning of their text', () => {
    const { accepted, rejected: count, reasons = [] } = receipt;
    assert.deepEqual([accepted, count], [2, 1]);
    assert.match(reasons.join(), /^the event has \d{7} bytes, more than one event may have$/);
    assert.ok(onlyRow(tables.custom_event, { eventName: 'before the large one' }));
    assert.ok(onlyRow(tables.custom_event, { eventName: 'behind the large one' }));
    const kept = rejected.filter(({ eventHead }) => eventHead !== undefined);
    assert.equal(kept.length, 1);
    assert.ok(JSON.stringify(oversize).startsWith(kept[0]!.eventHead!), 'the beginning of its text');
    assert.ok(Buffer.byteLength(kept[0]!.eventHead!) > 60_000);
  });
  await t.test('of servers are not those at the edge of what is allowed', () => {
    assert.deepEqual(taken, { accepted: 3, rejected: 0, ignored: 0 });
  });
});

test('values of the wrong kind', async (t) => {
  const testServer = await startTestServer(t);
  const strange = `[{"t":"page","u":12345678901234567890,"s":7,"tm":" ${TM} ","b":"","d":127.10,"p":5,"q":true,"rf":{"a":[1]},
    "rp":[],"tl":1e3,"cs1":false,"pg":null,"o":"","var":[1,2],"cs2":0,"ps10":-0.0}]`;
  const answer = await send(testServer, { path: WEB, body: strange });
  assert.equal(answer.status, 200, answer.text);
  await sendEvents(testServer, WEB, [
    { ...custom, tm: -5, ptm: 'no time', num: 'many', var: 'text', d: 'x'.repeat(150) },
    { ...click, e: [{ idx: 'first', v: 1, h: null, tm: 'soon' }, { idx: ' 7 ' }, { idx: 2.5 }, { idx: -1 }] },
    { t: 'vst', u: 'u', s: 's', tm: TM, lat: ' 39.90 ', lng: 'east', sh: 1e21, ph: true, l: 'zh-Hans-CN-x-private' },
  ]);
  const whole = await send(testServer, {
    path: WEB,
    body: `[{"t":"clck","u":"whole","tm":${TM}.0,"ptm":1e3,"e":[{"idx":3.0}]},{"t":"cstm","u":"whole","tm":"${TM}","n":"x","num":50.0}]`,
  });
  assert.equal(whole.status, 200, whole.text);
  const tables = await exportRows(testServer, HOUR);

  await t.test('are read as text where text belongs', () => {
    assertRow(tables.page[0], 'page', {
      visitUserId: '12345678901234567890',
      sessionId: '7',
      platform: 'Web',
      domain: '127.10',
      page: '5',
      queryParameters: 'true',
      referrer: '{"a":[1]}',
      referrerPage: '[]',
      title: '1e3',
      time: String(TM),
      sendTime: String(HOUR_START_MS + 600_000),
      deviceOrientation: '',
      loginUserId: 'false',
      customerAttributes2: '0',
      pageAttributes10: '-0.0',
      pageRequestId: /^1795472990000[0-9a-f]{10}$/,
      vstRequestId: /^[0-9a-f]{16}$/,
    });
  });
  await t.test('are null where a number or a map belongs', () => {
    assertRow(onlyRow(tables.custom_event, { visitUserId: 'u' }), 'custom_event', {
      visitUserId: 'u',
      sessionId: 's',
      time: '-5',
      sendTime: String(HOUR_START_MS + 600_000),
      domain: 'x'.repeat(100),
      eventName: 'buy',
    });
    const actions = tables.action.filter((row) => row.visitUserId === 'u');
    assert.deepEqual(
      actions.map((row) => [row.requestValue, row.index, row.time].join()).sort(),
      [`1,,${TM}`, `,7,${TM}`, `,,${TM}`, `,-1,${TM}`].sort(),
    );
    const { latitude, longitude, screenHeight, deviceType, language } = tables.visit[0]!;
    const visit = { latitude, longitude, screenHeight, deviceType, language };
    const read = { latitude: '39.9', longitude: null, screenHeight: '1e+21', deviceType: 'true' };
    assert.deepEqual(visit, { ...read, language: 'zh-Hans-CN' });
  });
  await t.test('are whole numbers when they are written with a point', () => {
    const action = onlyRow(tables.action, { visitUserId: 'whole' });
    assert.deepEqual(
      [action.time, action.index, action.pageRequestId?.slice(0, 13)],
      [String(TM), '3', '0000000001000'],
    );
    assert.equal(onlyRow(tables.custom_event, { visitUserId: 'whole' }).eventNumber, '50');
  });
});

test('characters that are none', async (t) => {
  const testServer = await startTestServer(t);
  const u = 'NUL \0 and half \ud83c';
  await sendEvents(testServer, WEB, [
    { t: 'vst', u, s: '\0', tm: TM },
    { t: 'page', u, s: '\0', tm: TM, d: '\udf4e\ud83c', tl: '🍎'.repeat(1023) + '\ud83c\udf4e!' },
    { ...custom, u, s: '\0', ptm: TM, n: '\0', var: { '\0': '\ud83c' } },
  ]);
  const invalid = Buffer.from('[{"t":"page","u":"bytes \u00ff\u00c3(","tm":1}]', 'latin1');
  const answer = await send(testServer, { path: WEB, body: invalid });
  assert.equal(answer.status, 200, answer.text);
  const { visit, page, custom_event: customEvents } = await exportRows(testServer, HOUR);

  await t.test('are replaced, and the rows still join', () => {
    const visitUserId = 'NUL \ufffd and half \ufffd';
    const row = onlyRow(page, { visitUserId, sessionId: '\ufffd', domain: '\ufffd\ufffd', title: '🍎'.repeat(1024) });
    assert.equal(visit[0]?.vstRequestId, row.vstRequestId);
    const { pageRequestId, domain, eventName, eventVariable } = customEvents[0]!;
    assert.deepEqual(
      { pageRequestId, domain, eventName, eventVariable },
      {
        pageRequestId: row.pageRequestId,
        domain: '\ufffd\ufffd',
        eventName: '\ufffd',
        eventVariable: '{"\ufffd":"\ufffd"}',
      },
    );
  });
  await t.test('are replaced where the bytes are no UTF-8', () => {
    assert.ok(onlyRow(page, { visitUserId: 'bytes \ufffd\ufffd(' }));
  });
});
