/** Activations: to which click each belongs, and that a device has one in 15 days, whatever fails meanwhile. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ClickIndexFile, LEASE_MS } from '../src/ads/click-index-file.ts';
import { ClickIndex } from '../src/ads/click-index.ts';
import { activationIdsOf, DeviceKeys } from '../src/ads/device-keys.ts';
import { forgetActivations } from '../src/ads/forget-erased.ts';
import { openExistingCatalog } from '../src/catalog/data-catalog.ts';
import { addHours, hourOf, HOUR_MS } from '../src/events/hour.ts';
import { eventDigest, eventRowId } from '../src/events/ids.ts';
import { atEnd } from './helpers/at-end.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertRow, exportRows, onlyRow, type TableRow } from './helpers/export-rows.ts';
import { FakeClock } from './helpers/fake-clock.ts';
import { send, sendEvents } from './helpers/send-events.ts';
import { addLink, readExtras } from './helpers/tracking-links.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';

const HOUR = hourOf(HOUR_START_MS);
const AI = TEST_PROJECT.ai;
const DAY_MS = 24 * HOUR_MS;
const ANDROID = 'Mozilla/5.0 (Linux; Android 13; P40) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36';
const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148';
const TM = HOUR_START_MS;

type Event = Readonly<Record<string, unknown>>;
const activate = (keys: Event): Event => ({ t: 'activate', tm: TM, osv: 'Android 13', ...keys });

async function click(server: TestServer, linkId: string, query = '', userAgent = 'a browser'): Promise<void> {
  const answer = await send(server, {
    path: `/l/${linkId}${query}`,
    method: 'GET',
    headers: { 'User-Agent': userAgent },
  });
  assert.equal(answer.status, 302, answer.text);
}

const sendActivations = (server: TestServer, events: readonly Event[], platform = 'android', userAgent = 'okhttp') =>
  sendEvents(server, `/app/${AI}/${platform}/ctvt?stm=1`, events, { headers: { 'User-Agent': userAgent } });

/** By visitor, the name of the link that each activation of the hour belongs to. */
async function linksOf(server: TestServer): Promise<Record<string, string | null>> {
  const { ads_track_activation: rows } = await exportRows(server, HOUR);
  return Object.fromEntries(rows.map(({ visitUserId, linkName }) => [visitUserId!, linkName ?? null]));
}

