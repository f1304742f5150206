import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { describe, test, type TestContext } from 'node:test';
import { pino } from 'pino';
import {
  NEW_YEAR,
  NEW_YEAR_MS,
  hoursFrom,
  openWithProject,
  publishHour,
  samplePackage,
} from '../catalog/catalog.test-helper.ts';
import type { Catalog, ExportTask, PackageEntry } from '../catalog/catalog.ts';
import { AppError } from '../errors/app-error.ts';
import { LocalPackageStore } from '../packages/local-package-store.ts';
import { atEnd } from '../../test/helpers/at-end.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import type { HourStore } from '../store/hour-store.ts';
import type { ExportJobs } from './export-jobs.ts';
import { EXPORT_LEASE_MS, TaskRunner, type TaskRunnerOptions } from './task-runner.ts';

/** A store with nothing to prepare. */
const STORE = { prepare: () => Promise.resolve() } as unknown as HourStore;
const NO_PACKAGES = { deleteUnder: () => Promise.resolve() };
const JOB = { storeRoot: '', packagesRoot: '', gzip: 'zlib' } as const;

type Runner = { readonly runner: TaskRunner; readonly catalog: Catalog; task(): Promise<ExportTask> };

/** A runner over a real catalog with one pending task, whose exports go as `exportHour` says. */
async function openRunner(
  t: TestContext,
  exportHour: ExportJobs['exportHour'],
  {
    stopWaitMs = 0,
    maxAttempts = 1,
    packages = NO_PACKAGES,
    onFailed,
  }: Partial<Pick<TaskRunnerOptions, 'stopWaitMs' | 'maxAttempts' | 'packages' | 'onFailed'>> = {},
): Promise<Runner> {
  const { catalog, ai } = await openWithProject(t);
  await catalog.tasks.restart(ai, [NEW_YEAR], NEW_YEAR_MS);
  const runner = new TaskRunner({
    catalog,
    store: STORE,
    jobs: { exportHour },
    packages,
    clock: { nowMs: () => NEW_YEAR_MS },
    logger: pino({ level: 'silent' }),
    job: JOB,
    packageBytes: 1,
    maxAttempts,
    concurrency: 1,
    stopWaitMs,
    onFailed,
  });
  const task = async (): Promise<ExportTask> => (await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 1)))[0]!;
  return { runner, catalog, task };
}

