/**
 * One day of a shop on all its platforms, sent over HTTP as the SDKs send it: all ten tables, their joins, and their numbers of rows.
 *
 * What is expected is counted while the events are written, from the story alone: nothing of src/events has a part in it.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import lzString from 'lz-string';
import snappy from 'snappyjs';
import { downloadPackage, ExportClient, getToken } from '../src/client/export-client.ts';
import { beijingDayOf, formatBeijingHour, HOUR_MS, hourOf, hourStartMs } from '../src/events/hour.ts';
import { encodeLz4Block, xorBody } from './data/wire-encoders.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { EXPORT_COLUMNS, readPackage, type TableRow, type Tables } from './helpers/export-rows.ts';
import { FakeClock } from './helpers/fake-clock.ts';
import { send, sendEvents } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';
import { addLink, type AddedLink } from './helpers/tracking-links.ts';
import { runTidegate } from './helpers/tidegate-command.ts';
import { waitUntil } from './helpers/wait-until.ts';

const AI = TEST_PROJECT.ai;
const DAY = beijingDayOf(hourOf(HOUR_START_MS));
const DAY_START_MS = hourStartMs(DAY.from);
const VISITS_AN_HOUR = 3;
const MINUTE_MS = 60_000;
const ANDROID = 'Mozilla/5.0 (Linux; Android 13; P40) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36';

type Platform = 'web' | 'android' | 'ios' | 'minp';
type Event = Readonly<Record<string, unknown>>;
type Counts = Record<keyof Tables, number>;
type Shop = {
  readonly server: TestServer;
  readonly link: AddedLink;
  readonly counts: Counts;
  /** Visitors by login user, of those who logged in. */
  readonly visitorOf: Map<string, string>;
};

const PLATFORMS: readonly Platform[] = ['web', 'android', 'ios', 'minp'];

/** Sends a batch as the platform's SDK does. */
async function sendAs({ server }: Shop, platform: Platform, channel: string, events: readonly Event[]): Promise<void> {
  const stm = server.clock.nowMs();
  const path = { web: `/v2/${AI}/web/${channel}`, minp: `/projects/${AI}/apps/wx01/collect` };
  const codings = {
    web: { encode: (json: Buffer) => lzString.compressToUint8Array(json.toString()) },
    android: {
      headers: { 'X-Compress-Codec': '2', 'X-Crypt-Codec': '1' },
      encode: (json: Buffer) => xorBody(Buffer.from(snappy.compress(json)), stm),
    },
    ios: {
      headers: { 'X-Compress-Codec': '3', 'X-Crypt-Codec': '1', 'X-Timestamp': String(stm) },
      encode: (json: Buffer) => xorBody(encodeLz4Block(json), stm),
    },
    minp: { headers: { 'Content-Type': 'application/json' } },
  };
  const at = platform === 'web' || platform === 'minp' ? path[platform] : `/v3/${AI}/${platform}/${channel}`;
  const receipt = await sendEvents(server, `${at}?stm=${stm}`, events, codings[platform]);
  assert.equal(receipt.rejected, 0, JSON.stringify(receipt));
}

