/** Erasure of clicks: they name no visitor, and go by the devices and origins that the visitor's rows tell of. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DeviceKeys } from '../src/ads/device-keys.ts';
import { openExistingCatalog } from '../src/catalog/data-catalog.ts';
import { addHours, formatBeijingHour, formatUtcHour, hourEndMs, hourOf, HOUR_MS } from '../src/events/hour.ts';
import { eraseVisitors, filesWith, untilErased } from './helpers/erase-visitors.ts';
import { exportRows } from './helpers/export-rows.ts';
import { readLegacy } from './helpers/legacy-client.ts';
import { send, sendEvents } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';
import { addLink } from './helpers/tracking-links.ts';
import { runTidegate } from './helpers/tidegate-command.ts';

const AI = TEST_PROJECT.ai;
const VICTIM = 'victim-7f3a';
const [IMEI, OTHER_IMEI] = ['867530912345678', '867530912345679'];
const ANDROID_ID = 'a1b2c3d4e5f60718';
const PHONE = 'Mozilla/5.0 (Linux; Android 14; Pixel 8)';

describe('an erasure', () => {
  it("takes the clicks of the visitor's devices out of every hour, package and index, and no others", async (t) => {
    const server = await startTestServer(t);
    const first = hourOf(server.clock.nowMs());
    const link = await addLink(server, 'ad', ['--target', 'https://shop.example.com/app', '--variable', 'area=']);
    const click = (query: string, userAgent = 'phone of nobody') => clickOn(server, link.linkId, query, userAgent);
    // The first hour: clicks alone, one by an id that only a later visit tells of, in another case of letters.
    await click(`imei=${IMEI}&area=victims-area`);
    await click(`imei=${OTHER_IMEI}`);
    await click(`AndroidId=${ANDROID_ID.toUpperCase()}`);
    await click('', PHONE); // names no device; the activation of the visitor is given it
    await click('', 'another phone');
    await click(`imei=867530912345677`, PHONE); // of another device behind the same address
    server.clock.set(hourEndMs(first) + 60_000);
    await exportRows(server, first);
    // The second: what tells whose they are.
    await visit(server, VICTIM, { adrid: ANDROID_ID });
    await activate(server, VICTIM, { imei: IMEI, ua: 'an app' });
    await activate(server, VICTIM, { iv: 'e0b9c2d4-1111-4222-8333-444455556666', ua: PHONE });
    await activate(server, 'somebody', { imei: OTHER_IMEI });
    await click(`uuid=${VICTIM}`);
    const before = await exportRows(server, addHours(first, 1));
    assert.deepEqual(before.ads_track_activation.map(({ linkName }) => linkName).toSorted(), ['ad', 'ad', 'ad']);
    // The third, which is open.
    await click(`oaid=${IMEI}`);
    const date = formatBeijingHour(first);
    assert.equal((await readLegacy(server, date)).ads_track_click?.length, 6);
    const open = hourOf(server.clock.nowMs());

    server.clock.set(server.clock.nowMs() + 1);
    const { receiptId } = await eraseVisitors(server, [VICTIM]);
    server.clock.set(server.clock.nowMs() + 1);
    await click(`imei=${IMEI}&area=later`); // new data, which stays
    server.clock.set(hourEndMs(open) + 60_000);
    const certificate = await untilErased(server, receiptId);
    assert.deepEqual(
      certificate.hours.map(({ hour, rows }) => [hour, rows]),
      [
        [formatBeijingHour(first), { ads_track_click: 3 }],
        [formatBeijingHour(addHours(first, 1)), { visit: 1, ads_track_activation: 2, ads_track_click: 1 }],
        [formatBeijingHour(open), { ads_track_click: 1 }],
      ],
    );
    for (const { before: old, after } of certificate.hours) assert.ok(after!.revision > (old?.revision ?? 0));
    assert.deepEqual(
      (await exportRows(server, first)).ads_track_click.map(({ imei, userAgent }) => [imei, userAgent]).toSorted(),
      [
        ['867530912345677', PHONE],
        [OTHER_IMEI, 'phone of nobody'],
        [null, 'another phone'],
      ].toSorted(),
    );
    assert.equal((await readLegacy(server, date)).ads_track_click?.length, 3);
    const [late, ...more] = (await exportRows(server, open)).ads_track_click;
    assert.deepEqual([late?.imei, late?.adsVariable, more], [IMEI, '{"area":"later"}', []]);

    const { data, clock } = server;
    const catalog = await openExistingCatalog(data, clock);
    const keys = new DeviceKeys(catalog.serverKeys.linkKey);
    await catalog.close();
    const ids = { idfa: null, imei: null, androidId: ANDROID_ID };
    const [androidKey] = keys.ofClick(AI, ids, { ip: null, userAgent: null });
    assert.deepEqual(await filesWith(data, VICTIM), []);
    assert.deepEqual(await filesWith(data, 'victims-area'), []);
    assert.deepEqual(await filesWith(data, androidKey!), []);
    for (const id of [ANDROID_ID, ANDROID_ID.toUpperCase()]) assert.deepEqual(await filesWith(data, id), []);
    const holding = (await filesWith(data, IMEI)).map((path) => path.slice(data.length + 1));
    assert.ok(
      holding.every((path) => path.includes(formatUtcHour(open))),
      holding.join(' '),
    ); // of the later click
    assert.equal((await runTidegate('verify', '--data', data)).exitCode, 0);
  });

  it('takes a click of a device that two visitors share, and leaves the rows of the other', async (t) => {
    const server = await startTestServer(t);
    const hour = hourOf(server.clock.nowMs());
    const link = await addLink(server, 'ad');
    await clickOn(server, link.linkId, `imei=${IMEI}`, PHONE);
    await activate(server, 'sister', { imei: IMEI });
    await visit(server, VICTIM, { imei: IMEI });
    server.clock.set(hourEndMs(hour) + 60_000);
    await exportRows(server, hour);
    const certificate = await untilErased(server, (await eraseVisitors(server, [VICTIM])).receiptId);
    assert.deepEqual(
      certificate.hours.map(({ rows, after }) => [rows, after?.revision]),
      [[{ visit: 1, ads_track_click: 1 }, 2]],
    );
    const rows = await exportRows(server, hour);
    assert.deepEqual(rows.ads_track_click, []);
    assert.deepEqual(
      rows.ads_track_activation.map(({ visitUserId, linkName }) => [visitUserId, linkName]),
      [['sister', 'ad']],
    );
  });

  it('takes out of the open hour a click of which another hour tells, before the hour is exported', async (t) => {
    const server = await startTestServer(t);
    const first = hourOf(server.clock.nowMs());
    const link = await addLink(server, 'ad');
    await visit(server, VICTIM, { imei: IMEI });
    await exportRows(server, first);
    await clickOn(server, link.linkId, `imei=${IMEI}`, PHONE);
    const open = hourOf(server.clock.nowMs());
    server.clock.set(server.clock.nowMs() + 1);
    const { receiptId } = await eraseVisitors(server, [VICTIM]);
    server.clock.set(server.clock.nowMs() + HOUR_MS);
    const certificate = await untilErased(server, receiptId);
    assert.deepEqual(
      certificate.hours.map(({ hour, rows }) => [hour, rows]),
      [
        [formatBeijingHour(first), { visit: 1 }],
        [formatBeijingHour(open), { ads_track_click: 1 }],
      ],
    );
    assert.deepEqual(await filesWith(server.data, IMEI), []);
    assert.ok((await filesWith(join(server.data), link.linkId)).length > 0);
  });
});

async function clickOn(server: TestServer, linkId: string, query: string, userAgent: string): Promise<void> {
  const path = `/l/${linkId}?${query}`;
  const clicked = await send(server, { path, method: 'GET', headers: { 'User-Agent': userAgent } });
  assert.equal(clicked.status, 302);
}

async function activate(server: TestServer, u: string, ids: object): Promise<void> {
  const event = { t: 'activate', u, tm: server.clock.nowMs(), ...ids };
  assert.equal((await sendEvents(server, `/app/${AI}/android/ctvt?stm=1`, [event])).accepted, 1);
}

async function visit(server: TestServer, u: string, ids: object): Promise<void> {
  const event = { t: 'vst', u, s: 's', d: 'shop', p: '/', tm: server.clock.nowMs(), ...ids };
  assert.equal((await sendEvents(server, `/v3/${AI}/android/pv?stm=1`, [event])).accepted, 1);
}
