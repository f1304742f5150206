/**
 * Kills a real server at named points of what it does after an hour's end: sorting, merging, writing packages, publishing, letting
 * go what is past retention; and a command while it makes the catalog. Then restarts it, and checks that everything acknowledged
 * is exported once, that what was published keeps its bytes, and that `tidegate verify` finds no fault.
 *
 * Each point is a system call on a certain file, of a directory that was brought just before it; see crash-points.crash.test.ts.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, test, type TestContext } from 'node:test';
import { addHours, HOUR_MS, hourOf } from '../src/events/hour.ts';
import { HourLog } from '../src/store/hour-log/hour-log.ts';
import { hourFolder } from '../src/store/hour-log/layout.ts';
import { storeJobsInPlace } from '../src/store/hour-log/store-jobs.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertExportedOnce, exportedNames, postNames } from './helpers/event-stream.ts';
import { FakeClock } from './helpers/fake-clock.ts';
import { NO_TRACE } from './helpers/machine-faults.ts';
import { newDataDirectory, startServerProcess } from './helpers/server-process.ts';
import { findPackages } from './helpers/stored-packages.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { PROGRAM, runTidegate } from './helpers/tidegate-command.ts';
import { PATIENCE_MS, waitUntil } from './helpers/wait-until.ts';

const HOUR = hourOf(HOUR_START_MS);
const ENDED_MS = HOUR_START_MS + HOUR_MS + 1_000;
const RETENTION_DAYS = 15;
const PAST_RETENTION_MS = HOUR_START_MS + (RETENTION_DAYS + 2) * 24 * HOUR_MS;
const CHANGES = { packageBytes: 600, retentionDays: RETENTION_DAYS, retentionDoubtMs: 0 };

/** Where the directory stands when the doomed server is started on it. */
type Stage = 'stored' | 'prepared' | 'published';

type CrashPoint = {
  readonly name: string;
  readonly stage: Stage;
  readonly calls: string;
  /** Which of the calls is the last; the server is killed when it enters it. */
  readonly counts: readonly number[];
  /** Only calls on these files, below the data directory. */
  readonly files?: (data: string) => Promise<readonly string[]>;
};

const CRASH_POINTS: readonly CrashPoint[] = [
  { name: 'in run sort', stage: 'stored', calls: 'read,pread64', counts: [1], files: filesOfHour('.seg') },
  { name: 'before a run gets its name', stage: 'stored', calls: 'rename', counts: [1] },
  { name: 'before a segment is deleted', stage: 'stored', calls: 'unlink', counts: [1], files: filesOfHour('.seg') },
  { name: 'after a segment was deleted', stage: 'stored', calls: 'unlink', counts: [2], files: filesOfHour('.seg') },
  { name: 'in merge', stage: 'prepared', calls: 'pread64', counts: [1, 6], files: filesOfHour('.run') },
  { name: 'between packages', stage: 'prepared', calls: 'rename', counts: [1, 3] },
  { name: 'before the manifest', stage: 'prepared', calls: 'pwrite64', counts: [1, 4, 7], files: writeAheadLog },
  {
    name: 'in the sync of the manifest',
    stage: 'prepared',
    calls: 'fdatasync,fsync',
    counts: [2],
    files: writeAheadLog,
  },
  { name: 'in retention, in the catalog', stage: 'published', calls: 'pwrite64', counts: [3], files: writeAheadLog },
  { name: 'in retention, among files', stage: 'published', calls: 'unlink', counts: [2] },
  { name: 'in retention, among folders', stage: 'published', calls: 'rmdir', counts: [1, 2] },
];

/** What all crash points together may take: they are one test, and a slow machine needs more for them than for any other. */
const ALL_POINTS_MS = 1_800_000;

test('a server that dies after an hour’s end', { skip: NO_TRACE, timeout: ALL_POINTS_MS }, async (t) => {
  const directories = new Map<Stage, BroughtDirectory>();
  for (const stage of ['stored', 'prepared', 'published'] as const) directories.set(stage, await bringTo(t, stage));
  for (const point of CRASH_POINTS) {
    await t.test(`${point.name}: loses and doubles nothing, and changes no byte that was published`, async (t) => {
      const { folder, names } = directories.get(point.stage)!;
      let deaths = 0;
      for (const count of point.counts) {
        const data = join(await temporaryFolder(t), 'data');
        await cp(folder, data, { recursive: true });
        if (await dieAt(t, point, data, count)) deaths += 1;
        await (point.stage === 'published' ? checkGone(t, data) : checkExported(t, data, names));
      }
      assert.ok(deaths > 0, 'the point was met');
    });
  }
});

describe('a command that dies while it makes the catalog', { skip: NO_TRACE }, () => {
  for (const calls of ['pwrite64', 'fdatasync,fsync']) {
    it(`in migration, in ${calls}: leaves a directory that the next command makes whole`, async (t) => {
      let deaths = 0;
      for (const count of [1, 3, 9]) {
        const data = join(await realpath(await temporaryFolder(t)), 'data');
        const create = ['project', 'create', '--data', data, '--name', 'Shop', '--ai', '0123456789abcdef', '--json'];
        const files = ['', '-wal', '-journal'].flatMap((end) => ['-P', join(data, `catalog.sqlite${end}`)]);
        const { status, error } = spawnSync(
          'strace',
          [...straceArguments(calls, count), ...files, PROGRAM, ...create],
          {
            timeout: PATIENCE_MS,
          },
        );
        assert.ifError(error); // it hung
        if (status !== 0) deaths += 1;
        const again = await runTidegate(...create);
        // It may have died after the project was made: then its ai is taken, and nothing else is wrong.
        if (again.exitCode !== 0) assert.match(again.stderr, /0123456789abcdef/);
        const { stdout, stderr } = await runTidegate('project', 'list', '--data', data, '--json');
        assert.equal((JSON.parse(stdout) as unknown[]).length, 1, stderr);
      }
      assert.ok(deaths > 1, 'the point was met');
    });
  }
});

