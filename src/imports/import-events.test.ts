import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { NEW_YEAR, NEW_YEAR_MS, openWithProject, publishHour } from '../catalog/catalog.test-helper.ts';
import { openDataCatalog } from '../catalog/data-catalog.ts';
import { AppError } from '../errors/app-error.ts';
import { addHours, hourEndMs, HOUR_MS, hourOf } from '../events/hour.ts';
import type { TaskRunner } from '../exports/task-runner.ts';
import { HourLog } from '../store/hour-log/hour-log.ts';
import { HourLogReader } from '../store/hour-log/hour-log-reader.ts';
import { storeJobsInPlace } from '../store/hour-log/store-jobs.ts';
import { atEnd } from '../../test/helpers/at-end.ts';
import { eventBatch, HOUR_START_MS } from '../../test/helpers/event-rows.ts';
import { FakeClock } from '../../test/helpers/fake-clock.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { TEST_PROJECT } from '../../test/helpers/test-server.ts';
import { exportHours, importEvents, type ImportOptions } from './import-events.ts';

const HOUR = hourOf(HOUR_START_MS);
const RETENTION_DAYS = 1;
const ENABLED_AT_MS = HOUR_START_MS - 90 * HOUR_MS;

/** A data directory whose hour 2026-11-23 04:00 holds a row; the clock stands in the hour after it. */
async function openData(
  t: TestContext,
  exportEnabledAtMs: number,
): Promise<{ readonly options: ImportOptions; importAt(sendTimeMs: number): Promise<unknown> }> {
  const project = { ...TEST_PROJECT, exportEnabledAtMs };
  const data = join(await temporaryFolder(t), 'data');
  const clock = new FakeClock(HOUR_START_MS);
  const catalog = await openDataCatalog(data, clock);
  atEnd(t, () => catalog.close());
  await catalog.projects.create(project);
  const storeRoot = join(data, 'hour-log');
  const store = await HourLog.open({ root: storeRoot, clock, jobs: storeJobsInPlace });
  atEnd(t, () => store.close());
  await store.append(eventBatch(project.ai, [{ id: 'a row' }]));
  clock.set(hourEndMs(HOUR));
  const options: ImportOptions = {
    project,
    catalog,
    store,
    reader: new HourLogReader(storeRoot),
    jobs: storeJobsInPlace,
    runner: {} as unknown as TaskRunner, // nothing that is refused is exported
    clock,
    storeRoot,
    retentionDays: RETENTION_DAYS,
    onProgress: () => undefined,
  };
  const importAt = (sendTimeMs: number): Promise<unknown> => {
    const line = { sendTime: sendTimeMs, platform: 'web', t: 'cstm', tm: 1, u: 'u', s: 's', d: 'shop', n: 'event' };
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    return importEvents(options, [{ name: 'past.ndjson', bytes: ReadableStream.from([bytes]) }]);
  };
  return { options, importAt };
}

describe('importEvents refuses, and leaves nothing of', () => {
  const refused = [
    { name: 'an hour that has not ended', sendTimeMs: hourEndMs(HOUR), code: 'hour_open' },
    { name: 'an hour that holds rows', sendTimeMs: HOUR_START_MS, code: 'hour_holds_rows' },
    {
      name: 'an hour before the project had its export',
      sendTimeMs: HOUR_START_MS - HOUR_MS,
      enabledAtMs: HOUR_START_MS,
      code: 'hour_out_of_range',
    },
    { name: 'an hour past retention', sendTimeMs: HOUR_START_MS - 60 * HOUR_MS, code: 'hour_out_of_range' },
  ];

  for (const { name, sendTimeMs, code, enabledAtMs = ENABLED_AT_MS } of refused) {
    it(name, async (t) => {
      const { options, importAt } = await openData(t, enabledAtMs);
      await assert.rejects(importAt(sendTimeMs), { code });
      assert.deepEqual(await readdir(join(options.storeRoot, 'imports')), []);
      assert.deepEqual(options.store.sealedUntil, addHours(HOUR, 1));
    });
  }
});

describe('exportHours', () => {
  /** Exports an hour by these tries, one after the other; whoever exports says when it is FINISHED. */
  async function exportBy(
    t: TestContext,
    tries: ((publish: () => Promise<unknown>) => Promise<unknown>)[],
    onFinished: () => void = () => undefined,
  ): Promise<void> {
    const { catalog, ai } = await openWithProject(t);
    const publish = (): Promise<unknown> => publishHour(catalog, ai, NEW_YEAR, []);
    const runner = { runDue: () => tries.shift()!(publish) } as unknown as TaskRunner;
    const onProgress: Parameters<typeof exportHours>[0]['onProgress'] = ({ finished }) => {
      if (finished === 1) onFinished();
    };
    const project = { ...TEST_PROJECT, ai };
    await exportHours({ project, catalog, runner, clock: new FakeClock(NEW_YEAR_MS), onProgress }, [NEW_YEAR]);
  }
  const refusal = (): Error => new AppError('store_unavailable', 'The catalog cannot be used now.');

  it('goes on when its first try is refused the catalog', async (t) => {
    const tries = [
      () => Promise.reject(refusal()),
      () => Promise.resolve(0),
      (publish: () => Promise<unknown>) => publish(),
    ];
    await exportBy(t, tries);
    assert.deepEqual(tries, []);
  });

  it('returns when the hours are FINISHED, also if its first try is refused the catalog after that', async (t) => {
    const first = Promise.withResolvers<number>();
    const exported = exportBy(t, [() => first.promise, (publish) => publish()], () => {
      setImmediate(() => first.reject(refusal()));
    });
    await assert.doesNotReject(exported);
  });
});
