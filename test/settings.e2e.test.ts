/** Projects' settings: changed beside a running server, in force from the next hour on, recorded. */
import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { describe, it, type TestContext } from 'node:test';
import type { SettingTable } from '../src/catalog/catalog.ts';
import { openDataCatalog } from '../src/catalog/data-catalog.ts';
import { nextHourAfter } from '../src/catalog/setting-timeline.ts';
import { downloadPackage, ExportClient, getToken } from '../src/client/export-client.ts';
import { addHours, formatBeijingHour, hourEndMs, hourOf, hourStartMs, HOUR_MS, type Hour } from '../src/events/hour.ts';
import { systemClock } from '../src/lib/clock.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { send, sendEvents } from './helpers/send-events.ts';
import { newDataDirectory, startServerProcess } from './helpers/server-process.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';
import { runTidegate } from './helpers/tidegate-command.ts';
import { waitUntil } from './helpers/wait-until.ts';

const AI = TEST_PROJECT.ai;
const HOUR = hourOf(HOUR_START_MS);
const PAGES = `/v3/${AI}/web/pv`;
const INSTALLS = `/v3/${AI}/android/ctvt`;
type Values = Parameters<SettingTable['change']>[1]['values'];

/** Changes settings as the command does: in a catalog of its own, from the next hour of the server's clock on. */
async function change(
  server: TestServer,
  values: Values,
  fromHour = nextHourAfter(server.clock.nowMs()),
): Promise<void> {
  const catalog = await openDataCatalog(server.data, server.clock);
  await catalog.settings.change(AI, { values, fromHour, nowMs: server.clock.nowMs(), by: 'ada' });
  await catalog.close();
}

async function clientOf({ baseUrl, clock, project }: TestServer): Promise<{ client: ExportClient; token: string }> {
  const { ai, uid, clientId, secret } = project;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  return { client: new ExportClient({ baseUrl, clientId, token, ai }), token };
}

type Manifest = {
  readonly schemaVersion: number;
  readonly codec: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly packages: readonly { readonly sha256: string }[];
};

/** Ends an hour and gives its manifest and its CSV files of a type. */
async function exported(server: TestServer, hour: Hour, dataType: 'page' | 'ads_track_activation' = 'page') {
  if (server.clock.nowMs() < hourEndMs(hour)) server.clock.set(hourEndMs(hour));
  const { client, token } = await clientOf(server);
  const date = formatBeijingHour(hour);
  const { downloadLinks } = await waitUntil(`hour ${date} is FINISHED`, async () => {
    const asked = await client.exportHour(dataType, { date });
    return asked.status === 'FINISHED' && asked;
  });
  const files = await Promise.all(downloadLinks.map((link) => downloadPackage(link)));
  const response = await fetch(`${server.baseUrl}/api/v1/projects/${AI}/hours/${date}/manifest`, {
    headers: { Authorization: token },
  });
  return { manifest: (await response.json()) as Manifest, csv: files.map((gzip) => gunzipSync(gzip).toString()) };
}

const page = (u: string, tl = 'title'): object => ({ t: 'page', tm: 1, u, s: 's', d: 'shop', tl });
const install = (u: string, oaid?: string): object => ({
  t: 'activate',
  tm: 1,
  u,
  ...(oaid !== undefined && { oaid }),
});

