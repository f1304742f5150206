/** The web: 2.x (plain JSON), LZ-String in its text forms, the ?data= pixel, and the paths and keys of vds.js 1.x. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import lzString from 'lz-string';
import { hourOf } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertRow, exportRows, onlyRow, type Tables } from './helpers/export-rows.ts';
import { send, sendEvents } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT } from './helpers/test-server.ts';

const HOUR = hourOf(HOUR_START_MS);
const SEND_TIME = String(HOUR_START_MS + 600_000);
const STM = 1_795_473_000_300;
const AI = TEST_PROJECT.ai;
const PAGE_TIME = 1_795_472_990_000;
const SAFARI =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 13_2_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0.3 Mobile/15E148 Safari/604.1';

const VISITOR = {
  visitUserId: '2f1c6f0a-9f2d-4a7e-8f54-0a1b2c3d4e5f',
  sessionId: 'd7a0f3f2-1111-4222-8333-444455556666',
};
const COMMON = {
  u: VISITOR.visitUserId,
  s: VISITOR.sessionId,
  d: 'www.example.test',
  p: '/商品/1',
  q: 'a=1&b=%E4%B8%AD',
};
const VISIT = {
  ...COMMON,
  ai: 'the ai in a body is ignored',
  t: 'vst',
  tm: PAGE_TIME + 3,
  av: '2.1.36',
  b: 'Web',
  pt: 'https',
  sh: 844,
  sw: 390,
  rf: 'https://search.example.test/?q=x',
  l: 'zh-cn',
};
const PAGE = {
  ...COMMON,
  t: 'page',
  tm: PAGE_TIME,
  pt: 'https',
  rf: 'https://search.example.test/?q=x',
  tl: '商品页',
  cs1: 'user-1',
  appId: 'app-1',
};
const CLICK = {
  ...COMMON,
  t: 'clck',
  tm: PAGE_TIME + 100,
  ptm: PAGE_TIME,
  cs1: 'user-1',
  e: [{ x: '/div.goods/a', v: '去购买', h: '/next', idx: 5, obj: 'sku:7' }, { x: '/div.goods' }],
};
const CUSTOM = {
  ...COMMON,
  t: 'cstm',
  tm: PAGE_TIME + 200,
  ptm: PAGE_TIME,
  n: 'order',
  var: { id: 'A-1', note: '' },
  cs1: 'user-1',
};
const PAGE_VARIABLE = { ...COMMON, t: 'pvar', tm: PAGE_TIME + 210, ptm: PAGE_TIME, var: { kind: 'fruit' } };
const CONVERSION = { u: COMMON.u, s: COMMON.s, t: 'evar', tm: PAGE_TIME + 220, var: { ad: 'x' }, cs1: 'user-1' };
const VISITOR_VARIABLE = { u: COMMON.u, s: COMMON.s, t: 'vstr', tm: PAGE_TIME + 230, var: { age: '30' } };

test('the web SDK 2.x', async (t) => {
  const server = await startTestServer(t);
  const headers = { 'User-Agent': SAFARI, Origin: 'https://www.example.test' };
  await sendEvents(server, `/v3/${AI}/web/pv?stm=${STM}`, [VISIT, PAGE], {
    headers: { ...headers, 'Content-Type': 'application/json' },
  });
  // From 2.2.0 on bodies come by sendBeacon.
  await sendEvents(server, `/v3/${AI}/web/other?stm=${STM}`, [CLICK], {
    headers: { ...headers, 'Content-Type': 'text/plain;charset=UTF-8' },
  });
  await sendEvents(server, `/v3/${AI}/web/cstm?stm=${STM}`, [CUSTOM, PAGE_VARIABLE, CONVERSION, VISITOR_VARIABLE], {
    headers,
  });
  // From 2.2.4 on b names what the page runs in.
  await sendEvents(server, `/v3/${AI}/web/pv?stm=${STM}`, [
    { ...VISIT, u: 'in Baidu', b: 'baidup' },
    { ...PAGE, u: 'in Alipay', b: 'alip' },
    { ...PAGE, u: 'in nothing', b: '' },
  ]);
  const tables = await exportRows(server, HOUR);

  await t.test('has its visit, its operating system from the user agent', () => checkVisit(tables));
  await t.test('has its page, its platform from the path', () => checkPage(tables));
  await t.test('has its actions, its place a number and an element without text null', () => checkActions(tables));
  await t.test('has its custom event and variables', () => checkVariables(tables));
  await t.test('has the platform that b names, whatever the path', () => {
    assert.equal(onlyRow(tables.visit, { visitUserId: 'in Baidu' }).platform, 'baidup');
    assert.equal(onlyRow(tables.page, { visitUserId: 'in Alipay' }).platform, 'alip');
    assert.equal(onlyRow(tables.page, { visitUserId: 'in nothing' }).platform, 'Web');
  });
});

test('LZ-String in text forms', async (t) => {
  const server = await startTestServer(t);
  const named = (title: string): readonly unknown[] => [{ ...PAGE, u: title, tl: `${title} 🍎` }];
  const utf16 = (json: Buffer): Buffer => Buffer.from(lzString.compressToUTF16(json.toString()));
  await sendEvents(server, `/v2/${AI}/web/pv?stm=${STM}`, named('UTF-16'), { encode: utf16 });
  const bytes = (json: Buffer): Uint8Array => lzString.compressToUint8Array(json.toString());
  await sendEvents(server, `/v2/${AI}/web/pv?stm=${STM}`, named('bytes'), { encode: bytes });
  const pixels = {
    base64: (json: string) => encodeURIComponent(lzString.compressToBase64(json)),
    'base64 as it is': (json: string) => lzString.compressToBase64(json),
    uri: (json: string) => lzString.compressToEncodedURIComponent(json),
    json: (json: string) => encodeURIComponent(json),
    'json in base64': (json: string) => encodeURIComponent(Buffer.from(json).toString('base64')), // IE 6 and 7
  };
  for (const [form, encode] of Object.entries(pixels)) {
    const data = encode(JSON.stringify(named(form)));
    const answer = await send(server, { method: 'GET', path: `/v2/${AI}/web/pv?data=${data}&stm=${STM}` });
    assert.equal(answer.status, 200, form);
    assert.equal(answer.headers['content-type'], 'image/gif');
    assert.match(answer.text, /^GIF89a/);
  }
  const { page } = await exportRows(server, HOUR);
  for (const form of ['UTF-16', 'bytes', ...Object.keys(pixels)]) {
    await t.test(`are read: ${form}`, () => assert.equal(onlyRow(page, { visitUserId: form }).title, `${form} 🍎`));
  }
});

test('vds.js 1.x', async (t) => {
  const server = await startTestServer(t);
  const encode = (json: Buffer): Uint8Array => lzString.compressToUint8Array(json.toString());
  const custom = Object.fromEntries([2, 3, 4, 5, 6, 7, 8, 9, 10].map((number) => [`cs${number}`, `c${number}`]));
  const ofPage = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((number) => [`ps${number}`, `p${number}`]));
  await sendEvents(server, `/v2/${AI}/wap/pv?stm=${STM}`, [{ ...PAGE, pg: 'list', ...custom, ...ofPage }], { encode });
  await sendEvents(server, `/v2/${AI}/wap/action?stm=${STM}`, [CLICK], { encode });
  await sendEvents(server, `/custom/${AI}/wap/events?stm=${STM}`, [CUSTOM], { encode });
  const tables = await exportRows(server, HOUR);

  await t.test('has its page with cs2 to cs10 and ps1 to ps10', () => {
    assertRow(onlyRow(tables.page, VISITOR), 'page', {
      ...expectedPage(),
      pageGroup: 'list',
      ...Object.fromEntries(Object.entries(custom).map(([key, value]) => [`customerAttributes${key.slice(2)}`, value])),
      ...Object.fromEntries(Object.entries(ofPage).map(([key, value]) => [`pageAttributes${key.slice(2)}`, value])),
    });
  });
  await t.test('has its actions and custom events under the page', () => {
    const { pageRequestId } = onlyRow(tables.page, VISITOR);
    assert.deepEqual(
      tables.action.map((row) => [row.requestValue, row.pageRequestId, row.actionRequestId?.slice(0, 3)]).sort(),
      [
        ['去购买', pageRequestId, 'wa:'],
        [null, pageRequestId, 'wa:'],
      ].sort(),
    );
    assert.equal(onlyRow(tables.custom_event, VISITOR).pageRequestId, pageRequestId);
  });
});

function expectedPage(): Record<string, string | RegExp> {
  return {
    ...VISITOR,
    platform: 'Web',
    domain: 'www.example.test',
    page: '/商品/1',
    queryParameters: 'a=1&b=%E4%B8%AD',
    referrer: 'https://search.example.test/?q=x',
    title: '商品页',
    time: String(PAGE_TIME),
    sendTime: SEND_TIME,
    loginUserId: 'user-1',
    pageRequestId: new RegExp(`^${PAGE_TIME}[0-9a-f]{10}$`),
    vstRequestId: /^[0-9a-f]{16}$/,
  };
}

function checkVisit(tables: Tables): void {
  assertRow(onlyRow(tables.visit, VISITOR), 'visit', {
    ...VISITOR,
    accountVersion: '2.1.36',
    platform: 'Web',
    domain: 'www.example.test',
    page: '/商品/1',
    queryParameters: 'a=1&b=%E4%B8%AD',
    referrer: 'https://search.example.test/?q=x',
    language: 'zh-cn',
    screenHeight: '844',
    screenWidth: '390',
    time: String(PAGE_TIME + 3),
    sendTime: SEND_TIME,
    ip: '127.0.0.1',
    userAgent: SAFARI,
    operatingSystem: 'iOS',
    operatingSystemVersion: 'iOS 13.2.3',
    vstRequestId: /^[0-9a-f]{16}$/,
  });
}

function checkPage(tables: Tables): void {
  const page = onlyRow(tables.page, VISITOR);
  assertRow(page, 'page', { ...expectedPage(), vstRequestId: onlyRow(tables.visit, VISITOR).vstRequestId! });
}

function checkActions(tables: Tables): void {
  const common = {
    ...VISITOR,
    requestType: 'clck',
    domain: 'www.example.test',
    page: '/商品/1',
    sendTime: SEND_TIME,
    time: String(PAGE_TIME + 100),
    pageRequestId: onlyRow(tables.page, VISITOR).pageRequestId!,
    actionRequestId: /^wa:[0-9a-f]{27}$/,
  };
  assertRow(onlyRow(tables.action, { index: '5' }), 'action', {
    ...common,
    href: '/next',
    requestValue: '去购买',
    index: '5',
    info: 'sku:7',
  });
  assertRow(onlyRow(tables.action, { index: null }), 'action', common);
}

function checkVariables(tables: Tables): void {
  const onPage = {
    ...VISITOR,
    sendTime: SEND_TIME,
    pageTime: String(PAGE_TIME),
    domain: 'www.example.test',
    page: '/商品/1',
    pageRequestId: onlyRow(tables.page, VISITOR).pageRequestId!,
  };
  assertRow(onlyRow(tables.custom_event, VISITOR), 'custom_event', {
    ...onPage,
    time: String(PAGE_TIME + 200),
    queryParameters: 'a=1&b=%E4%B8%AD',
    eventName: 'order',
    eventVariable: '{"id":"A-1","note":""}',
    loginUserId: 'user-1',
  });
  assertRow(onlyRow(tables.pvar, VISITOR), 'pvar', {
    ...onPage,
    time: String(PAGE_TIME + 210),
    pageVariable: '{"kind":"fruit"}',
  });
  assertRow(onlyRow(tables.evar, VISITOR), 'evar', {
    ...VISITOR,
    time: String(PAGE_TIME + 220),
    sendTime: SEND_TIME,
    conversionVariable: '{"ad":"x"}',
  });
  assertRow(onlyRow(tables.vstr, VISITOR), 'vstr', {
    ...VISITOR,
    time: String(PAGE_TIME + 230),
    sendTime: SEND_TIME,
    visitorVariable: '{"age":"30"}',
  });
}