describe('an activation', () => {
  it('carries the link, campaign and channel of its click, and what the click named', async (t) => {
    const server = await startTestServer(t);
    const link = await addLink(server, 'Link', [
      ...['--target', 'https://shop.example.com', '--campaign', 'C', '--channel', 'H'],
      ...['--variable', 'city=beijing', '--variable', 'area='],
    ]);
    await click(server, link.linkId, '?imei=867530912345678&area=north');
    const event = activate({
      u: 'u-1',
      imei: '867530912345678',
      adrid: 'a1b2c3d4e5f60718',
      oaid: 'oaid-1',
      ua: ANDROID,
    });
    assert.deepEqual(await sendActivations(server, [event]), { accepted: 1, rejected: 0, ignored: 0 });
    const { ads_track_activation: rows } = await exportRows(server, HOUR);
    assertRow(onlyRow(rows, {}), 'ads_track_activation', {
      visitUserId: 'u-1',
      imei: '867530912345678',
      androidId: 'a1b2c3d4e5f60718',
      ip: '127.0.0.1',
      userAgent: ANDROID,
      platform: 'Android',
      operatingSystemVersion: 'Android 13',
      sendTime: String(HOUR_START_MS + 600_000),
      linkId: link.linkId,
      campaignId: link.campaignId,
      channelId: link.channelId,
      linkName: 'Link',
      campaignName: 'C',
      channelName: 'H',
      adsVariable: '{"city":"beijing","area":"north"}',
    });
    assert.deepEqual(readExtras(server.data, HOUR, 'ads_track_activation'), [{ oaid: 'oaid-1' }]);
  });

  it('belongs to the last click by IMEI, else Android id, else address and user agent; on iOS by IDFA, else those', async (t) => {
    const server = await startTestServer(t);
    const linkIds: Record<string, string> = {};
    for (const name of ['imei-early', 'imei-late', 'adrid', 'idfa', 'origin'])
      linkIds[name] = (await addLink(server, name)).linkId;
    const idfa = 'AEBE52E7-03EE-455A-B3C4-E57283966239';
    const otherIdfa = 'CEBE52E7-03EE-455A-B3C4-E57283966239';
    await click(server, linkIds['imei-early']!, '?imei=867530912345678&androidid=a1b2c3d4e5f60718');
    server.clock.set(server.clock.nowMs() + 1_000);
    await click(server, linkIds['imei-late']!, '?IMEI=867530912345678');
    await click(server, linkIds.adrid!, '?androidId=a1b2c3d4e5f60719');
    await click(server, linkIds.idfa!, `?idfa=${idfa.toLowerCase()}`);
    await click(server, linkIds.idfa!, `?idfa=${otherIdfa}`);
    server.clock.set(server.clock.nowMs() + 1_000);
    await click(
      server,
      linkIds.origin!,
      '?imei=__IMEI__&androidid=0000&idfa=00000000-0000-0000-0000-000000000000',
      ANDROID,
    );
    await click(server, linkIds.origin!, '', IPHONE);
    await sendActivations(server, [
      activate({ u: 'by-imei', imei: '867530912345678', adrid: 'a1b2c3d4e5f60719', ua: ANDROID }),
      activate({ u: 'by-android-id', imei: '111111111111119', adrid: 'a1b2c3d4e5f60718', ua: ANDROID }),
      activate({ u: 'by-origin', imei: '111111111111118', ua: ANDROID }),
      activate({ u: 'by-nothing', imei: '111111111111117', ua: 'another browser' }),
      activate({ u: 'no-idfa-on-android', imei: '111111111111116', ui: otherIdfa, ua: 'another browser' }),
      activate({ u: 'placeholders', imei: '__IMEI__', adrid: '0000', ua: 'another browser' }),
    ]);
    await sendActivations(
      server,
      [activate({ u: 'by-idfa', ui: idfa, iv: '68753A44-4D6F-1226-9C60-0050E4C00067' })],
      'ios',
      'CFNetwork',
    );
    await sendActivations(
      server,
      [activate({ u: 'by-origin-ios', ui: 'BEBE52E7-03EE-455A-B3C4-E57283966239' })],
      'ios',
      IPHONE,
    );
    await sendActivations(server, [activate({ u: 'no-imei-on-ios', imei: '867530912345670' })], 'ios', 'CFNetwork');
    assert.deepEqual(await linksOf(server), {
      'by-imei': 'imei-late',
      'by-android-id': 'imei-early',
      'by-origin': 'origin',
      'by-nothing': null,
      'no-idfa-on-android': null,
      placeholders: null,
      'by-idfa': 'idfa',
      'by-origin-ios': 'origin',
      'no-imei-on-ios': null,
    });
  });

  it("belongs to the link that it names, if that is the project's; another project's it does not show", async (t) => {
    const server = await startTestServer(t);
    const catalog = await openExistingCatalog(server.data, server.clock);
    await catalog.projects.create({ ...TEST_PROJECT, ai: 'other', uid: 'otherUID' });
    await catalog.close();
    const clicked = await addLink(server, 'clicked');
    const named = await addLink(server, 'named');
    const foreign = await addLink({ data: server.data, ai: 'other' }, 'foreign');
    for (const last of [1, 2, 3]) await click(server, clicked.linkId, `?imei=86753091234567${last}`);
    await sendActivations(server, [
      activate({ u: 'named', imei: '867530912345671', link_id: named.linkId }),
      activate({ u: 'foreign', imei: '867530912345672', link_id: foreign.linkId }),
      activate({ u: 'unknown', imei: '867530912345673', link_id: 'zzzzzzzz' }),
      activate({ u: 'foreign-only', imei: '867530912345674', link_id: foreign.linkId }),
      activate({ u: 'unknown-only', imei: '867530912345675', link_id: 'zzzzzzzz' }),
    ]);
    const { ads_track_activation: rows } = await exportRows(server, HOUR);
    const shown = (u: string): [string | null | undefined, string | null | undefined] => {
      const row = onlyRow(rows, { visitUserId: u });
      return [row.linkId, row.linkName];
    };
    assert.deepEqual(shown('named'), [named.linkId, 'named']);
    assert.deepEqual(shown('foreign'), [clicked.linkId, 'clicked']);
    assert.deepEqual(shown('unknown'), [clicked.linkId, 'clicked']);
    assert.deepEqual(shown('foreign-only'), [null, null]);
    assert.deepEqual(shown('unknown-only'), ['zzzzzzzz', null], 'what the app knew of a link made elsewhere is kept');
  });

  it('belongs to no click of another project, and to none older than 15 days', async (t) => {
    const nowMs = HOUR_START_MS + 600_000;
    const server = await startTestServer(t, { clock: new FakeClock(nowMs - 15 * DAY_MS) });
    const catalog = await openExistingCatalog(server.data, server.clock);
    await catalog.projects.create({ ...TEST_PROJECT, ai: 'other', uid: 'otherUID' });
    await catalog.close();
    const foreign = await addLink({ data: server.data, ai: 'other' }, 'foreign');
    const own = await addLink(server, 'own');
    await click(server, own.linkId, '?imei=867530912345671');
    server.clock.set(nowMs - 15 * DAY_MS + 1);
    await click(server, own.linkId, '?imei=867530912345672');
    server.clock.set(nowMs);
    await click(server, foreign.linkId, '?imei=867530912345673');
    const of = (last: number): Event => activate({ u: `u-${last}`, imei: `86753091234567${last}`, ua: 'x' });
    await sendActivations(server, [of(1), of(2), of(3)]);
    assert.deepEqual(await linksOf(server), { 'u-1': null, 'u-2': 'own', 'u-3': null });
  });

  it('is attributed to the click of a link that was removed since', async (t) => {
    const server = await startTestServer(t);
    const link = await addLink(server, 'removed');
    await click(server, link.linkId, '?imei=867530912345678');
    const catalog = await openExistingCatalog(server.data, server.clock);
    await catalog.links.archive(AI, link.linkId, server.clock.nowMs());
    await catalog.close();
    await sendActivations(server, [activate({ u: 'u-1', imei: '867530912345678' })]);
    assert.deepEqual(await linksOf(server), { 'u-1': 'removed' });
  });
});