describe('export switched off and on', () => {
  it('says NOT_EXISTS of the hours that it was off, and a day is the hours that it was on', async (t) => {
    const server = await startTestServer(t);
    const states: string[] = [];
    const offAndOn: readonly (boolean | undefined)[] = [undefined, false, undefined, true, false, true];
    for (const [place, turn] of offAndOn.entries()) {
      await sendEvents(server, PAGES, [page(`u-${place}`)]);
      if (turn !== undefined) await change(server, { export: turn });
      server.clock.set(hourEndMs(addHours(HOUR, place)));
    }
    const { client } = await clientOf(server);
    for (const place of offAndOn.keys()) {
      const date = formatBeijingHour(addHours(HOUR, place));
      const answer = await waitUntil(`hour ${date} is decided`, async () => {
        const asked = await client.exportHour('page', { date });
        return asked.status !== 'RUNNING' && asked;
      });
      states.push(answer.status);
      if (answer.status === 'NOT_EXISTS') assert.match(answer.errorMsg, /while export was disabled/);
      assert.equal(answer.downloadLinks.length, answer.status === 'FINISHED' ? 1 : 0);
    }
    assert.deepEqual(states, ['FINISHED', 'FINISHED', 'NOT_EXISTS', 'NOT_EXISTS', 'FINISHED', 'NOT_EXISTS']);
    server.clock.set(hourEndMs(HOUR) + 24 * HOUR_MS);
    const day = await waitUntil('the day is FINISHED', async () => {
      const asked = await client.exportDay('page', { date: formatBeijingHour(HOUR).slice(0, 8) });
      return asked.status === 'FINISHED' && asked;
    });
    assert.equal(day.downloadLinks.length, 3);
  });
});

describe('what packages are made with', () => {
  it('changes with the next hour, and is written in the manifest', async (t) => {
    const server = await startTestServer(t, { gzip: 'zlib' });
    await sendEvents(server, INSTALLS, [install('u-0', 'the first')]);
    await change(server, { extendedColumns: true, lineBreaks: 'blank', gzipLevel: 6, packageBytes: 4096 });
    const before = await exported(server, HOUR, 'ads_track_activation');
    assert.match(before.csv[0]!, /adsVariable\n/);
    assert.deepEqual(before.manifest.settings, {
      packageBytes: 64 * 1024 * 1024,
      gzipLevel: 1,
      extendedColumns: false,
      lineBreaks: 'keep',
    });
    assert.match(before.manifest.codec, /^zlib \S+ level 1$/);

    await sendEvents(server, INSTALLS, [install('u-1', 'an "oaid"'), install('u-2')]);
    await sendEvents(server, PAGES, [page('u-1', 'a\r\nb\nc\rd, e')]);
    const after = await exported(server, addHours(HOUR, 1), 'ads_track_activation');
    const [header, first, second, ...rest] = after.csv[0]!.split('\n');
    assert.match(header!, /,adsVariable,OAID$/);
    assert.match(first!, /^u-1,.*,"an \\"oaid\\""$/);
    assert.match(second!, /^u-2,.*,$/);
    assert.equal(first!.replace(/"[^"]*\\.*$/, '').split(',').length, header!.split(',').length);
    assert.deepEqual(rest, ['']);
    assert.deepEqual(after.manifest.settings, {
      packageBytes: 4096,
      gzipLevel: 6,
      extendedColumns: true,
      lineBreaks: 'blank',
    });
    assert.match(after.manifest.codec, /^zlib \S+ level 6$/);
    assert.equal(after.manifest.schemaVersion, 2);
    const pages = await exported(server, addHours(HOUR, 1));
    assert.match(pages.csv[0]!, /"a b c d, e"/);
    assert.equal(pages.csv[0]!.split('\n').length, 3);
    const verified = await runTidegate('verify', '--data', server.data);
    assert.equal(verified.exitCode, 0, verified.stdout + verified.stderr);
  });

  it('gives an hour that is exported again the bytes that it had, whatever was changed since', async (t) => {
    const server = await startTestServer(t);
    await change(server, { gzipLevel: 9, lineBreaks: 'blank' });
    server.clock.set(hourEndMs(HOUR));
    const hour = addHours(HOUR, 1);
    await sendEvents(server, PAGES, [page('u-1', 'a\nb'), page('u-2')]);
    const first = await exported(server, hour);
    await change(server, { gzipLevel: 2, lineBreaks: 'keep', packageBytes: 1024 });
    server.clock.set(hourEndMs(addHours(hour, 3)));
    const catalog = await openDataCatalog(server.data, server.clock);
    await catalog.tasks.restart(AI, [hour], server.clock.nowMs());
    await waitUntil(
      'the second revision is published',
      async () => (await catalog.manifests.newest(AI, hour))?.revision === 2,
    );
    await catalog.close();
    const second = await exported(server, hour);
    assert.deepEqual(second.csv, first.csv);
    assert.deepEqual(second.manifest.settings, first.manifest.settings);
    assert.deepEqual(
      second.manifest.packages.map(({ sha256 }) => sha256),
      first.manifest.packages.map(({ sha256 }) => sha256),
    );
  });
});

