/** What real SDKs sent, recorded byte for byte, comes out of the export API as the rows that the documents promise. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hourOf } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertRow, exportRows, onlyRow, readRejected, type Tables } from './helpers/export-rows.ts';
import { readRecordings, replay } from './helpers/recordings.ts';
import { startTestServer } from './helpers/test-server.ts';

const SEND_TIME = String(HOUR_START_MS + 600_000);
const HOUR = hourOf(HOUR_START_MS);

const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36';
const WEB = { visitUserId: '4cefbd59-497d-46aa-a5aa-089e4d7db2b9', sessionId: '2b871eba-31df-4e25-8192-1e5932c3aa9c' };
const WEB_PAGE_TIME = '1795472582508';
const MINP = { visitUserId: '2ffe1d15-c2b1-4eb2-97be-3998398c9d1f', sessionId: '61e53377-81b5-4628-9d01-d167da0fb6fc' };
const MINP_PAGE_TIME = '1795472591257';

const VISIT_ID = /^[0-9a-f]{16}$/;
const ROWS_OF_ALL = {
  visit: 2,
  page: 2,
  action: 3,
  action_tag: 0,
  custom_event: 3,
  ads_track_activation: 0,
  ads_track_click: 0,
  pvar: 2,
  evar: 2,
  vstr: 1,
};

test('requests recorded from real SDKs', async (t) => {
  const server = await startTestServer(t);
  const answers: unknown[] = [];
  for (const sdk of ['web-gio-1.0', 'minp-2.0.18', 'java-1.0.8']) {
    for (const recording of readRecordings(sdk)) {
      const response = await replay(server.baseUrl, recording);
      assert.equal(response.status, 200, `${sdk} ${recording.path}`);
      if (recording.method === 'POST') answers.push(await response.json());
    }
  }
  const tables = await exportRows(server, HOUR);

  await t.test('are all taken, none rejected, and types that are not exported are ignored', () => {
    assert.deepEqual(
      answers.map((answer) => Object.values(answer as object).join()),
      // web: pv, cstm, evar, ppl, clck, clck, pvar; mini program: pv, the seven others with ppl, cls; Java: cstm
      ['2,0,0', '1,0,0', '1,0,0', '0,0,1', '1,0,0', '1,0,0', '1,0,0', '2,0,0', '6,0,1', '0,0,1', '1,0,0'],
    );
    assert.deepEqual(readRejected(server, HOUR), []);
  });

  await t.test('make these rows and no others', () => {
    const counts = Object.fromEntries(Object.entries(tables).map(([dataType, rows]) => [dataType, rows.length]));
    assert.deepEqual(counts, ROWS_OF_ALL);
  });

  await t.test('of the web SDK make these rows, cstm and pvar with the domain of their page', () => checkWeb(tables));
  await t.test('of the mini program SDK make these rows, its page sent twice being one', () => checkMinp(tables));
  await t.test('of the Java SDK make this row', () => checkJava(tables));

  await t.test('are exported in order of visitor, session and time', () => {
    const visitors = [WEB.visitUserId, MINP.visitUserId].sort();
    assert.deepEqual(
      tables.custom_event.map((row) => row.visitUserId),
      [null, ...visitors],
    );
    assert.deepEqual(
      tables.action.filter((row) => row.visitUserId === WEB.visitUserId).map((row) => row.time),
      ['1795472582826', '1795472582837'],
    );
  });
});

function checkWeb(tables: Tables): void {
  const visit = onlyRow(tables.visit, WEB);
  assertRow(visit, 'visit', {
    ...WEB,
    accountVersion: '1.0',
    platform: 'Web',
    domain: 'shop.example.test',
    page: '/prod/1',
    queryParameters: 'cid=7&k=v',
    referrer: 'http://ref.example.test/a?b=1',
    language: 'en-us',
    screenHeight: '0',
    screenWidth: '0',
    time: '1795472582520',
    sendTime: SEND_TIME,
    ip: '127.0.0.1',
    userAgent: CHROME,
    operatingSystem: 'Windows',
    operatingSystemVersion: 'Windows 10',
    vstRequestId: VISIT_ID,
  });
  const page = onlyRow(tables.page, WEB);
  assertRow(page, 'page', {
    ...WEB,
    platform: 'Web',
    domain: 'shop.example.test',
    page: '/prod/1',
    queryParameters: 'cid=7&k=v',
    referrer: 'http://ref.example.test/a?b=1',
    title: '商品页',
    time: WEB_PAGE_TIME,
    sendTime: SEND_TIME,
    loginUserId: 'user-9',
    pageRequestId: /^1795472582508[0-9a-f]{10}$/,
    vstRequestId: visit.vstRequestId!,
  });
  assertRow(onlyRow(tables.custom_event, WEB), 'custom_event', {
    ...WEB,
    time: '1795472582823',
    sendTime: SEND_TIME,
    pageTime: WEB_PAGE_TIME,
    domain: 'shop.example.test',
    page: '/prod/1',
    eventName: 'buy',
    eventNumber: '2',
    eventVariable: '{"item":"苹果","price":"14"}',
    loginUserId: 'user-9',
    pageRequestId: page.pageRequestId!,
  });
  assertRow(onlyRow(tables.pvar, WEB), 'pvar', {
    ...WEB,
    time: '1795472582840',
    sendTime: SEND_TIME,
    pageTime: WEB_PAGE_TIME,
    domain: 'shop.example.test',
    page: '/prod/1',
    pageVariable: '{"cat":"fruit"}',
    pageRequestId: page.pageRequestId!,
  });
  assertRow(onlyRow(tables.evar, WEB), 'evar', {
    ...WEB,
    time: '1795472582824',
    sendTime: SEND_TIME,
    conversionVariable: '{"kw":"x"}',
  });
  checkWebActions(tables, page.pageRequestId!);
}

function checkWebActions(tables: Tables, pageRequestId: string): void {
  const common = {
    ...WEB,
    requestType: 'clck',
    domain: 'shop.example.test',
    page: '/prod/1',
    sendTime: SEND_TIME,
    pageRequestId,
    actionRequestId: /^wa:[0-9a-f]{27}$/,
  };
  const first = onlyRow(tables.action, { ...WEB, time: '1795472582826' });
  assertRow(first, 'action', { ...common, time: '1795472582826', href: '/next?x=1', requestValue: '去购买' });
  const second = onlyRow(tables.action, { ...WEB, time: '1795472582837' });
  assertRow(second, 'action', { ...common, time: '1795472582837', href: '/i2', requestValue: 'two', index: '2' });
  assert.notEqual(first.actionRequestId, second.actionRequestId);
}

function checkMinp(tables: Tables): void {
  const visit = onlyRow(tables.visit, MINP);
  assertRow(visit, 'visit', {
    ...MINP,
    accountVersion: '2.0.18',
    platform: 'MinP',
    domain: 'wxapp1',
    page: 'pages/index',
    queryParameters: 'cid=7',
    referrer: 'wxref',
    language: 'zh_CN',
    screenHeight: '1600',
    screenWidth: '800',
    time: MINP_PAGE_TIME,
    sendTime: SEND_TIME,
    ip: '127.0.0.1',
    userAgent: 'node', // what Node's fetch adds where the recording has none
    operatingSystem: 'Weixin-Android',
    operatingSystemVersion: 'Weixin 8.0.1',
    clientVersion: '3.2.1',
    channel: 'scn:1001',
    deviceBrand: 'HUAWEI',
    deviceModel: 'P40',
    vstRequestId: VISIT_ID,
  });
  const page = onlyRow(tables.page, MINP);
  assertRow(page, 'page', {
    ...MINP,
    platform: 'MinP',
    domain: 'wxapp1',
    page: 'pages/index',
    queryParameters: 'cid=7',
    referrerPage: 'scn:1001',
    title: '商品页',
    time: MINP_PAGE_TIME,
    sendTime: SEND_TIME,
    loginUserId: 'user-9', // of the page sent again, after the login
    pageRequestId: /^1795472591257[0-9a-f]{10}$/,
    vstRequestId: visit.vstRequestId!,
  });
  const common = { ...MINP, time: '1795472591759', sendTime: SEND_TIME };
  const onPage = { domain: 'wxapp1', page: 'pages/index', pageRequestId: page.pageRequestId! };
  assertRow(onlyRow(tables.custom_event, MINP), 'custom_event', {
    ...common,
    ...onPage,
    pageTime: MINP_PAGE_TIME,
    queryParameters: 'cid=7',
    eventName: 'buy',
    eventVariable: '{"item":"苹果","price":"14"}',
    loginUserId: 'user-9',
  });
  assertRow(onlyRow(tables.pvar, MINP), 'pvar', {
    ...common,
    ...onPage,
    pageTime: MINP_PAGE_TIME,
    pageVariable: '{"cat":"fruit"}',
  });
  assertRow(onlyRow(tables.evar, MINP), 'evar', { ...common, domain: 'wxapp1', conversionVariable: '{"kw":"x"}' });
  assertRow(onlyRow(tables.vstr, MINP), 'vstr', { ...common, visitorVariable: '{"a":"b"}' });
  assertRow(onlyRow(tables.action, MINP), 'action', {
    ...common,
    ...onPage,
    requestType: 'clck',
    requestValue: '去购买',
    index: '2',
    actionRequestId: /^ma:[0-9a-f]{27}$/,
  });
}

function checkJava(tables: Tables): void {
  assertRow(onlyRow(tables.custom_event, { eventName: 'BuyProduct' }), 'custom_event', {
    time: '1795469322573',
    sendTime: SEND_TIME,
    eventName: 'BuyProduct',
    eventNumber: '9.5',
    eventVariable: '{"d":"1.25","price":"14","product_name":"苹果"}',
    loginUserId: 'u-1',
  });
}
