/** `tidegate backup` and `tidegate restore`: what was acknowledged and published before is there afterwards, and half a copy is refused. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { downloadPackage, ExportClient, getToken } from '../src/client/export-client.ts';
import { addHours, formatBeijingHour, hourEndMs, hourOf, type Hour } from '../src/events/hour.ts';
import { hourFolder } from '../src/store/hour-log/layout.ts';
import { atEnd } from './helpers/at-end.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertExportedOnce, EventStream, exportedNames } from './helpers/event-stream.ts';
import { flipByte } from './helpers/run-files.ts';
import { newDataDirectory, startServerProcess, type ServerProcess } from './helpers/server-process.ts';
import { TEST_PROJECT } from './helpers/test-server.ts';
import { PROGRAM, runTidegate } from './helpers/tidegate-command.ts';
import { waitUntil } from './helpers/wait-until.ts';

const HOUR = hourOf(HOUR_START_MS);
const BEFORE_END_MS = 60_000;
/** Longer than the lease of an export that ran when the backup was made. */
const LEASE_OVER_MS = 60_000;
const LINK_MINUTES = 24 * 60;

/** What a data engineer has of an hour: links with their bytes, and the manifest as the server gave it. */
type Published = { readonly hour: Hour; readonly links: ReadonlyMap<string, Buffer>; readonly manifest: string };

async function tokenOf({ baseUrl, clock }: ServerProcess): Promise<string> {
  return getToken({ ...TEST_PROJECT, project: TEST_PROJECT.uid, baseUrl, clock });
}

async function manifestOf({ baseUrl }: ServerProcess, token: string, hour: Hour): Promise<string> {
  const url = `${baseUrl}/api/v1/projects/${TEST_PROJECT.ai}/hours/${formatBeijingHour(hour)}/manifest`;
  const answer = await fetch(url, { headers: { Authorization: token } });
  assert.equal(answer.status, 200);
  return answer.text();
}

/** Waits until an hour that has ended is published, and downloads it. */
async function download(server: ServerProcess, token: string, hour: Hour): Promise<Published> {
  const { ai, clientId } = TEST_PROJECT;
  const client = new ExportClient({ baseUrl: server.baseUrl, clientId, token, ai });
  const date = formatBeijingHour(hour);
  const { downloadLinks } = await waitUntil(`hour ${date} is FINISHED`, async () => {
    const answer = await client.exportHour('custom_event', { date, expireMinutes: LINK_MINUTES });
    return answer.status === 'FINISHED' && answer;
  });
  assert.ok(downloadLinks.length > 0);
  const links = new Map<string, Buffer>();
  for (const link of downloadLinks) links.set(link, await downloadPackage(link));
  return { hour, links, manifest: await manifestOf(server, token, hour) };
}

/** The same link at another server. */
function movedTo(server: ServerProcess, link: string): string {
  const { pathname, search } = new URL(link);
  return server.baseUrl + pathname + search;
}

function exists(...path: readonly string[]): () => boolean {
  return () => existsSync(join(...path));
}