/** A customer looks at three pages, searches, puts something into the basket, and sometimes logs in, buys, or comes by an ad. */
async function visitShop(shop: Shop, number: number): Promise<void> {
  const { server, counts, link, visitorOf } = shop;
  const platform = PLATFORMS[number % PLATFORMS.length]!;
  const [u, s] = [`visitor-${number}`, `session-${number}`];
  const startMs = server.clock.nowMs() - 5 * MINUTE_MS;
  const domain = { web: 'shop.example.test', android: 'test.shop', ios: 'test.shop.ios', minp: 'wx01' }[platform];
  const common = { u, s, d: domain, ...(platform === 'web' && { b: 'Web' }) };
  const loginUser = number % 2 === 0 ? { cs1: `user-${number}` } : {};
  if (number % 2 === 0) visitorOf.set(`user-${number}`, u);

  const isApp = platform === 'android' || platform === 'ios';
  if (isApp && number % 3 === 0) {
    const id =
      platform === 'ios'
        ? `AEBE52E7-03EE-455A-B3C4-${String(100_000_000_000 + number)}`
        : `86753091234${5_000 + number}`;
    const query = platform === 'ios' ? `idfa=${id}` : `IMEI=${id}`;
    const answer = await send(server, {
      path: `/l/${link.linkId}?${query}`,
      method: 'GET',
      headers: { 'User-Agent': ANDROID },
    });
    assert.equal(answer.status, 302, answer.text);
    counts.ads_track_click += 1;
    const device = platform === 'ios' ? { ui: id } : { imei: id, ua: ANDROID };
    const activation = { t: 'activate', u, tm: startMs, ...device };
    for (let sent = 0; sent < 2; sent += 1)
      await sendEvents(server, `/app/${AI}/${platform}/ctvt?stm=${startMs}`, [activation]); // a device counts once
    counts.ads_track_activation += 1;
  }

  const pages = ['/home', `/prod/${number}`, '/basket'].map((p, place) => ({
    ...common,
    t: 'page',
    p,
    q: 'k=v',
    tm: startMs + place * MINUTE_MS,
    ...loginUser,
  }));
  const visit = {
    ...common,
    t: 'vst',
    tm: startMs + 3,
    p: '/home',
    l: 'zh_CN',
    sh: 1080,
    sw: 1920,
    cv: '2.1',
    os: 'system',
  };
  const first = [pages[0]!, visit, ...pages.slice(1)]; // the page first, as some SDKs do
  await sendAs(shop, platform, 'pv', first);
  counts.visit += 1;
  counts.page += 3;

  const action = (t: string, place: number, e: readonly Event[]): Event => {
    const { p, tm } = pages[place]!;
    return { ...common, t, p, q: 'k=v', tm: tm + 1_000, ptm: tm, e };
  };
  const actions = [
    action('clck', 1, [
      { x: '/div/a#buy', v: 'Buy', idx: 1, tm: startMs + MINUTE_MS + 1_000 },
      { x: '/div/a#like', v: 'Like', tm: startMs + MINUTE_MS + 2_000 },
    ]),
    action('clck', 2, [{ x: '/div/a#buy', v: 'Buy', tm: startMs + 2 * MINUTE_MS + 1_000 }]),
    action('chng', 0, [{ x: '/form/input', v: 'tea', tm: startMs + 1_500 }]),
    ...(platform === 'android' ? [] : [action('sbmt', 0, [{ x: '/form', tm: startMs + 1_900 }])]),
  ];
  for (let sent = 0; sent < (number % 5 === 0 ? 2 : 1); sent += 1) await sendAs(shop, platform, 'action', actions); // some are sent again
  counts.action += platform === 'android' ? 4 : 5;
  counts.action_tag += 2; // the product page's Buy, and the search

  const ofPage = { ...common, p: pages[1]!.p, ptm: pages[1]!.tm, tm: pages[1]!.tm + 3_000 };
  const custom = [
    { ...ofPage, t: 'cstm', n: 'addToBasket', num: 2, var: { price: '14.50' }, ...loginUser },
    { ...ofPage, t: 'pvar', var: { category: 'tea' } },
    ...(number % 3 === 0 ? [{ ...common, t: 'evar', tm: startMs + 4_000, var: { source: 'ad' } }] : []),
    ...(number % 4 === 1 ? [{ ...common, t: 'vstr', tm: startMs + 5_000, var: { level: 'gold' } }] : []),
    { ...common, t: 'imp', tm: startMs, e: [] },
  ];
  await sendAs(shop, platform, 'cstm', custom);
  counts.custom_event += 1;
  counts.pvar += 1;
  if (number % 3 === 0) counts.evar += 1;
  if (number % 4 === 1) counts.vstr += 1;
}

/** The shop's own server says which orders were paid of those who logged in within the last hours. */
async function payOrders({ server, counts, visitorOf }: Shop): Promise<void> {
  const users = [...visitorOf.keys()].slice(-VISITS_AN_HOUR);
  const events = users.map((cs1) => ({ t: 'cstm', n: 'paid', cs1, tm: server.clock.nowMs(), var: { amount: 29 } }));
  if (events.length === 0) return;
  const receipt = await sendEvents(server, `/v3/${AI}/s2s/cstm/?stm=${server.clock.nowMs()}`, events);
  assert.equal(receipt.accepted, events.length);
  counts.custom_event += events.length;
}

async function readDay(t: TestContext, { baseUrl, clock, project }: TestServer): Promise<Tables> {
  const { ai, uid, clientId, secret } = project;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  const client = new ExportClient({ baseUrl, clientId, token, ai });
  const date = formatBeijingHour(DAY.from).slice(0, 8);
  const { downloadLinks } = await waitUntil(`the day ${date} is FINISHED`, async () => {
    const asked = await client.exportWholeDay({ date });
    assert.notEqual(asked.status, 'ERROR', asked.errorMsg);
    return asked.status === 'FINISHED' && asked;
  });
  const tables: Record<string, TableRow[]> = {};
  for (const dataType of Object.keys(EXPORT_COLUMNS) as (keyof Tables)[]) {
    tables[dataType] = [];
    for (const link of downloadLinks[dataType])
      tables[dataType].push(...readPackage(dataType, await downloadPackage(link)).rows);
    t.diagnostic(`${dataType}: ${tables[dataType].length}`);
  }
  return tables as unknown as Tables;
}

