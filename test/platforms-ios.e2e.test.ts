/** iOS (raw LZ4 block under XOR) and HarmonyOS (snappy and XOR, each optional), with events shaped as their 2.x SDKs send them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import snappy from 'snappyjs';
import { hourOf } from '../src/events/hour.ts';
import { encodeLz4Block, xorBody } from './data/wire-encoders.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertRow, exportRows, onlyRow, type Tables } from './helpers/export-rows.ts';
import { sendEvents } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT } from './helpers/test-server.ts';

const HOUR = hourOf(HOUR_START_MS);
const SEND_TIME = String(HOUR_START_MS + 600_000);
const STM = 1_795_473_000_201;
const AI = TEST_PROJECT.ai;
const PAGE_TIME = 1_795_472_990_000;
const CF_NETWORK = 'Shop/5.1 CFNetwork/1240.0.4 Darwin/20.6.0';

const IPHONE = { visitUserId: 'E621E1F8-C36C-495A-93FC-0C247A3E6E5F', sessionId: 'session-ios' };
const IPHONE_COMMON = { u: IPHONE.visitUserId, s: IPHONE.sessionId, d: 'com.example.Shop', r: 'CELL', cs1: 'user-8' };
const IPHONE_VISIT = {
  ...IPHONE_COMMON,
  t: 'vst',
  tm: PAGE_TIME,
  av: '2.9.1',
  l: 'zh-Hans',
  sh: 2532,
  sw: 1170,
  os: 'iOS',
  osv: '14.6', // UIDevice.systemVersion, without the name
  cv: '5.1',
  db: 'Apple',
  dm: 'iPhone13,2',
  ph: 1,
  lat: -33.8688,
  lng: 151.20929,
  ui: 'AEBE52E7-03EE-455A-B3C4-E57283966239',
  iv: '68753A44-4D6F-1226-9C60-0050E4C00067',
  sn: '商店',
  fv: '1',
};
const IPHONE_PAGE = {
  ...IPHONE_COMMON,
  t: 'page',
  tm: PAGE_TIME,
  p: 'HomeViewController',
  rp: 'LaunchViewController',
  tl: '首页 🍎',
  o: 'landscape',
  var: { tab: 'home' },
};
// iOS merges several actions of one page into one event, and sends idx as a text.
const IPHONE_SUBMIT = {
  ...IPHONE_COMMON,
  t: 'sbmt',
  tm: PAGE_TIME + 500,
  ptm: PAGE_TIME,
  p: 'HomeViewController',
  pg: 'group',
  e: [
    { x: '/Form[0]/Button[0]', v: '提交', idx: '2', tm: PAGE_TIME + 480 },
    { x: '/Form[0]/Button[0]', v: '提交', idx: '2', tm: PAGE_TIME + 490, obj: '{"sku":"7"}' },
  ],
};
const IPHONE_ACTIVATION = {
  ...IPHONE_COMMON,
  t: 'activate',
  tm: PAGE_TIME,
  ui: 'AEBE52E7-03EE-455A-B3C4-E57283966239',
  iv: '68753A44-4D6F-1226-9C60-0050E4C00067',
  dm: 'iPhone13,2',
  osv: '14.6', // UIDevice.systemVersion, without the name
};

const MATE = { visitUserId: 'harmony-device', sessionId: 'session-harmony' };
const MATE_COMMON = { u: MATE.visitUserId, s: MATE.sessionId, d: 'com.example.hmshop' };
const MATE_VISIT = {
  ...MATE_COMMON,
  t: 'vst',
  tm: PAGE_TIME,
  av: '2.0.0',
  l: 'zh-Hans-CN',
  sh: 2700,
  sw: 1260,
  os: 'HarmonyOS',
  osv: 'OpenHarmony 5.0.0',
  cv: '1.0.0',
  db: 'HUAWEI',
  dm: 'ALN-AL00',
  ph: 1,
  o: 'PORTRAIT',
  lat: 31.2,
  lng: 121.5,
};
const MATE_PAGE = { ...MATE_COMMON, t: 'page', tm: PAGE_TIME, p: 'pages/Index', tl: '首页', o: 'PORTRAIT' };
const MATE_CLICK = {
  ...MATE_COMMON,
  t: 'clck',
  tm: PAGE_TIME + 20,
  ptm: PAGE_TIME,
  p: 'pages/Index',
  e: [{ x: '/Column/Button', v: '购买', idx: '1' }],
};
const MATE_CUSTOM = {
  ...MATE_COMMON,
  t: 'cstm',
  tm: PAGE_TIME + 30,
  ptm: PAGE_TIME,
  p: 'pages/Index',
  n: 'buy',
  var: { id: 12 },
};

const OCTETS = { 'Content-Type': 'application/octet-stream', 'X-Timestamp': String(STM) };
const snappyOf = (json: Buffer): Buffer => Buffer.from(snappy.compress(json));

test('iOS', async (t) => {
  const server = await startTestServer(t);
  const post = (path: string, events: readonly unknown[]) =>
    sendEvents(server, `${path}?stm=${STM}`, events, {
      headers: { ...OCTETS, 'X-Compress-Codec': '3', 'X-Crypt-Codec': '1', 'User-Agent': CF_NETWORK },
      encode: (json) => xorBody(encodeLz4Block(json), STM),
    });
  await post(`/v3/${AI}/ios/pv`, [IPHONE_VISIT, IPHONE_PAGE]);
  await post(`/v3/${AI}/ios/other`, [IPHONE_SUBMIT]);
  await post(`/app/${AI}/ios/ctvt`, [IPHONE_ACTIVATION]);
  const tables = await exportRows(server, HOUR);
  const page = onlyRow(tables.page, IPHONE);

  await t.test('has its visit with every column', () => checkIphoneVisit(tables));
  await t.test('has its page', () => {
    assertRow(page, 'page', {
      ...IPHONE,
      platform: 'iOS',
      domain: 'com.example.Shop',
      page: 'HomeViewController',
      referrerPage: 'LaunchViewController',
      title: '首页 🍎',
      time: String(PAGE_TIME),
      sendTime: SEND_TIME,
      deviceOrientation: 'landscape',
      loginUserId: 'user-8',
      appVariable: '{"tab":"home"}',
      pageRequestId: new RegExp(`^${PAGE_TIME}[0-9a-f]{10}$`),
      vstRequestId: onlyRow(tables.visit, IPHONE).vstRequestId!,
    });
  });
  await t.test('has one row for each action merged into an event, its place read from a text', () => {
    assert.equal(tables.action.length, 2);
    const common = {
      ...IPHONE,
      requestType: 'sbmt',
      domain: 'com.example.Shop',
      page: 'HomeViewController',
      sendTime: SEND_TIME,
      requestValue: '提交',
      index: '2',
      pageRequestId: page.pageRequestId!,
      actionRequestId: /^ma:[0-9a-f]{27}$/,
    };
    assertRow(tables.action[0], 'action', { ...common, time: String(PAGE_TIME + 480) });
    assertRow(tables.action[1], 'action', { ...common, time: String(PAGE_TIME + 490), info: '{"sku":"7"}' });
  });
  await t.test('has its activation, the IDFV as uuid and the user agent of the request', () => {
    assertRow(tables.ads_track_activation[0], 'ads_track_activation', {
      visitUserId: IPHONE.visitUserId,
      idfa: 'AEBE52E7-03EE-455A-B3C4-E57283966239',
      uuid: '68753A44-4D6F-1226-9C60-0050E4C00067',
      ip: '127.0.0.1',
      userAgent: CF_NETWORK,
      platform: 'iOS',
      operatingSystemVersion: '14.6',
      sendTime: SEND_TIME,
    });
  });
});

test('HarmonyOS', async (t) => {
  const server = await startTestServer(t);
  const path = (channel: string) => `/v3/${AI}/harmonyos/${channel}?stm=${STM}`;
  await sendEvents(server, path('pv'), [MATE_VISIT, MATE_PAGE], {
    headers: { ...OCTETS, 'X-Compress-Codec': '2', 'X-Crypt-Codec': '1' },
    encode: (json) => xorBody(snappyOf(json), STM),
  });
  await sendEvents(server, path('other'), [MATE_CLICK], { headers: OCTETS });
  const onlySnappy = { headers: { ...OCTETS, 'X-Compress-Codec': '2' }, encode: snappyOf };
  await sendEvents(server, path('cstm'), [MATE_CUSTOM], onlySnappy);
  const onlyXor = {
    headers: { ...OCTETS, 'X-Crypt-Codec': '1' },
    encode: (json: Buffer): Buffer => xorBody(json, STM),
  };
  await sendEvents(server, path('cstm'), [{ ...MATE_CUSTOM, n: 'pay' }], onlyXor);
  const tables = await exportRows(server, HOUR);
  const { pageRequestId } = onlyRow(tables.page, MATE);

  await t.test('has its visit under snappy and XOR', () => checkMateVisit(tables));
  await t.test('has its action with neither', () => {
    assertRow(onlyRow(tables.action, MATE), 'action', {
      ...MATE,
      requestType: 'clck',
      domain: 'com.example.hmshop',
      page: 'pages/Index',
      sendTime: SEND_TIME,
      time: String(PAGE_TIME + 20),
      requestValue: '购买',
      index: '1',
      pageRequestId: pageRequestId!,
      actionRequestId: /^ma:/,
    });
  });
  for (const [coding, eventName] of [
    ['snappy alone', 'buy'],
    ['XOR alone', 'pay'],
  ] as const) {
    await t.test(`has its custom event under ${coding}`, () => {
      assertRow(onlyRow(tables.custom_event, { eventName }), 'custom_event', {
        ...MATE,
        time: String(PAGE_TIME + 30),
        sendTime: SEND_TIME,
        pageTime: String(PAGE_TIME),
        domain: 'com.example.hmshop',
        page: 'pages/Index',
        eventName,
        eventVariable: '{"id":"12"}',
        pageRequestId: pageRequestId!,
      });
    });
  }
});

function checkIphoneVisit(tables: Tables): void {
  assertRow(onlyRow(tables.visit, IPHONE), 'visit', {
    ...IPHONE,
    accountVersion: '2.9.1',
    platform: 'iOS',
    domain: 'com.example.Shop',
    language: 'zh-Hans',
    screenHeight: '2532',
    screenWidth: '1170',
    time: String(PAGE_TIME),
    sendTime: SEND_TIME,
    ip: '127.0.0.1',
    userAgent: CF_NETWORK,
    operatingSystem: 'iOS',
    operatingSystemVersion: '14.6',
    clientVersion: '5.1',
    deviceBrand: 'Apple',
    deviceModel: 'iPhone13,2',
    deviceType: '1',
    latitude: '-33.8688',
    longitude: '151.20929',
    vstRequestId: /^[0-9a-f]{16}$/,
    idfa: 'AEBE52E7-03EE-455A-B3C4-E57283966239',
  });
}

function checkMateVisit(tables: Tables): void {
  assertRow(onlyRow(tables.visit, MATE), 'visit', {
    ...MATE,
    accountVersion: '2.0.0',
    platform: 'HarmonyOS',
    domain: 'com.example.hmshop',
    language: 'zh-Hans-CN',
    screenHeight: '2700',
    screenWidth: '1260',
    time: String(PAGE_TIME),
    sendTime: SEND_TIME,
    ip: '127.0.0.1',
    operatingSystem: 'HarmonyOS',
    operatingSystemVersion: 'OpenHarmony 5.0.0',
    clientVersion: '1.0.0',
    deviceBrand: 'HUAWEI',
    deviceModel: 'ALN-AL00',
    deviceType: '1',
    deviceOrientation: 'PORTRAIT',
    latitude: '31.2',
    longitude: '121.5',
    vstRequestId: /^[0-9a-f]{16}$/,
  });
}
