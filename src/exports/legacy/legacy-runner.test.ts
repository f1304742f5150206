import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import {
  hoursFrom,
  NEW_YEAR,
  NEW_YEAR_MS,
  openWithProject,
  publishHour,
  samplePackage,
} from '../../catalog/catalog.test-helper.ts';
import type { PackageEntry } from '../../catalog/catalog.ts';
import type { LegacyTask } from '../../catalog/legacy-export.ts';
import { AppError } from '../../errors/app-error.ts';
import { addHours, type Hour } from '../../events/hour.ts';
import type { LegacyTable } from '../../events/legacy-tables.ts';
import { LocalPackageStore } from '../../packages/local-package-store.ts';
import type { LegacyHourJob, LegacyJobs } from '../export-jobs.ts';
import type { PackageStore } from '../../packages/package-store.ts';
import { packageKey } from '../package-name.ts';
import { LegacyRunner } from './legacy-runner.ts';
import { removeLegacyHour } from './remove-legacy-hour.ts';

type Entry = PackageEntry<LegacyTable>;

/** A catalog with a published hour whose 1.0 packages are asked for, and a runner whose jobs are done by `make`. */
async function openRunner(t: TestContext, make: LegacyJobs['makeLegacyHour'], maxAttempts = 2) {
  const { catalog, ai } = await openWithProject(t);
  const folder = await temporaryFolder(t);
  const packages = await LocalPackageStore.open(folder);
  await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0), samplePackage('pvar', 0)]);
  await catalog.legacy.request(ai, [{ hour: NEW_YEAR, revision: 1 }], NEW_YEAR_MS);
  let nowMs = NEW_YEAR_MS;
  const logged: string[] = [];
  const logger = pino({ level: 'error' }, { write: (line: string) => void logged.push(line) });
  const options = { catalog, packages, logger, maxAttempts, packageBytes: 1, clock: { nowMs: () => nowMs } };
  const job = { packagesRoot: folder, gzip: 'zlib' } as const;
  const runner = new LegacyRunner({ ...options, job, jobs: { makeLegacyHour: make } });
  /** A runner of another server, with packages of its own. */
  const openOther = (others: PackageStore): LegacyRunner =>
    new LegacyRunner({ ...options, packages: others, job, jobs: { makeLegacyHour: make } });
  const task = async (): Promise<LegacyTask | undefined> =>
    (await catalog.legacy.listTasks(ai, hoursFrom(NEW_YEAR, 1)))[0];
  const files = async (): Promise<readonly string[]> =>
    (await readdir(folder, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  return { runner, openOther, catalog, ai, packages, task, files, logged, later: (ms: number) => void (nowMs += ms) };
}

async function put(store: LocalPackageStore, key: string): Promise<void> {
  const sink = await store.create(key);
  await sink.write(Buffer.from('a row'));
  await sink.finish();
}

function keyOf(ai: string, hour: Hour, revision: number, name = 'part'): string {
  return packageKey({ ai, api: '1.0', dataType: 'visit', hour, revision, codecName: 'zlib' }, name);
}

/** Writes the package of an hour as a job does. */
async function makeOne(packages: LocalPackageStore, { ai, hour, revision }: LegacyHourJob): Promise<readonly Entry[]> {
  const key = keyOf(ai, hour, revision);
  await put(packages, key);
  return [{ ...samplePackage('visit', 0), dataType: 'visit', name: 'part', key }];
}

const full = (): Error => Object.assign(new Error('no space'), { code: 'ENOSPC' });

describe('LegacyRunner', () => {
  it('makes what waits from the packages of the seven tables, and deletes what tries before have left', async (t) => {
    const jobs: LegacyHourJob[] = [];
    const opened = await openRunner(t, (job) => {
      jobs.push(job);
      return makeOne(opened.packages, job);
    });
    const { runner, ai, packages, task, files } = opened;
    for (const revision of [1, 7]) await put(packages, keyOf(ai, NEW_YEAR, revision, 'left-over'));
    await put(packages, `${ai}/202601010000/r1/visit/of-2.0`);
    assert.equal(await runner.work(), true);
    assert.deepEqual([(await task())?.status, (await task())?.revision], ['finished', 1]);
    assert.deepEqual(
      jobs.map(({ revision, sources }) => [revision, sources.map(({ dataType }) => dataType)]),
      [[1, ['visit']]],
    );
    assert.deepEqual([...(await files())].sort(), [`${ai}/202601010000/r1/visit/of-2.0`, keyOf(ai, NEW_YEAR, 1)]);
    assert.equal(await runner.work(), false);
  });

  it('tries again with pauses, then fails until somebody asks, and says why in the log', async (t) => {
    const { runner, task, later, logged } = await openRunner(t, () => Promise.reject(new Error('a broken disk')));
    await runner.work();
    assert.deepEqual([(await task())?.status, (await task())?.runAtMs], ['pending', NEW_YEAR_MS + 1_000]);
    assert.equal(await runner.work(), false);
    later(1_000);
    await runner.work();
    assert.deepEqual([(await task())?.status, (await task())?.runAtMs], ['failed', NEW_YEAR_MS + 61_000]);
    assert.equal(logged.length, 2);
    assert.match(logged[1]!, /a broken disk/);
  });

  it('fails at once what no further try can mend, and never what passes', async (t) => {
    let error: Error = full();
    const { runner, task, later } = await openRunner(t, () => Promise.reject(error), 1);
    for (let tries = 0; tries < 3; tries += 1) {
      await runner.work();
      assert.equal((await task())?.status, 'pending');
      later(60_000);
    }
    error = new AppError('store_corrupt', 'The package x is damaged.');
    await runner.work();
    assert.equal((await task())?.status, 'failed');
  });

  it('deletes what it made of a revision that is not the newest any more', async (t) => {
    const opened = await openRunner(t, async (job) => {
      const made = await makeOne(opened.packages, job);
      if (job.revision === 1) await publishHour(opened.catalog, job.ai, job.hour, [samplePackage('visit', 0, 'new')]);
      return made;
    });
    const { runner, ai, task, files, later } = opened;
    await runner.work();
    assert.deepEqual([(await task())?.status, await files()], ['pending', []]);
    later(1_000);
    await runner.work();
    assert.deepEqual([(await task())?.revision, await files()], [2, [keyOf(ai, NEW_YEAR, 2)]]);
  });

  it('keeps the packages of an older revision, to which links were given', async (t) => {
    const opened = await openRunner(t, (job) => makeOne(opened.packages, job));
    const { runner, catalog, ai, files, later } = opened;
    await runner.work();
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0, 'new')]);
    later(1_000);
    await runner.work();
    assert.deepEqual([...(await files())].sort(), [keyOf(ai, NEW_YEAR, 1), keyOf(ai, NEW_YEAR, 2)]);
  });

  it('never makes an hour twice at once, whoever works', async (t) => {
    const made: Hour[] = [];
    let meanwhile: () => Promise<unknown> = () => Promise.resolve();
    const opened = await openRunner(t, async (job) => {
      made.push(job.hour);
      await meanwhile();
      return makeOne(opened.packages, job);
    });
    const { runner, catalog, ai } = opened;
    await publishHour(catalog, ai, addHours(NEW_YEAR, 1), [samplePackage('visit', 0, 'b')]);
    await catalog.legacy.request(ai, [{ hour: addHours(NEW_YEAR, 1), revision: 1 }], NEW_YEAR_MS);
    meanwhile = async () => {
      meanwhile = () => Promise.resolve();
      await runner.work();
    };
    while (await runner.work());
    assert.deepEqual(made, [NEW_YEAR, addHours(NEW_YEAR, 1)]);
  });

  it('has packages made again that another server made while this one was held up before it cleaned up', async (t) => {
    const opened = await openRunner(t, (job) => makeOne(opened.packages, job));
    const { runner, openOther, ai, packages, task, files, later } = opened;
    const heldUp = openOther({
      create: (key) => packages.create(key),
      open: (key) => packages.open(key),
      delete: (key) => packages.delete(key),
      deleteBefore: (...before) => packages.deleteBefore(...before),
      deleteUnder: async (...folder) => {
        later(20_000);
        await runner.work();
        await packages.deleteUnder(...folder);
      },
    });
    await heldUp.work();
    assert.deepEqual([(await task())?.status, await files()], ['pending', []]);
    await runner.work();
    assert.deepEqual([(await task())?.status, await files()], ['finished', [keyOf(ai, NEW_YEAR, 1)]]);
  });

  it('gives its task back when it is stopped, and forgets one whose hour is past retention', async (t) => {
    const begun = Promise.withResolvers<undefined>();
    const { runner, catalog, task } = await openRunner(t, (_job, signal) => {
      begun.resolve(undefined);
      return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped'))));
    });
    const stopping = new AbortController();
    const running = runner.run(stopping.signal);
    await begun.promise;
    stopping.abort();
    await running;
    assert.deepEqual([(await task())?.status, (await task())?.attempts], ['pending', 0]);
    await catalog.manifests.deletePackagesBefore(addHours(NEW_YEAR, 1));
    assert.equal(await runner.work(), true);
    assert.equal(await task(), undefined);
  });
});