describe('limits and proxies', () => {
  it('are those of the project from the next hour on, and of no other project', async (t) => {
    const server = await startTestServer(t);
    const from = (ip: string) =>
      send(server, { path: PAGES, body: JSON.stringify([page('u')]), headers: { 'X-Forwarded-For': ip } });
    await change(server, { trustedProxies: ['127.0.0.1'], ingestLimitBytes: 1 });
    for (let calls = 0; calls < 3; calls += 1) assert.equal((await from('203.0.113.9')).status, 200);
    server.clock.set(hourEndMs(HOUR));
    assert.equal((await from('203.0.113.9')).status, 200, 'the first takes what is there');
    assert.equal((await from('203.0.113.9')).status, 429);
  });

  it('are seen by every collector process when the change returns', async (t) => {
    const data = await newDataDirectory(t);
    const changes = { collectors: 2 };
    const server = await startServerProcess(t, { data, nowMs: HOUR_START_MS + 1_000, changes });
    const post = async (): Promise<number> => {
      // A connection of its own each time, which either process may take.
      const headers = { Connection: 'close' };
      const response = await fetch(server.baseUrl + PAGES, {
        method: 'POST',
        body: JSON.stringify([page('u')]),
        headers,
      });
      return response.status;
    };
    for (let calls = 0; calls < 12; calls += 1) assert.equal(await post(), 200);
    const catalog = await openDataCatalog(data, server.clock);
    const values = { ingestLimitBytes: 1 };
    await catalog.settings.change(AI, { values, fromHour: HOUR, nowMs: server.clock.nowMs(), by: 'ada' });
    await catalog.close();
    const answers = await Promise.all(Array.from({ length: 12 }, post));
    assert.ok(answers.filter((status) => status === 200).length <= 2 * 2, answers.join());
    assert.ok(answers.includes(429));
  });

  it('decide the address that a visit is stored with', async (t) => {
    const server = await startTestServer(t);
    const visit = { t: 'vst', tm: 1, u: 'u', s: 's', d: 'shop' };
    const headers = { 'X-Forwarded-For': '203.0.113.9' };
    await sendEvents(server, PAGES, [visit], { headers });
    await change(server, { trustedProxies: ['127.0.0.1'] });
    server.clock.set(hourEndMs(HOUR));
    await sendEvents(server, PAGES, [visit], { headers });
    server.clock.set(hourEndMs(addHours(HOUR, 1)));
    const { client } = await clientOf(server);
    const csvOf = async (hour: Hour): Promise<string> => {
      const date = formatBeijingHour(hour);
      const link = await waitUntil(
        'the visit is exported',
        async () => (await client.exportHour('visit', { date })).downloadLinks[0],
      );
      return gunzipSync(await downloadPackage(link)).toString();
    };
    assert.match(await csvOf(HOUR), /127\.0\.0\.1/);
    assert.match(await csvOf(addHours(HOUR, 1)), /203\.0\.113\.9/);
  });
});

