import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openWithProject, publishHour } from '../catalog/catalog.test-helper.ts';
import type { Catalog, ClaimedTask } from '../catalog/catalog.ts';
import { addHours, hourOf, HOUR_MS } from '../events/hour.ts';
import { LocalPackageStore } from '../packages/local-package-store.ts';
import { eraseJobsInPlace, HourLogEraser } from '../store/hour-log/hour-log-eraser.ts';
import { HourLogReader } from '../store/hour-log/hour-log-reader.ts';
import { HourLog } from '../store/hour-log/hour-log.ts';
import { storeJobsInPlace } from '../store/hour-log/store-jobs.ts';
import { atEnd } from '../../test/helpers/at-end.ts';
import { eventBatch, HOUR_START_MS } from '../../test/helpers/event-rows.ts';
import { FakeClock } from '../../test/helpers/fake-clock.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { HourErasure } from './hour-erasure.ts';

const HOUR = hourOf(HOUR_START_MS);
const END_MS = HOUR_START_MS + HOUR_MS;
const LEASE_MS = 10_000;

type Erasing = {
  readonly catalog: Catalog;
  readonly ai: string;
  readonly erasure: HourErasure;
  /** The task of the hour, as an export has claimed it that goes on with the erasure. */
  readonly task: ClaimedTask;
  /** The visitors whose rows the hour holds. */
  readonly visitors: () => readonly string[];
};

/** A sealed hour with a row of `gone` and one of `stays`, claimed by an export before `gone` is to be erased. */
async function openErasing(t: TestContext): Promise<Erasing> {
  const { catalog, ai } = await openWithProject(t);
  const folder = await temporaryFolder(t);
  const root = join(folder, 'hour-log');
  const clock = new FakeClock(HOUR_START_MS + 5);
  const store = await HourLog.open({ root, clock, jobs: storeJobsInPlace });
  atEnd(t, () => store.close());
  await store.append(
    eventBatch(
      ai,
      ['gone', 'stays'].map((id) => ({ id, visitor: id })),
    ),
  );
  clock.set(END_MS);
  await store.seal(addHours(HOUR, 1));
  await catalog.tasks.restart(ai, [HOUR], END_MS);
  const task = await catalog.tasks.claim({ nowMs: END_MS, leaseMs: LEASE_MS });
  assert.ok(task);
  await catalog.erasures.create({ ai, visitorIds: ['gone'], nowMs: END_MS });
  const erasure = new HourErasure({
    catalog,
    store,
    eraser: new HourLogEraser({ root, jobs: eraseJobsInPlace }),
    packages: await LocalPackageStore.open(join(folder, 'packages')),
    participants: [],
    clock,
  });
  const visitors = (): readonly string[] =>
    [...new HourLogReader(root).readSorted(HOUR, ai, 'evar')].flatMap(({ lines }) =>
      lines
        .toString()
        .trimEnd()
        .split('\n')
        .map((line) => line.split(',')[0]!),
    );
  return { catalog, ai, erasure, task, visitors };
}

function keeping({ catalog, task }: Erasing): () => Promise<boolean> {
  return () => catalog.tasks.extend(task, END_MS + LEASE_MS);
}

test('an export erases what is due, under its task, and publishes the hour without it', async (t) => {
  const erasing = await openErasing(t);
  const { ai, catalog, erasure, task, visitors } = erasing;
  await erasure.run({ ai, hour: HOUR, keepTask: keeping(erasing) });
  assert.deepEqual(visitors(), ['stays']);
  assert.ok(await catalog.tasks.extend(task, END_MS + LEASE_MS), 'the task is still its own');
});

test('an export that has lost its task to another takes back nothing that the other has published', async (t) => {
  const erasing = await openErasing(t);
  const { ai, catalog, erasure } = erasing;
  await publishHour(catalog, ai, HOUR, []); // by one that claimed the task anew
  await assert.rejects(erasure.run({ ai, hour: HOUR, keepTask: keeping(erasing) }), { code: 'store_unavailable' });
  assert.equal((await catalog.manifests.newest(ai, HOUR))?.revision, 1);
  await erasure.run({ ai, hour: HOUR });
  assert.equal(await catalog.manifests.newest(ai, HOUR), undefined);
  const [task] = await catalog.tasks.list(ai, { from: HOUR, until: addHours(HOUR, 1) });
  assert.equal(task?.status, 'pending', 'the hour is published again');
  assert.deepEqual(erasing.visitors(), ['stays']);
});
