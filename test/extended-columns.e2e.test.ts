/** The later columns of ads: OAID and clickUrl, where a project asks for them, and what the 1.0 API makes of such packages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { downloadPackage, ExportClient, getToken } from '../src/client/export-client.ts';
import type { DataType } from '../src/events/data-types.ts';
import { addHours, formatBeijingHour, hourEndMs, hourOf, hourStartMs } from '../src/events/hour.ts';
import { systemClock } from '../src/lib/clock.ts';
import { EXPORT_COLUMNS } from './helpers/export-rows.ts';
import { readLegacy } from './helpers/legacy-client.ts';
import { parseCsv } from './helpers/parse-csv.ts';
import { startRecentServer } from './helpers/recent-server.ts';
import { send, sendEvents } from './helpers/send-events.ts';
import { TEST_PROJECT } from './helpers/test-server.ts';
import { addLink } from './helpers/tracking-links.ts';
import { runTidegate } from './helpers/tidegate-command.ts';
import { waitUntil } from './helpers/wait-until.ts';

test('extended columns of clicks and activations', async (t) => {
  const server = await startRecentServer(t);
  const { data, baseUrl, clock, project } = server;
  const { ai, uid, clientId, secret } = project;
  server.catchUp();
  const set = await runTidegate('project', 'set', '--data', data, '--ai', ai, '--extended-columns', 'on');
  assert.equal(set.exitCode, 0, set.stderr);
  const link = await addLink(server, 'ad');
  const hour = addHours(hourOf(systemClock.nowMs()), 1); // the command's next hour, or one later when that has turned meanwhile
  clock.set(hourStartMs(hour) + 60_000);
  const path = `/l/${link.linkId}?imei=867530912345678&OAID=oaid,1&from=x`;
  assert.equal((await send(server, { path, method: 'GET', headers: { Host: 'ads.example.com' } })).status, 302);
  await sendEvents(server, `/app/${TEST_PROJECT.ai}/android/ctvt?stm=1`, [
    { t: 'activate', u: 'u', tm: 1, imei: '867530912345678', oaid: 'oaid,1' },
  ]);
  clock.set(hourEndMs(hour));
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  const client = new ExportClient({ baseUrl, clientId, token, ai });
  const date = formatBeijingHour(hour);
  const read = async (dataType: DataType): Promise<readonly (readonly (string | null)[])[]> => {
    const { downloadLinks } = await waitUntil('the hour is FINISHED', async () => {
      const asked = await client.exportHour(dataType, { date });
      return asked.status === 'FINISHED' && asked;
    });
    assert.equal(downloadLinks.length, 1);
    return parseCsv(gunzipSync(await downloadPackage(downloadLinks[0]!)).toString());
  };

  await t.test('stand behind the documented ones', async () => {
    const clicks = await read('ads_track_click');
    assert.deepEqual(clicks[0], [...EXPORT_COLUMNS.ads_track_click, 'OAID', 'clickUrl']);
    assert.deepEqual(clicks[1]!.slice(-2), ['oaid,1', `http://ads.example.com${path}`]);
    const activations = await read('ads_track_activation');
    assert.deepEqual(activations[0], [...EXPORT_COLUMNS.ads_track_activation, 'OAID']);
    assert.equal(activations[1]!.at(-1), 'oaid,1');
  });
  await t.test('are not in the tables of the 1.0 API', async () => {
    const { ads_track_click: clicks, ads_track_activation: activations } = await readLegacy(server, date);
    assert.equal(clicks?.length, 1);
    assert.equal(activations?.length, 1);
    for (const row of [...clicks, ...activations]) {
      assert.ok(!Object.keys(row).some((name) => ['OAID', 'clickUrl'].includes(name)));
      assert.ok(Object.values(row).includes(link.linkId));
    }
  });
});