describe('tidegate project set', () => {
  const newProject = async (t: TestContext): Promise<readonly string[]> => {
    const data = await newDataDirectory(t);
    return ['--data', data, '--ai', AI];
  };

  it('records who changed what and when, and shows it', async (t) => {
    const which = await newProject(t);
    const tomorrow = hourStartMs(addHours(hourOf(systemClock.nowMs()), 24)); // the next hour may begin while the test runs
    const set = await runTidegate(
      'project',
      'set',
      ...which,
      '--export',
      'off',
      '--retention-days',
      '30',
      '--from',
      new Date(tomorrow).toISOString(),
      '--by',
      'ada',
    );
    assert.equal(set.exitCode, 0, set.stderr);
    assert.match(set.stdout, /^export is off from hour \d{10} \(Beijing time\) on\.\nretention-days is 30 from/);
    await runTidegate(
      'project',
      'set',
      ...which,
      '--reset',
      'retention-days',
      '--trusted-proxies',
      '10.0.0.0/8',
      '--at-once',
    );
    await runTidegate('project', 'set', ...which, '--call-limit', '3', '--at-once');
    const history = await runTidegate('project', 'history', ...which);
    const lines = history.stdout.trim().split('\n');
    assert.equal(lines.length, 3, history.stdout);
    assert.match(lines[0]!, /^\d{4}-\d\d-\d\dT[\d:.]+Z {2}ada: export is off/);
    assert.match(lines[2]!, /: call-limit is 3 from hour/);
    const shown = await runTidegate('project', 'show', ...which, '--json');
    const { settings, planned } = JSON.parse(shown.stdout) as {
      settings: Record<string, unknown>;
      planned: { setting: string; value: unknown; changedBy: string }[];
    };
    assert.deepEqual([settings.export, settings.callLimit, settings.retentionDays], [true, 3, null]);
    assert.deepEqual(
      planned.map(({ setting, value, changedBy }) => [setting, value, changedBy]),
      [
        ['export', false, 'ada'],
        ['retentionDays', 30, 'ada'],
      ],
    );
  });

  it('refuses what cannot be, says why, and changes nothing', async (t) => {
    const which = await newProject(t);
    const cases: readonly (readonly [args: readonly string[], sentence: RegExp])[] = [
      [[], /Name a setting to change/],
      [['--gzip-level', '10'], /--gzip-level: "10" is no whole number from 1 to 9/],
      [['--package-bytes', '67108865'], /--package-bytes/],
      [['--export', 'maybe'], /--export: "maybe" is none of on, off/],
      [['--export', 'off', '--from', '2020-01-01T00:00:00Z'], /hours that have begun stay as they are/],
      [['--export', 'off', '--at-once'], /export can change with an hour only/],
      [['--trusted-proxies', '10.0.0.0/99'], /"10\.0\.0\.0\/99" is no address or range/],
      [['--reset', 'colour'], /--reset: "colour" is none of/],
      [['--call-limit', '1', '--reset', 'call-limit'], /--call-limit is given and reset at once/],
    ];
    for (const [args, sentence] of cases) {
      const { exitCode, stderr } = await runTidegate('project', 'set', ...which, ...args);
      assert.equal(exitCode, 2, args.join(' '));
      assert.match(stderr, sentence);
    }
    const other = await runTidegate('project', 'set', ...which.slice(0, 2), '--ai', 'nobody', '--call-limit', '1');
    assert.match(other.stderr, /There is no project nobody/);
    assert.match((await runTidegate('project', 'history', ...which)).stdout, /No setting/);
  });
});

describe('GET /api/v1/projects/{ai}/settings', () => {
  it('says what is in force and what is planned, to the holder of a token alone', async (t) => {
    const server = await startTestServer(t, { callsPerSecond: 9 });
    await change(server, { callLimit: 4, extendedColumns: true });
    const url = `${server.baseUrl}/api/v1/projects/${AI}/settings`;
    assert.equal((await fetch(url)).status, 401);
    const { token } = await clientOf(server);
    const read = async () =>
      (await (await fetch(url, { headers: { Authorization: token } })).json()) as {
        settings: Record<string, unknown>;
        planned: unknown;
      };
    const now = await read();
    assert.deepEqual([now.settings.callLimit, now.settings.extendedColumns], [9, false]);
    const fromHour = formatBeijingHour(addHours(HOUR, 1));
    assert.deepEqual(now.planned, [
      { setting: 'extendedColumns', value: true, fromHour },
      { setting: 'callLimit', value: 4, fromHour },
    ]);
    server.clock.set(hourEndMs(HOUR));
    const then = await read();
    assert.deepEqual([then.settings.callLimit, then.settings.extendedColumns, then.planned], [4, true, []]);
    for (const method of ['POST', 'PUT', 'DELETE']) assert.equal((await fetch(url, { method })).status, 405);
  });
});
