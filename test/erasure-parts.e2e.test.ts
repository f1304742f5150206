/** Erasure in what lies beside the rows: tags of rules and of back-fills, server events, the click index, and 1.0 packages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBeijingHour } from '../src/events/hour.ts';
import { eraseVisitors, filesWith, untilErased } from './helpers/erase-visitors.ts';
import { exportRows } from './helpers/export-rows.ts';
import { readLegacy } from './helpers/legacy-client.ts';
import { startRecentServer } from './helpers/recent-server.ts';
import { send, sendEvents } from './helpers/send-events.ts';
import { TEST_PROJECT } from './helpers/test-server.ts';
import { addLink } from './helpers/tracking-links.ts';
import { runTidegate } from './helpers/tidegate-command.ts';

const AI = TEST_PROJECT.ai;
const [VICTIM, OTHER] = ['victim-7f3a', 'somebody'];

test('an erasure takes a visitor out of every part', async (t) => {
  const server = await startRecentServer(t);
  const { data, hour, clock } = server;
  const run = async (...words: readonly string[]): Promise<void> => {
    const done = await runTidegate(...words.slice(0, 2), '--data', data, '--ai', AI, ...words.slice(2));
    assert.equal(done.exitCode, 0, done.stderr);
  };
  await run('rule', 'add', '--name', 'at arrival', '--type', 'clck');
  const link = await addLink(server, 'ad');
  const activation = (u: string, imei: string): object => ({ t: 'activate', u, tm: 5, imei, oaid: `oaid-${u}` });
  const activate = (u: string, imei: string) =>
    sendEvents(server, `/app/${AI}/android/ctvt?stm=1`, [activation(u, imei)]);
  const devices = [
    [VICTIM, '867530912345678'],
    [OTHER, '867530912345679'],
  ] as const;
  for (const [u, imei] of devices) {
    const clicked = await send(server, { path: `/l/${link.linkId}?imei=${imei}`, method: 'GET' });
    assert.equal(clicked.status, 302);
    assert.equal((await activate(u, imei)).accepted, 1);
    const base = { u, s: `${u}-s`, d: 'shop', p: '/', tm: 5 };
    await sendEvents(server, `/v3/${AI}/web/pv`, [
      { ...base, t: 'vst' },
      { ...base, t: 'page', cs1: `login of ${u}` },
      { ...base, t: 'clck', ptm: 5, e: [{ x: '/a', v: 'buy' }] },
    ]);
    await sendEvents(server, `/v3/${AI}/s2s/cstm`, [{ t: 'cstm', tm: 6, n: 'paid', cs1: `login of ${u}` }]);
  }
  const before = await exportRows(server, hour);
  await run('rule', 'add', '--name', 'later', '--type', 'clck', '--xpath', '/a');
  server.catchUp();
  await run('rule', 'backfill');
  const filled = await exportRows(server, hour);
  assert.equal(before.action_tag.length, 2);
  assert.equal(filled.action_tag.length, 4);
  assert.deepEqual(new Set(filled.custom_event.map(({ visitUserId }) => visitUserId)), new Set([VICTIM, OTHER]));
  const date = formatBeijingHour(hour);
  assert.equal((await readLegacy(server, date)).page?.length, 2);
  const repeated = await activate(VICTIM, devices[0][1]);
  assert.equal(repeated.ignored, 1);

  clock.set(clock.nowMs() + 1);
  const certificate = await untilErased(server, (await eraseVisitors(server, [VICTIM])).receiptId);
  assert.deepEqual(
    certificate.hours.map(({ rows }) => rows),
    [{ visit: 1, page: 1, action: 1, action_tag: 2, custom_event: 1, ads_track_activation: 1, ads_track_click: 1 }],
  );

  await t.test('rows, those of tags and server events too', async () => {
    const after = await exportRows(server, hour);
    const counts = Object.entries(after).map(([dataType, rows]) => [dataType, rows.length] as const);
    assert.deepEqual(Object.fromEntries(counts.filter(([, count]) => count > 0)), {
      visit: 1,
      page: 1,
      action: 1,
      action_tag: 2,
      custom_event: 1,
      ads_track_activation: 1,
      ads_track_click: 1,
    });
    const [{ actionRequestId }] = after.action as [(typeof after.action)[0]];
    for (const tag of after.action_tag) assert.equal(tag.actionRequestId, actionRequestId);
  });
  await t.test('1.0 packages, which are made again without the visitor', async () => {
    const { page } = await readLegacy(server, date);
    assert.deepEqual(
      page?.map((row) => Object.values(row).includes(OTHER)),
      [true],
    );
  });
  await t.test('the click index, so that the device is a new one', async () => {
    assert.equal((await activate('another', devices[0][1])).accepted, 1);
    assert.equal((await activate(OTHER, devices[1][1])).ignored, 1);
  });
  await t.test('and leaves no byte of the id in any file', async () => {
    assert.deepEqual(await filesWith(data, VICTIM), []);
  });
});