const valuesOf = (rows: readonly TableRow[], column: string): ReadonlySet<string | null> =>
  new Set(rows.map((row) => row[column] ?? null));

function assertJoins(rows: readonly TableRow[], column: string, others: readonly TableRow[]): void {
  const known = valuesOf(others, column);
  assert.ok(rows.length > 0);
  for (const row of rows)
    assert.ok(row[column] !== null && known.has(row[column]!), `${column} ${row[column]} is known`);
}

test('one day of a shop', async (t) => {
  const clock = new FakeClock(DAY_START_MS + 10 * MINUTE_MS);
  const server = await startTestServer(t, { clock });
  const rule = async (...words: readonly string[]): Promise<void> => {
    const added = await runTidegate('rule', 'add', '--data', server.data, '--ai', AI, ...words);
    assert.equal(added.exitCode, 0, added.stderr);
  };
  await rule('--name', 'buy', '--type', 'clck', '--path', '/prod/*', '--xpath', '/div/a#buy');
  await rule('--name', 'search', '--type', 'chng', '--xpath', '/form/*');
  const link = await addLink(server, 'spring', [
    '--target',
    'https://shop.example.test/app',
    '--campaign',
    'Spring',
    '--channel',
    'Feed',
  ]);
  const counts = Object.fromEntries(Object.keys(EXPORT_COLUMNS).map((dataType) => [dataType, 0])) as Counts;
  const shop: Shop = { server, link, counts, visitorOf: new Map() };

  for (let hour = 0; hour < 24; hour += 1) {
    clock.set(DAY_START_MS + hour * HOUR_MS + 10 * MINUTE_MS);
    await payOrders(shop);
    for (let visit = 0; visit < VISITS_AN_HOUR; visit += 1) {
      clock.set(clock.nowMs() + 10 * MINUTE_MS);
      await visitShop(shop, hour * VISITS_AN_HOUR + visit);
    }
  }
  clock.set(DAY_START_MS + 24 * HOUR_MS);
  const tables = await readDay(t, server);

  await t.test('fills all ten tables with the rows that were sent, each once', () => {
    assert.ok(Object.values(counts).every((count) => count > 0));
    const exported = Object.fromEntries(Object.entries(tables).map(([dataType, rows]) => [dataType, rows.length]));
    assert.deepEqual(exported, counts);
  });
  await t.test('gives every page its visit, and every action and event its page', () => {
    assertJoins(tables.page, 'vstRequestId', tables.visit);
    assert.equal(valuesOf(tables.page, 'vstRequestId').size, counts.visit);
    assertJoins(tables.action, 'pageRequestId', tables.page);
    assertJoins(tables.pvar, 'pageRequestId', tables.page);
    assertJoins(
      tables.custom_event.filter(({ eventName }) => eventName === 'addToBasket'),
      'pageRequestId',
      tables.page,
    );
  });
  await t.test('gives every tag its action, and tags what the rules mean', () => {
    assertJoins(tables.action_tag, 'actionRequestId', tables.action);
    const tagged = valuesOf(tables.action_tag, 'actionRequestId');
    for (const { actionRequestId, page, requestType, requestValue } of tables.action) {
      const isMeant = (requestValue === 'Buy' && page!.startsWith('/prod/')) || requestType === 'chng';
      assert.equal(tagged.has(actionRequestId!), isMeant, `${requestType} ${requestValue} on ${page}`);
    }
  });
  await t.test('names the link in every click and activation', () => {
    for (const row of [...tables.ads_track_click, ...tables.ads_track_activation])
      assert.deepEqual(
        [row.linkId, row.linkName, row.campaignName, row.channelName],
        [link.linkId, 'spring', 'Spring', 'Feed'],
      );
  });
  await t.test('gives what the server sent to who had logged in', () => {
    const paid = tables.custom_event.filter(({ eventName }) => eventName === 'paid');
    assert.ok(paid.length > 0);
    for (const { loginUserId, visitUserId } of paid) assert.equal(visitUserId, shop.visitorOf.get(loginUserId!));
  });
});
