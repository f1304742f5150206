/** Mini programs 3.8 and 0.8, and what servers send: trailing slash, PHP's escapes, Java's snappy under application/json. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import snappy from 'snappyjs';
import { hourOf } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertRow, exportRows, onlyRow, readRejected } from './helpers/export-rows.ts';
import { send, sendEvents } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT } from './helpers/test-server.ts';

const HOUR = hourOf(HOUR_START_MS);
const SEND_TIME = String(HOUR_START_MS + 600_000);
const STM = 1_795_473_000_400;
const AI = TEST_PROJECT.ai;
const PAGE_TIME = 1_795_472_990_000;
const JSON_UTF8 = { 'Content-Type': 'application/json;charset=UTF-8' };

const VISITOR = { visitUserId: 'oZ1kM5openid', sessionId: 'session-minp' };
// 3.8 repeats the device keys on every event.
const DEVICE = {
  u: VISITOR.visitUserId,
  s: VISITOR.sessionId,
  b: 'MinP',
  d: 'wx0123456789',
  av: '3.8.20',
  db: 'apple',
  dm: 'iPhone 13<iPhone14,5>',
  sh: 2532,
  sw: 1170,
  os: 'Weixin-iOS',
  osv: 'Weixin 8.0.40',
  l: 'zh_CN',
  cv: '3.4.0',
  ch: 'scn:1089',
  lat: 39.9,
  lng: 116.4,
  nt: 'wifi',
  p: 'pages/goods/detail',
  q: 'id=7',
  tl: '详情',
};
const VISIT = { ...DEVICE, t: 'vst', tm: PAGE_TIME + 2, rp: 'wx-referring-app', esid: 2 };
const PAGE = {
  ...DEVICE,
  t: 'page',
  tm: PAGE_TIME,
  rp: 'wx-referring-app',
  cs1: 'user-2',
  var: { from: 'share' },
  esid: 1,
};
const CUSTOM = {
  ...DEVICE,
  t: 'cstm',
  tm: PAGE_TIME + 10,
  ptm: PAGE_TIME,
  n: 'buy',
  num: 1,
  var: { price: '14.50' },
  cs1: 'user-2',
};

test('the mini program SDK 3.8', async (t) => {
  const server = await startTestServer(t);
  const path = `/projects/${AI}/apps/wx0123456789/collect?stm=${STM}`;
  await sendEvents(server, path, [PAGE, VISIT, CUSTOM], { headers: JSON_UTF8 });
  // A build without b: the path says it.
  await sendEvents(server, path, [{ u: 'no-b', s: 's', t: 'page', tm: PAGE_TIME, d: 'wx1', p: 'pages/index' }]);
  const tables = await exportRows(server, HOUR);
  const visit = onlyRow(tables.visit, VISITOR);
  const page = onlyRow(tables.page, VISITOR);

  await t.test('has its visit, the referring app from rp', () => {
    assertRow(visit, 'visit', {
      ...VISITOR,
      accountVersion: '3.8.20',
      platform: 'MinP',
      domain: 'wx0123456789',
      page: 'pages/goods/detail',
      queryParameters: 'id=7',
      referrer: 'wx-referring-app',
      language: 'zh_CN',
      screenHeight: '2532',
      screenWidth: '1170',
      time: String(PAGE_TIME + 2),
      sendTime: SEND_TIME,
      ip: '127.0.0.1',
      operatingSystem: 'Weixin-iOS',
      operatingSystemVersion: 'Weixin 8.0.40',
      clientVersion: '3.4.0',
      channel: 'scn:1089',
      deviceBrand: 'apple',
      deviceModel: 'iPhone 13<iPhone14,5>',
      latitude: '39.9',
      longitude: '116.4',
      vstRequestId: /^[0-9a-f]{16}$/,
    });
  });
  await t.test('has its page, the device keys left out', () => {
    assertRow(page, 'page', {
      ...VISITOR,
      platform: 'MinP',
      domain: 'wx0123456789',
      page: 'pages/goods/detail',
      queryParameters: 'id=7',
      referrerPage: 'wx-referring-app',
      title: '详情',
      time: String(PAGE_TIME),
      sendTime: SEND_TIME,
      loginUserId: 'user-2',
      appVariable: '{"from":"share"}',
      pageRequestId: new RegExp(`^${PAGE_TIME}[0-9a-f]{10}$`),
      vstRequestId: visit.vstRequestId!,
    });
  });
  await t.test('has its custom event', () => {
    assertRow(onlyRow(tables.custom_event, VISITOR), 'custom_event', {
      ...VISITOR,
      time: String(PAGE_TIME + 10),
      sendTime: SEND_TIME,
      pageTime: String(PAGE_TIME),
      domain: 'wx0123456789',
      page: 'pages/goods/detail',
      queryParameters: 'id=7',
      eventName: 'buy',
      eventNumber: '1',
      eventVariable: '{"price":"14.50"}',
      loginUserId: 'user-2',
      pageRequestId: page.pageRequestId!,
    });
  });
  await t.test('has the platform of the path where b is left out', () => {
    assert.equal(onlyRow(tables.page, { visitUserId: 'no-b' }).platform, 'MinP');
  });
});

test('the mini program SDK 0.8', async (t) => {
  const server = await startTestServer(t);
  const of08 = { u: 'visitor-08', s: 'session-08', d: 'wx08', b: 'MinP' };
  const onPage = { ...of08, ptm: PAGE_TIME, p: 'pages/index' };
  await sendEvents(
    server,
    `/projects/${AI}/apps/wx08/collect?stm=${STM}`,
    [
      { ...onPage, t: 'cstm', tm: PAGE_TIME + 1, n: 'buy', var: { price: 14, ratio: 0.5 }, esid: 3 },
      // A tapped tab has its element under another name than every other action.
      {
        ...onPage,
        t: 'clck',
        tm: PAGE_TIME + 2,
        elem: [{ x: '#onTabItemTap', v: '我的', idx: 2, h: 'pages/me' }],
        esid: 4,
      },
    ],
    { headers: { 'Content-Type': 'application/json' } },
  );
  const tables = await exportRows(server, HOUR);
  const common = { visitUserId: of08.u, sessionId: of08.s, domain: 'wx08', page: 'pages/index', sendTime: SEND_TIME };

  await t.test('has its custom event, numbers as they were sent', () => {
    assertRow(tables.custom_event[0], 'custom_event', {
      ...common,
      time: String(PAGE_TIME + 1),
      pageTime: String(PAGE_TIME),
      eventName: 'buy',
      eventVariable: '{"price":"14","ratio":"0.5"}',
      pageRequestId: new RegExp(`^${PAGE_TIME}[0-9a-f]{10}$`),
    });
  });
  await t.test('has the tab that was tapped', () => {
    assertRow(tables.action[0], 'action', {
      ...common,
      requestType: 'clck',
      time: String(PAGE_TIME + 2),
      href: 'pages/me',
      requestValue: '我的',
      index: '2',
      pageRequestId: tables.custom_event[0]!.pageRequestId!,
      actionRequestId: /^ma:[0-9a-f]{27}$/,
    });
  });
});

test('servers', async (t) => {
  const server = await startTestServer(t);
  const path = `/v3/${AI}/s2s/cstm`;
  const event = (n: string): Record<string, unknown> => ({ t: 'cstm', tm: PAGE_TIME, n, cs1: 'user-3' });
  await sendEvents(server, `${path}/?stm=1795473000`, [event('trailing-slash')], { headers: JSON_UTF8 });
  const php = `[{"tm":${PAGE_TIME},"n":"php","cs1":"user-3","var":{"product_name":"\\u82f9\\u679c \\ud83c\\udf4e","price":14,"d":1.25},"t":"cstm"}]`;
  const answer = await send(server, { path: `${path}?stm=${STM}`, body: php, headers: JSON_UTF8 });
  assert.equal(answer.status, 200, answer.text);
  const java = { ...event('java'), num: 9.5, var: { price: 50, order: '1234567890123456789' } };
  await sendEvents(server, `${path}?stm=${STM}`, [java], {
    headers: { 'X-Compress-Codec': '2', 'Content-Type': 'application/json' },
    encode: (json) => snappy.compress(json),
  });
  await sendEvents(server, `${path}?stm=${STM}`, [event('java-plain')], { headers: { 'X-Compress-Codec': '0' } });
  const digits = { ...event('digits'), tm: String(PAGE_TIME), cs1: 12345, var: null };
  // What PHP writes for an empty map.
  const emptyMap = { ...event('empty-map'), var: [] };
  const receipt = await sendEvents(server, path, [digits, emptyMap]);
  await sendEvents(server, `${path}?stm=now`, [{ ...event('num-text'), num: '3' }]);
  await sendEvents(server, `${path}/`, [{ ...event('num-odd'), num: 'many', var: { n: 1e21, m: 0.5 } }]);
  const { custom_event: rows } = await exportRows(server, HOUR);

  const expected = { time: String(PAGE_TIME), sendTime: SEND_TIME, loginUserId: 'user-3' };
  const cases = {
    'trailing-slash': {},
    php: { eventVariable: '{"product_name":"苹果 🍎","price":"14","d":"1.25"}' },
    java: { eventNumber: '9.5', eventVariable: '{"price":"50","order":"1234567890123456789"}' },
    'java-plain': {},
    digits: { loginUserId: '12345' },
    'empty-map': {},
    'num-text': { eventNumber: '3' },
    'num-odd': { eventVariable: '{"n":"1e+21","m":"0.5"}' },
  };
  for (const [eventName, differs] of Object.entries(cases)) {
    await t.test(`have a row with nothing but what they sent: ${eventName}`, () => {
      assertRow(onlyRow(rows, { eventName }), 'custom_event', { ...expected, eventName, ...differs });
    });
  }
  await t.test('have nothing rejected of this', () => {
    assert.deepEqual(receipt, { accepted: 2, rejected: 0, ignored: 0 });
    assert.deepEqual(readRejected(server, HOUR), []);
  });
});