type BroughtDirectory = { readonly folder: string; readonly names: ReadonlySet<string> };

/** Makes a directory with an hour of events: in segments; in runs; or published. */
async function bringTo(t: TestContext, stage: Stage): Promise<BroughtDirectory> {
  const data = await newDataDirectory(t);
  const names = new Set<string>();
  // Two servers, one after the other, leave two segments.
  for (const part of [1, 2]) {
    const server = await startServerProcess(t, { data, nowMs: HOUR_START_MS + 60_000, changes: CHANGES });
    for (let batch = 0; batch < 5; batch += 1) {
      const posted = Array.from(
        { length: 20 },
        (_, place) => `name-${part}-${batch}-${place}-${'x'.repeat(batch * 9)}`,
      );
      assert.ok(await postNames(server.baseUrl, posted));
      for (const name of posted) names.add(name);
    }
    if (part === 2 && stage === 'published') {
      server.clock.set(ENDED_MS);
      await exportedNames(server.baseUrl, server.clock, HOUR);
    }
    await server.kill('SIGKILL');
  }
  if (stage === 'prepared') {
    const clock = new FakeClock(ENDED_MS);
    const log = await HourLog.open({ root: join(data, 'hour-log'), clock, jobs: storeJobsInPlace });
    await log.seal(addHours(HOUR, 1));
    for (let hour = addHours(HOUR, -30); hour <= HOUR; hour = addHours(hour, 1)) await log.prepare(hour);
    await log.close();
  }
  return { folder: data, names };
}

function straceArguments(calls: string, count: number): readonly string[] {
  return [
    '-f',
    '-qqq',
    '-o',
    '/dev/null',
    '-e',
    `trace=${calls}`,
    '-e',
    `inject=${calls}:signal=SIGKILL:when=${count}`,
  ];
}

/** Starts a server that is killed at this call. False when it did its work without ever coming there. */
async function dieAt(t: TestContext, point: CrashPoint, data: string, count: number): Promise<boolean> {
  const files = ((await point.files?.(await realpath(data))) ?? []).flatMap((file) => ['-P', file]);
  const nowMs = point.stage === 'published' ? PAST_RETENTION_MS : ENDED_MS;
  const under = ['strace', ...straceArguments(point.calls, count), ...files] as const;
  const doomed = await startServerProcess(t, { data, nowMs, changes: CHANGES, under: [...under] }).catch(
    () => undefined,
  );
  if (!doomed) return true;
  const dead = new AbortController();
  void doomed.ended.then(() => dead.abort());
  const isDone = async (): Promise<boolean> =>
    point.stage === 'published'
      ? !existsSync(hourFolder(join(data, 'hour-log'), HOUR)) && (await findPackages(data)).size === 0
      : (await exportedNames(doomed.baseUrl, doomed.clock, HOUR).catch(() => [])).length > 0;
  await waitUntil('the server has died or done its work', async () => dead.signal.aborted || (await isDone()));
  const isDead = dead.signal.aborted;
  if (!isDead) await doomed.kill('SIGKILL');
  return isDead;
}

async function checkExported(t: TestContext, data: string, names: ReadonlySet<string>): Promise<void> {
  const published = await findPackages(data);
  const server = await startServerProcess(t, { data, nowMs: ENDED_MS + 60_000, changes: CHANGES });
  const exported = await exportedNames(server.baseUrl, server.clock, HOUR);
  assertExportedOnce(names, exported);
  assert.equal(exported.length, names.size);
  const packages = await findPackages(data);
  for (const [key, bytes] of published) assert.deepEqual(packages.get(key), bytes, key);
  await server.kill('SIGTERM');
  await assertVerified(data);
}

/** What is past retention is gone for good, and the log of what was published is whole. */
async function checkGone(t: TestContext, data: string): Promise<void> {
  const server = await startServerProcess(t, { data, nowMs: PAST_RETENTION_MS, changes: CHANGES });
  const folder = hourFolder(join(data, 'hour-log'), HOUR);
  await waitUntil(
    'rows and packages are gone',
    async () => !existsSync(folder) && (await findPackages(data)).size === 0,
  );
  await server.kill('SIGTERM');
  await assertVerified(data);
}

async function assertVerified(data: string): Promise<void> {
  const { exitCode, stdout, stderr } = await runTidegate('verify', '--data', data);
  assert.equal(exitCode, 0, stdout + stderr);
}

/** Gives the hour's files with this ending, and both names of those that are a segment or a run. */
function filesOfHour(end: '.seg' | '.run'): (data: string) => Promise<readonly string[]> {
  return async (data) => {
    const folder = hourFolder(join(data, 'hour-log'), HOUR);
    const names = (await readdir(folder)).filter((name) => name.endsWith(end));
    assert.ok(names.length > 0, `there is a file ${end}`);
    return names.map((name) => join(folder, name));
  };
}

function writeAheadLog(data: string): Promise<readonly string[]> {
  return Promise.resolve([join(data, 'catalog.sqlite-wal')]);
}