describe('TaskRunner', () => {
  test('gives a task back as it was when it is stopped while it works on it', async (t) => {
    const begun = Promise.withResolvers<undefined>();
    const { runner, catalog, task } = await openRunner(t, (_job, signal) => {
      begun.resolve(undefined);
      return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped'))));
    });
    const stopping = new AbortController();
    const running = runner.run(stopping.signal);
    await begun.promise;
    assert.equal((await task()).status, 'running');
    stopping.abort();
    await running;
    assert.deepEqual({ ...(await task()), ai: '' }, { ...pending(0), error: null });
    assert.ok(await catalog.tasks.claim({ nowMs: NEW_YEAR_MS, leaseMs: 1 }), 'another runner goes on at once');
  });

  test('lets a task that ends in time end, and claims no other', async (t) => {
    const exporting = Promise.withResolvers<Awaited<ReturnType<ExportJobs['exportHour']>>>();
    const begun = Promise.withResolvers<undefined>();
    const { runner, task } = await openRunner(
      t,
      () => {
        begun.resolve(undefined);
        return exporting.promise;
      },
      { stopWaitMs: 60_000 },
    );
    const stopping = new AbortController();
    const running = runner.run(stopping.signal);
    await begun.promise;
    stopping.abort();
    exporting.resolve({ packages: [], ledger: { events: {}, rows: {}, imported: 0 }, codec: 'none', warnings: [] });
    await running;
    assert.equal((await task()).status, 'finished');
  });

  test('keeps a task to itself for 10 s, and no longer when it is heard of no more', async (t) => {
    const begun = Promise.withResolvers<undefined>();
    const { runner, catalog } = await openRunner(t, (_job, signal) => {
      begun.resolve(undefined);
      return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped'))));
    });
    const stopping = new AbortController();
    const running = runner.run(stopping.signal);
    await begun.promise;
    assert.equal(EXPORT_LEASE_MS, 10_000);
    assert.equal(await catalog.tasks.claim({ nowMs: NEW_YEAR_MS + EXPORT_LEASE_MS - 1, leaseMs: 1 }), undefined);
    assert.ok(await catalog.tasks.claim({ nowMs: NEW_YEAR_MS + EXPORT_LEASE_MS, leaseMs: 1 }));
    stopping.abort();
    await running;
  });

  test('fails nothing for an error that comes when another process has its task', async (t) => {
    let failures = 0;
    const { runner, catalog, task } = await openRunner(
      t,
      async ({ ai, hour }) => {
        await catalog.tasks.restart(ai, [hour], NEW_YEAR_MS + 1); // takes the lease
        throw new AppError('store_corrupt', 'A run is missing.');
      },
      { onFailed: () => (failures += 1) },
    );
    await runner.runDue();
    assert.equal(failures, 0);
    assert.equal((await task()).status, 'pending');
  });

  test('deletes what a try before it left behind, finished or not, when it has published', async (t) => {
    const folder = await temporaryFolder(t);
    const packages = await LocalPackageStore.open(folder);
    const { runner, catalog, task } = await openRunner(
      t,
      async ({ ai }) => {
        const key = (uuid: string): string => `${ai}/202601010000/r1/visit/${samplePackage('visit', 0, uuid).name}`;
        await (await packages.create(key('killed'))).finish();
        const unfinished = await packages.create(key('unfinished'));
        atEnd(t, () => unfinished.abort());
        const published = { ...samplePackage('visit', 0, 'new'), key: key('new') };
        await (await packages.create(published.key)).finish();
        return { packages: [published], ledger: { events: {}, rows: {}, imported: 0 }, codec: 'none', warnings: [] };
      },
      { packages },
    );
    await catalog.tasks.claim({ nowMs: NEW_YEAR_MS, leaseMs: 0 }); // by a process that was killed
    await runner.runDue();
    assert.equal((await task()).status, 'finished');
    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    assert.deepEqual(
      files.filter((file) => file.isFile()).map((file) => file.name),
      [samplePackage('visit', 0, 'new').name],
    );
  });

  for (const { name, isPublished, left } of [
    {
      name: 'deletes what it wrote when another has published its revision meanwhile, and nothing else',
      isPublished: true,
      left: ['new'],
    },
    {
      name: 'leaves what it wrote of a revision that another may be writing',
      isPublished: false,
      left: ['new', 'old'],
    },
  ]) {
    test(name, async (t) => {
      const folder = await temporaryFolder(t);
      const packages = await LocalPackageStore.open(folder);
      const write = async (entry: PackageEntry): Promise<void> => (await packages.create(entry.key)).finish();
      const entryOf = (ai: string, uuid: string): PackageEntry => {
        const entry = samplePackage('visit', 0, uuid);
        return { ...entry, key: `${ai}/202601010000/r1/visit/${entry.name}` };
      };
      const { runner, catalog, task } = await openRunner(
        t,
        async ({ ai, hour }) => {
          const [old, fresh] = [entryOf(ai, 'old'), entryOf(ai, 'new')];
          await write(fresh);
          if (isPublished) await publishHour(catalog, ai, hour, [fresh]);
          else await catalog.tasks.restart(ai, [hour], NEW_YEAR_MS + 1);
          await write(old);
          return { packages: [old], ledger: { events: {}, rows: {}, imported: 0 }, codec: 'none', warnings: [] };
        },
        { packages },
      );
      await runner.runDue();
      assert.equal((await task()).status, isPublished ? 'finished' : 'pending');
      const files = (await readdir(folder, { recursive: true })).filter((path) => path.endsWith('.gz')).sort();
      assert.equal(files.length, left.length, files.join(' '));
      for (const [place, uuid] of left.entries()) assert.match(files[place]!, new RegExp(`-${uuid}-`));
    });
  }

  const passing = ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EROFS', 'store_unavailable'];
  for (const code of passing) {
    test(`never fails a task for ${code}, which passes`, async (t) => {
      const { runner, task } = await openRunner(t, () => Promise.reject(Object.assign(new Error('No.'), { code })));
      await runner.runDue();
      assert.equal((await task()).status, 'pending');
    });
  }

  for (const code of ['store_corrupt', 'ledger_unbalanced', 'format_too_new'] as const) {
    test(`fails a task at its first try for ${code}, which no other try can mend`, async (t) => {
      const exportHour = (): Promise<never> => Promise.reject(new AppError(code, 'No.'));
      const { runner, task } = await openRunner(t, exportHour, { maxAttempts: 5 });
      await runner.runDue();
      assert.equal((await task()).status, 'failed');
    });
  }

  test('tries a task again while tries are left', async (t) => {
    const { runner, task } = await openRunner(t, () => Promise.reject(new Error('No.')), { maxAttempts: 2 });
    await runner.runDue();
    assert.equal((await task()).status, 'pending');
    assert.equal((await task()).attempts, 1);
  });

  const final = [
    {
      error: Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }),
      says: 'The disk failed to read or write (EIO).',
    },
    { error: new AppError('store_corrupt', 'The run x is damaged.'), says: 'The run x is damaged.' },
    { error: new Error('what nobody thought of'), says: 'What nobody thought of.' },
  ];
  for (const { error, says } of final) {
    test(`fails a task after its last try with the reason: ${says}`, async (t) => {
      const { runner, task } = await openRunner(t, () => Promise.reject(error));
      await runner.runDue();
      assert.equal((await task()).status, 'failed');
      assert.equal((await task()).error, says);
    });
  }
});

function pending(attempts: number): Omit<ExportTask, 'error'> {
  return { ai: '', hour: NEW_YEAR, status: 'pending', attempts, runAtMs: NEW_YEAR_MS };
}