describe('a device', () => {
  it('has one activation in 15 days, by any of its ids; the others are counted as ignored', async (t) => {
    const server = await startTestServer(t);
    const first = activate({ u: 'u-1', imei: '867530912345678', oaid: 'oaid-1' });
    assert.deepEqual(await sendActivations(server, [first]), { accepted: 1, rejected: 0, ignored: 0 });
    const repeated = [
      first,
      activate({ u: 'u-2', tm: TM + 1, imei: '867530912345678' }),
      activate({ u: 'u-3', tm: TM + 2, oaid: 'OAID-1', adrid: 'a1b2c3d4e5f60718' }),
      { t: 'activate', tm: 'x', u: 'u-4', imei: '867530912345678' },
    ];
    assert.deepEqual(await sendActivations(server, repeated), {
      accepted: 0,
      rejected: 1,
      ignored: 3,
      reasons: ['tm is no whole number of milliseconds'],
    });
    assert.deepEqual(await sendActivations(server, [activate({ u: 'u-1', imei: '867530912345670' })]), {
      accepted: 1,
      rejected: 0,
      ignored: 0,
    });
    const { ads_track_activation: rows } = await exportRows(server, HOUR);
    assert.deepEqual(imeisOf(rows), ['867530912345670', '867530912345678']);
    server.clock.set(HOUR_START_MS + 600_000 + 15 * DAY_MS);
    assert.equal((await sendActivations(server, [first])).accepted, 1, 'after 15 days it counts again');
  });

  it('has one in one request too, whatever is equal in it', async (t) => {
    const server = await startTestServer(t);
    const event = activate({ u: 'u-1', imei: '867530912345678' });
    const answer = await sendActivations(server, [event, event, { ...event, tm: TM + 1 }]);
    assert.deepEqual(answer, { accepted: 1, rejected: 0, ignored: 2 });
    assert.equal((await exportRows(server, HOUR)).ads_track_activation.length, 1);
  });

  it('has one when its activation comes again an hour later', async (t) => {
    const server = await startTestServer(t);
    const event = activate({ u: 'u-1', imei: '867530912345678' });
    await sendActivations(server, [event]);
    assert.equal((await exportRows(server, HOUR)).ads_track_activation.length, 1);
    server.clock.set(HOUR_START_MS + 2 * HOUR_MS + 1);
    await sendActivations(server, [event]);
    assert.deepEqual((await exportRows(server, addHours(HOUR, 2))).ads_track_activation, []);
  });

  it('without any id is known by its visitor', async (t) => {
    const server = await startTestServer(t);
    await sendActivations(server, [activate({ u: 'u-1' }), activate({ u: 'u-2', imei: '__IMEI__' })]);
    assert.equal((await sendActivations(server, [activate({ u: 'u-1', tm: TM + 1 })])).ignored, 1);
    assert.equal((await exportRows(server, HOUR)).ads_track_activation.length, 2);
  });

  it('is not lost when its row could not be stored: the same event, and then any other, takes its place', async (t) => {
    const server = await startTestServer(t);
    const lost = activate({ u: 'u-1', imei: '867530912345678' });
    const other = { ...lost, tm: TM + 1 };
    await claimAsACrashLeavesIt(t, server, lost);
    const refused = await send(server, { path: `/app/${AI}/android/ctvt`, body: JSON.stringify([other]) });
    assert.equal(refused.status, 503, 'another one waits while the first may still be on its way');
    assert.equal(refused.headers['retry-after'], '5');
    assert.equal((await sendActivations(server, [lost])).accepted, 1);
    assert.equal((await sendActivations(server, [other])).ignored, 1);

    const gone = activate({ u: 'u-2', imei: '867530912345670' });
    await claimAsACrashLeavesIt(t, server, gone);
    server.clock.set(server.clock.nowMs() + LEASE_MS);
    assert.equal((await sendActivations(server, [{ ...gone, tm: TM + 1 }])).accepted, 1);
    assert.equal((await exportRows(server, HOUR)).ads_track_activation.length, 2);
  });

  it('counts again once it was forgotten', async (t) => {
    const server = await startTestServer(t);
    const link = await addLink(server, 'Link');
    await click(server, link.linkId, '?imei=867530912345678');
    const ids = { imei: '867530912345678', adrid: 'a1b2c3d4e5f60718', oaid: 'oaid-1' };
    await sendActivations(server, [activate({ u: 'u-1', ...ids, ua: 'x' })]);
    await sendActivations(server, [activate({ u: 'u-2', imei: '867530912345670', ua: 'x' })]);
    const index = new ClickIndex({ path: join(server.data, 'ads.sqlite'), syncs: true });
    atEnd(t, () => index.close());
    const kept = { visitor: 'u-1', idfa: null, idfv: null, imei: ids.imei, androidId: ids.adrid, oaid: ids.oaid };
    const forgetting = { index, keys: await keysOf(server) };
    await forgetActivations(forgetting, AI, { activations: [kept], untilMs: server.clock.nowMs() });
    const again = activate({ u: 'u-3', tm: TM + 1, imei: '867530912345678', ua: 'x' });
    assert.equal((await sendActivations(server, [again])).accepted, 1);
    assert.equal((await sendActivations(server, [activate({ u: 'u-4', imei: '867530912345670' })])).ignored, 1);
    assert.deepEqual(await linksOf(server), { 'u-1': 'Link', 'u-2': null, 'u-3': null });
  });
});

const imeisOf = (rows: readonly TableRow[]): readonly unknown[] => rows.map(({ imei }) => imei).sort();

async function keysOf({ data, clock }: TestServer): Promise<DeviceKeys> {
  const catalog = await openExistingCatalog(data, clock);
  const keys = new DeviceKeys(catalog.serverKeys.linkKey);
  await catalog.close();
  return keys;
}

/** Leaves the index as a process does that dies after its claim and before its row. */
async function claimAsACrashLeavesIt(t: TestContext, server: TestServer, event: Event): Promise<void> {
  const keys = await keysOf(server);
  const file = ClickIndexFile.open({ path: join(server.data, 'ads.sqlite'), syncs: true });
  atEnd(t, () => {
    file.close();
  });
  const rowId = eventRowId(eventDigest(AI, 'ads_track_activation', event), 0, 0);
  const claim = { deviceKeys: keys.ofDevice(AI, activationIdsOf(event)), rowId, searchKeys: [] };
  assert.equal(file.claim([claim], server.clock.nowMs())?.[0]?.isRepeated, false);
}