/** Starts a command without waiting for its end; killed with the test. */
function startCommand(t: TestContext, ...args: readonly string[]) {
  const child = spawn(PROGRAM, args, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  atEnd(t, () => (child.kill('SIGKILL'), ended));
  return { child, ended };
}

/** When the hour ends, by what there is of the backup already. */
const MOMENTS: readonly [moment: string, isThere: (target: string) => () => boolean][] = [
  ['as it begins', (target) => exists(target)],
  ['when the hours are being copied', (target) => exists(target, 'hour-log/hours')],
];

test('a backup made while events come in and an hour ends has every event acknowledged before, once, and answers the same links', async (t) => {
  const data = await newDataDirectory(t);
  const nowMs = hourEndMs(HOUR) - BEFORE_END_MS;
  const changes = { collectors: 2, segmentBytes: 64 * 1024 };
  const server = await startServerProcess(t, { data, nowMs, changes });
  const stream = new EventStream(t, {
    baseUrl: () => server.baseUrl,
    clients: 6,
    eventsPerRequest: 10,
    prefix: 'b',
  });
  await stream.reach(1_000);
  server.clock.set(hourEndMs(HOUR));
  const token = await tokenOf(server);
  const published: Published[] = [await download(server, token, HOUR)];

  const backups: { target: string; acknowledged: ReadonlySet<string>; until: Hour; published: Published[] }[] = [];
  for (const [place, [moment, isThere]] of MOMENTS.entries()) {
    const hour = addHours(HOUR, place + 1);
    const target = join(dirname(data), `backups of today, Übung 数据/${place}`);
    await stream.reach(stream.acknowledged.size + 500);
    const acknowledged = new Set(stream.acknowledged);
    const before = [...published];
    const backup = runTidegate('backup', target, '--data', data, '--json');
    await waitUntil(`the backup is at the moment: ${moment}`, isThere(target));
    server.clock.set(hourEndMs(hour));
    const { exitCode, stdout, stderr } = await backup;
    assert.deepEqual([exitCode, stderr], [0, '']);
    const printed = JSON.parse(stdout) as { readonly files: number; readonly faults: readonly string[] };
    assert.ok(printed.files > 10, stdout);
    assert.deepEqual(printed.faults, []);
    backups.push({ target, acknowledged, until: hour, published: before });
    published.push(await download(server, token, hour));
  }
  await stream.stop();
  const lastMs = server.clock.nowMs();
  await server.kill('SIGKILL');
  await rm(data, { recursive: true });

  for (const [place, backup] of backups.entries()) {
    const restored = join(dirname(data), `elsewhere ${place}/data`);
    const { exitCode, stderr } = await runTidegate('restore', backup.target, '--data', restored);
    assert.deepEqual([exitCode, stderr], [0, '']);
    const other = await startServerProcess(t, { data: restored, nowMs: lastMs + LEASE_OVER_MS });
    for (const { hour, links, manifest } of backup.published) {
      for (const [link, bytes] of links) assert.deepEqual(await downloadPackage(movedTo(other, link)), bytes);
      assert.equal(await manifestOf(other, token, hour), manifest);
    }
    other.clock.set(Math.max(other.clock.nowMs(), hourEndMs(backup.until)));
    const names: string[] = [];
    for (let hour = HOUR; hour <= backup.until; hour = addHours(hour, 1))
      names.push(...(await exportedNames(other.baseUrl, other.clock, hour)));
    assertExportedOnce(backup.acknowledged, names);
    t.diagnostic(`${backup.acknowledged.size} acknowledged before, ${names.length} in the backup`);
    const verified = await runTidegate('verify', '--data', restored);
    assert.deepEqual([verified.exitCode, verified.stderr], [0, ''], verified.stdout);
    await other.kill('SIGTERM');
  }
});

/** A backup of a data directory with a published hour and an open one, and where it came from. */
async function makeBackup(t: TestContext): Promise<{ readonly data: string; readonly target: string }> {
  const data = await newDataDirectory(t);
  const changes = { segmentBytes: 16 * 1024 };
  const server = await startServerProcess(t, { data, nowMs: HOUR_START_MS, changes });
  const stream = new EventStream(t, { baseUrl: () => server.baseUrl, clients: 4, eventsPerRequest: 20, prefix: 'r' });
  await stream.reach(2_000);
  server.clock.set(hourEndMs(HOUR));
  await download(server, await tokenOf(server), HOUR);
  await stream.stop();
  await server.kill('SIGTERM');
  const target = join(dirname(data), 'backup');
  assert.equal((await runTidegate('backup', target, '--data', data)).exitCode, 0);
  return { data, target };
}

test('a backup', async (t) => {
  const { data, target } = await makeBackup(t);

  await t.test('whose restore was killed is served only when restore was run again', async (t) => {
    const restored = join(dirname(data), 'elsewhere/data');
    const marker = join(restored, 'restore-unfinished');
    await waitUntil('a restore is killed in its middle', async () => {
      const { child, ended } = startCommand(t, 'restore', target, '--data', restored);
      await waitUntil('the restore has begun', exists(restored, 'catalog.sqlite'));
      child.kill('SIGKILL');
      await ended;
      if (existsSync(marker)) return true;
      await rm(restored, { recursive: true }); // it was faster
      return false;
    });
    for (const command of [['serve', '--listen', '127.0.0.1:0'], ['project', 'list'], ['verify']]) {
      const { exitCode, stderr } = await runTidegate(...command, '--data', restored);
      assert.equal(exitCode, 1, command.join(' '));
      assert.match(stderr, /is the half of a restore that did not end; run tidegate restore again/);
    }
    const again = await runTidegate('restore', target, '--data', restored);
    assert.deepEqual([again.exitCode, again.stderr], [0, '']);
    assert.match(again.stdout, /elsewhere\/data is what was taken at \S+Z: \d+ files, \d+ bytes\.\n$/);
    const verified = await runTidegate('verify', '--data', restored);
    assert.match(verified.stdout, /No fault was found/);
    assert.ok(!existsSync(marker));
  });

  await t.test('that is damaged, newer or asked for in a wrong way is refused with a sentence', async () => {
    const fresh = join(dirname(data), 'fresh');
    const runs = (await readdir(target, { recursive: true })).filter((name) => name.endsWith('.run'));
    const [run = ''] = runs.sort();
    const flip = await flipByte(join(target, run), 100);
    const flipped = await runTidegate('restore', target, '--data', fresh);
    assert.equal(flipped.exitCode, 1);
    assert.ok(flipped.stderr.includes(`The file ${run} of the backup`), flipped.stderr);
    assert.match(flipped.stderr, /is not what backup\.json says\. Use another backup/);
    assert.deepEqual(await readdir(fresh), []);
    await flip();

    const list = join(target, 'backup.json');
    const text = await readFile(list, 'utf8');
    await writeFile(list, text.replace('"version": 1', '"version": 2'));
    const newer = await runTidegate('restore', target, '--data', fresh);
    assert.equal(newer.exitCode, 1);
    assert.match(newer.stderr, /is of version 2; this program knows up to 1\. Run the version of tidegate/);
    await writeFile(list, text);

    const cases: readonly [args: readonly string[], exitCode: number, why: RegExp][] = [
      [['restore', target, '--data', data], 1, /is not empty, so nothing is restored into it\. Name a folder/],
      [['restore', data, '--data', fresh], 1, /has no backup\.json/],
      [['restore', '--data', fresh], 2, /Name the folder of one backup/],
      [['backup', target, '--data', data], 1, /is not empty, so no backup is made in it/],
      [['backup', '--data', data], 2, /Name one folder to make the backup in/],
      [['backup', fresh, '--data', target], 1, /is a backup; tidegate restore makes a data directory of it/],
      [['backup', join(data, 'inside'), '--data', data], 2, /lies in the data directory/],
      [['backup', fresh, '--data', `${data}x`], 1, /There is no Tidegate data in/],
    ];
    for (const [args, exitCode, why] of cases) {
      const result = await runTidegate(...args);
      assert.equal(result.exitCode, exitCode, args.join(' '));
      assert.match(result.stderr, why);
    }
    assert.deepEqual(await readdir(fresh), []);
    const restored = await runTidegate('restore', target, '--data', fresh, '--json');
    assert.deepEqual(Object.keys(JSON.parse(restored.stdout) as object), ['startedAt', 'files', 'bytes']);
  });

  await t.test('that was killed is refused by restore and by serve', async (t) => {
    const half = join(dirname(data), 'half');
    // A pipe that nobody writes to holds the backup up for ever.
    const hour = hourFolder(join(data, 'hour-log'), addHours(HOUR, -1));
    await mkdir(hour, { recursive: true });
    execFileSync('mkfifo', [join(hour, '0123456789-000001.seg')]);
    const { child, ended } = startCommand(t, 'backup', half, '--data', data);
    const copied = hourFolder(join(half, 'hour-log'), addHours(HOUR, -1));
    await waitUntil('the backup is at its last hour', exists(copied));
    child.kill('SIGKILL');
    await ended;
    const cases: readonly [args: readonly string[], why: RegExp][] = [
      [['restore', half, '--data', join(dirname(data), 'new')], /has no backup\.json: it is no backup, or one that/],
      [['serve', '--data', half, '--listen', '127.0.0.1:0'], /is the half of a backup that did not end; delete it/],
      [['backup', half, '--data', data], /is not empty, so no backup is made in it/],
    ];
    for (const [args, why] of cases) {
      const { exitCode, stderr } = await runTidegate(...args);
      assert.equal(exitCode, 1, args.join(' '));
      assert.match(stderr, why);
    }
    assert.ok(!existsSync(join(dirname(data), 'new')));
  });
});