describe('removeLegacyHour', () => {
  it('removes the packages of all older revisions and their unfinished files, and nothing else', async (t) => {
    const opened = await openRunner(t, (job) => makeOne(opened.packages, job));
    const { runner, catalog, ai, packages, task, files } = opened;
    await runner.work();
    const unfinished = await packages.create(keyOf(ai, NEW_YEAR, 1, 'unfinished'));
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0, 'new')]);
    await put(packages, `${ai}/202601010000/r1/visit/of-2.0`);
    await put(packages, keyOf(ai, addHours(NEW_YEAR, 1), 1));
    for (let times = 0; times < 2; times += 1)
      await removeLegacyHour({ catalog, packages, ai, hour: NEW_YEAR, nowMs: NEW_YEAR_MS });
    const others = [keyOf(ai, addHours(NEW_YEAR, 1), 1), `${ai}/202601010000/r1/visit/of-2.0`].sort();
    assert.deepEqual([...(await files())].sort(), others);
    assert.deepEqual([(await task())?.status, await catalog.legacy.listKept(ai, NEW_YEAR)], ['pending', []]);
    await unfinished.abort();
  });

  it('leaves the packages that are made of the newest revision while it is held up', async (t) => {
    const opened = await openRunner(t, (job) => makeOne(opened.packages, job));
    const { runner, catalog, ai, packages, files } = opened;
    await runner.work();
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0, 'new')]);
    const heldUp = {
      ...opened,
      catalog: {
        manifests: catalog.manifests,
        legacy: Object.assign(Object.create(catalog.legacy) as typeof catalog.legacy, {
          removeHour: async (...hour: Parameters<typeof catalog.legacy.removeHour>) => {
            await catalog.legacy.removeHour(...hour);
            await runner.work();
          },
        }),
      },
    };
    await removeLegacyHour({ ...heldUp, packages, hour: NEW_YEAR, nowMs: NEW_YEAR_MS });
    assert.deepEqual(await files(), [keyOf(ai, NEW_YEAR, 2)]);
    assert.equal((await catalog.legacy.listKept(ai, NEW_YEAR)).length, 1);
  });

  it('takes the lease from a making that runs, so that nothing of it is published', async (t) => {
    const opened = await openRunner(t, async (job) => {
      const made = await makeOne(opened.packages, job);
      if (calls === 0) {
        await publishHour(opened.catalog, ai, NEW_YEAR, [samplePackage('visit', 0, 'new')]);
        await removeLegacyHour({ ...opened, hour: NEW_YEAR, nowMs: NEW_YEAR_MS });
      }
      calls += 1;
      return made;
    });
    let calls = 0;
    const { runner, catalog, ai, files } = opened;
    await runner.work();
    assert.deepEqual([await catalog.legacy.listKept(ai, NEW_YEAR), await files()], [[], []]);
    await runner.work();
    assert.equal((await catalog.legacy.listKept(ai, NEW_YEAR)).length, 1);
  });
});
