/** Android, with events shaped as the 2.x SDK sends them: raw snappy under XOR, debug mode, hybrid pages, the activation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import snappy from 'snappyjs';
import { hourOf } from '../src/events/hour.ts';
import { xorBody } from './data/wire-encoders.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertRow, exportRows, onlyRow, type Tables } from './helpers/export-rows.ts';
import { sendEvents } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';

const HOUR = hourOf(HOUR_START_MS);
const SEND_TIME = String(HOUR_START_MS + 600_000);
const STM = 1_795_473_000_123;
const AI = TEST_PROJECT.ai;
const CODEC_HEADERS = { 'X-Compress-Codec': '2', 'X-Crypt-Codec': '1', 'X-GrowingIO-UID': 'device-1' };
const DALVIK = 'Dalvik/2.1.0 (Linux; U; Android 10; LIO-AN00 Build/HUAWEILIO-AN00)';

const U = '3b1f4c3e-0f5d-3a44-8d0c-5f0a7d1b2c3d';
const S = '6e3c9f0e-6f1b-4b1f-9d57-0a6d4d6f3b11';
const VISITOR = { visitUserId: U, sessionId: S };
const PAGE_TIME = 1_795_472_990_000;
const COMMON = { u: U, s: S, d: 'com.example.shop', r: 'WIFI', cs1: 'user-7' };

const VISIT = {
  ...COMMON,
  t: 'vst',
  tm: PAGE_TIME - 5,
  av: '2.9.3',
  l: 'zh',
  sh: 2400,
  sw: 1080,
  os: 'Android',
  osv: '10', // Build.VERSION.RELEASE, without the name
  cv: '5.1.0',
  ch: '华为应用市场',
  db: 'HUAWEI',
  dm: 'LIO-AN00',
  ph: 1,
  lat: 39.90469,
  lng: 116.40717,
  adrid: '9774d56d682e549c',
  imei: '867530912345678',
  gaid: 'gaid-1',
  sn: '商店',
  v: 'growing.0a1b',
  fv: '1.0',
  gesid: 1,
  esid: 1,
};
const PAGE = {
  ...COMMON,
  t: 'page',
  tm: PAGE_TIME,
  ptm: PAGE_TIME,
  p: 'MainActivity',
  q: 'from=push',
  rp: 'SplashActivity',
  tl: '首页',
  o: 'PORTRAIT',
  pg: 'group-1',
  var: { theme: 'dark', size: 2 },
  gesid: 2,
  esid: 1,
  ...Object.fromEntries([2, 3, 4, 5, 6, 7, 8, 9, 10].map((number) => [`cs${number}`, `customer ${number}`])),
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((number) => [`ps${number}`, `page ${number}`])),
};
const CLICKS = {
  ...COMMON,
  t: 'clck',
  tm: PAGE_TIME + 900,
  ptm: PAGE_TIME,
  p: 'MainActivity',
  lat: 39.9,
  lng: 116.4,
  e: [
    { x: '/Main/List[0]', v: '第一', idx: 1, tm: PAGE_TIME + 700, obj: 'info-1', gesid: 3, esid: 1, img: 'data' },
    { x: '/Main/Link[0]', v: 'open', h: 'https://shop.example.test/a?b=1', gesid: 4, esid: 2 },
  ],
};
const CHANGE = {
  ...COMMON,
  t: 'chng',
  tm: PAGE_TIME + 950,
  ptm: PAGE_TIME,
  p: 'MainActivity',
  gesid: 5,
  esid: 1,
  e: [{ x: '/Main/Input[0]', v: '' }],
};
const CUSTOM = {
  ...COMMON,
  t: 'cstm',
  tm: PAGE_TIME + 1000,
  ptm: PAGE_TIME,
  p: 'MainActivity',
  n: 'buy',
  num: 99.99,
  var: { item: '苹果', price: 14, whole: 2, ok: true },
  gesid: 6,
  esid: 1,
};
const PAGE_VARIABLE = {
  ...COMMON,
  t: 'pvar',
  tm: PAGE_TIME + 1,
  ptm: PAGE_TIME,
  p: 'MainActivity',
  var: { cat: 'fruit' },
};
const CONVERSION = { ...COMMON, t: 'evar', tm: PAGE_TIME + 2, var: { campaign: 'spring' } };
const VISITOR_VARIABLE = { ...COMMON, t: 'vstr', tm: PAGE_TIME + 3, var: { level: 'gold' } };
const HYBRID = {
  ...COMMON,
  t: 'page',
  tm: PAGE_TIME + 5000,
  d: 'com.example.shop::m.example.test',
  q: 'k=v',
  tl: 'H5',
  p: 'WebActivity::/cart/list',
};
const HYBRID_CLICK = {
  ...COMMON,
  t: 'clck',
  tm: PAGE_TIME + 6000,
  ptm: PAGE_TIME + 5000,
  d: 'com.example.shop::m.example.test',
  p: 'WebActivity::/cart/list',
  e: [{ x: '/Main/WebView[0]::/div/a', v: '去结算', idx: 3 }],
};
const ACTIVATION = {
  ...COMMON,
  t: 'activate',
  tm: PAGE_TIME - 10,
  imei: '867530912345678',
  adrid: '9774d56d682e549c',
  oaid: 'oaid-1',
  gaid: 'gaid-1',
  ua: 'Mozilla/5.0 (Linux; Android 10)',
  dm: 'LIO-AN00',
  osv: '10', // Build.VERSION.RELEASE, without the name
  link_id: 'aB3dE6gH',
  click_id: 'click-1',
  tm_click: PAGE_TIME - 100_000,
  cl: 'defer',
};
const IGNORED = [
  { ...COMMON, t: 'imp', tm: PAGE_TIME, ptm: PAGE_TIME, p: 'MainActivity', e: [{ x: '/a', v: 'b' }] },
  { ...COMMON, t: 'cls', tm: PAGE_TIME, p: 'MainActivity' },
  { ...COMMON, t: 'ppl', tm: PAGE_TIME, var: { gender: 'f' } },
  { ...COMMON, t: 'reengage', tm: PAGE_TIME, var: {} },
  { ...COMMON, t: 'lngprss', tm: PAGE_TIME, ptm: PAGE_TIME, e: [{ x: '/a' }] },
  { ...COMMON, t: 'tomorrows-type', tm: PAGE_TIME },
];

test('Android', async (t) => {
  const server = await startTestServer(t);
  await post(server, `/v3/${AI}/android/pv`, [VISIT, PAGE, HYBRID]);
  await post(server, `/v3/${AI}/android/other`, [CLICKS, CHANGE, HYBRID_CLICK]);
  await post(server, `/v3/${AI}/android/cstm`, [CUSTOM, PAGE_VARIABLE, CONVERSION, VISITOR_VARIABLE]);
  await post(server, `/app/${AI}/android/ctvt`, [ACTIVATION]);
  const ignored = await post(server, `/v3/${AI}/android/imp`, IGNORED);
  // Debug mode: plain JSON under the headers of snappy and XOR.
  const debug = [{ ...PAGE, u: 'debugging', tm: PAGE_TIME + 1 }];
  await sendEvents(server, `/v3/${AI}/android/pv?stm=${STM}`, debug, { headers: CODEC_HEADERS });
  const tables = await exportRows(server, HOUR);

  await t.test('has its visit with every column', () => checkVisit(tables));
  await t.test('has its page with every column', () => checkPage(tables));
  await t.test('has one row for each element of an action', () => checkActions(tables));
  await t.test('has its custom event and variables', () => checkVariables(tables));
  await t.test('has its activation', () => checkActivation(tables));
  await t.test('has its hybrid page and the click on it', () => checkHybrid(tables));
  await t.test('is taken in debug mode, where the headers do not say the coding', () => {
    assert.equal(onlyRow(tables.page, { visitUserId: 'debugging' }).title, '首页');
  });
  await t.test('has types that are not exported counted as ignored', () => {
    assert.deepEqual(ignored, { accepted: 0, rejected: 0, ignored: IGNORED.length });
  });
});

function post(server: TestServer, path: string, events: readonly unknown[]): ReturnType<typeof sendEvents> {
  return sendEvents(server, `${path}?stm=${STM}`, events, {
    headers: { ...CODEC_HEADERS, 'User-Agent': DALVIK },
    encode: (json) => xorBody(Buffer.from(snappy.compress(json)), STM),
  });
}

function checkVisit(tables: Tables): void {
  assertRow(onlyRow(tables.visit, VISITOR), 'visit', {
    ...VISITOR,
    accountVersion: '2.9.3',
    platform: 'Android',
    domain: 'com.example.shop',
    language: 'zh',
    screenHeight: '2400',
    screenWidth: '1080',
    time: String(PAGE_TIME - 5),
    sendTime: SEND_TIME,
    ip: '127.0.0.1',
    userAgent: DALVIK,
    operatingSystem: 'Android',
    operatingSystemVersion: '10',
    clientVersion: '5.1.0',
    channel: '华为应用市场',
    deviceBrand: 'HUAWEI',
    deviceModel: 'LIO-AN00',
    deviceType: '1',
    latitude: '39.90469',
    longitude: '116.40717',
    vstRequestId: /^[0-9a-f]{16}$/,
    androidId: '9774d56d682e549c',
    IMEI: '867530912345678',
  });
}

function checkPage(tables: Tables): void {
  assertRow(onlyRow(tables.page, { ...VISITOR, time: String(PAGE_TIME) }), 'page', {
    ...VISITOR,
    platform: 'Android',
    domain: 'com.example.shop',
    page: 'MainActivity',
    queryParameters: 'from=push',
    referrerPage: 'SplashActivity',
    title: '首页',
    time: String(PAGE_TIME),
    sendTime: SEND_TIME,
    deviceOrientation: 'PORTRAIT',
    loginUserId: 'user-7',
    pageGroup: 'group-1',
    appVariable: '{"theme":"dark","size":"2"}',
    ...Object.fromEntries([2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => [`customerAttributes${n}`, `customer ${n}`])),
    ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => [`pageAttributes${n}`, `page ${n}`])),
    pageRequestId: new RegExp(`^${PAGE_TIME}[0-9a-f]{10}$`),
    vstRequestId: onlyRow(tables.visit, VISITOR).vstRequestId!,
  });
}

function checkActions(tables: Tables): void {
  const { pageRequestId } = onlyRow(tables.page, { ...VISITOR, time: String(PAGE_TIME) });
  const actions = tables.action.filter((row) => row.pageRequestId === pageRequestId);
  assert.equal(actions.length, 3);
  const common = {
    ...VISITOR,
    domain: 'com.example.shop',
    page: 'MainActivity',
    sendTime: SEND_TIME,
    pageRequestId: pageRequestId!,
    actionRequestId: /^ma:[0-9a-f]{27}$/,
  };
  // In order of time: the first element brings its own, the second has the event's.
  assertRow(actions[0], 'action', {
    ...common,
    requestType: 'clck',
    time: String(PAGE_TIME + 700),
    requestValue: '第一',
    index: '1',
    info: 'info-1',
  });
  assertRow(actions[1], 'action', {
    ...common,
    requestType: 'clck',
    time: String(PAGE_TIME + 900),
    requestValue: 'open',
    href: 'https://shop.example.test/a?b=1',
  });
  assertRow(actions[2], 'action', {
    ...common,
    requestType: 'chng',
    time: String(PAGE_TIME + 950),
    requestValue: '',
  });
  assert.equal(new Set(tables.action.map((row) => row.actionRequestId)).size, tables.action.length);
}

function checkVariables(tables: Tables): void {
  const { pageRequestId } = onlyRow(tables.page, { ...VISITOR, time: String(PAGE_TIME) });
  const onPage = {
    ...VISITOR,
    sendTime: SEND_TIME,
    pageTime: String(PAGE_TIME),
    domain: 'com.example.shop',
    page: 'MainActivity',
    pageRequestId: pageRequestId!,
  };
  assertRow(onlyRow(tables.custom_event, VISITOR), 'custom_event', {
    ...onPage,
    time: String(PAGE_TIME + 1000),
    eventName: 'buy',
    eventNumber: '99.99',
    eventVariable: '{"item":"苹果","price":"14","whole":"2","ok":"true"}',
    loginUserId: 'user-7',
  });
  assertRow(onlyRow(tables.pvar, VISITOR), 'pvar', {
    ...onPage,
    time: String(PAGE_TIME + 1),
    pageVariable: '{"cat":"fruit"}',
  });
  assertRow(onlyRow(tables.evar, VISITOR), 'evar', {
    ...VISITOR,
    time: String(PAGE_TIME + 2),
    sendTime: SEND_TIME,
    domain: 'com.example.shop',
    conversionVariable: '{"campaign":"spring"}',
  });
  assertRow(onlyRow(tables.vstr, VISITOR), 'vstr', {
    ...VISITOR,
    time: String(PAGE_TIME + 3),
    sendTime: SEND_TIME,
    visitorVariable: '{"level":"gold"}',
  });
}

function checkActivation(tables: Tables): void {
  assertRow(onlyRow(tables.ads_track_activation, { visitUserId: U }), 'ads_track_activation', {
    visitUserId: U,
    imei: '867530912345678',
    androidId: '9774d56d682e549c',
    ip: '127.0.0.1',
    userAgent: 'Mozilla/5.0 (Linux; Android 10)', // what the event says, not the header
    platform: 'Android',
    operatingSystemVersion: '10',
    sendTime: SEND_TIME,
    linkId: 'aB3dE6gH',
  });
}

function checkHybrid(tables: Tables): void {
  const page = onlyRow(tables.page, { ...VISITOR, time: String(PAGE_TIME + 5000) });
  const hybrid = { ...VISITOR, domain: 'com.example.shop::m.example.test', page: 'WebActivity::/cart/list' };
  assertRow(page, 'page', {
    ...hybrid,
    platform: 'Android',
    queryParameters: 'k=v',
    title: 'H5',
    time: String(PAGE_TIME + 5000),
    sendTime: SEND_TIME,
    loginUserId: 'user-7',
    pageRequestId: new RegExp(`^${PAGE_TIME + 5000}[0-9a-f]{10}$`),
    vstRequestId: onlyRow(tables.visit, VISITOR).vstRequestId!,
  });
  assertRow(onlyRow(tables.action, { ...VISITOR, page: 'WebActivity::/cart/list' }), 'action', {
    ...hybrid,
    requestType: 'clck',
    time: String(PAGE_TIME + 6000),
    sendTime: SEND_TIME,
    requestValue: '去结算',
    index: '3',
    pageRequestId: page.pageRequestId!,
    actionRequestId: /^ma:/,
  });
}
