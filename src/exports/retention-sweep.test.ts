import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import {
  hoursFrom,
  NEW_YEAR,
  NEW_YEAR_MS,
  openWithProject,
  publishHour,
  samplePackage,
  sampleProject,
} from '../catalog/catalog.test-helper.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { addHours, HOUR_MS, type Hour } from '../events/hour.ts';
import type { PackageStore } from '../packages/package-store.ts';
import type { HourStore } from '../store/hour-store.ts';
import { FakeClock } from '../../test/helpers/fake-clock.ts';
import { RetentionSweep, type RetentionSweepOptions } from './retention-sweep.ts';

const DAY_MS = 24 * HOUR_MS;
const RETENTION_DAYS = 2;

type Sweeping = {
  readonly sweep: RetentionSweep;
  readonly catalog: Catalog;
  readonly ai: string;
  readonly clock: FakeClock;
  /** The hours that the store was told to keep, once for each sweep. */
  readonly kept: ReadonlySet<Hour>[];
  /** Before which hour rows were to go, once for each sweep. */
  readonly dropped: Hour[];
  /** Whether the hour's manifest was still there, at each deletion of packages. */
  readonly manifestsAtDeletion: boolean[];
  monotonicMs: number;
};

/** A sweep over a real catalog; the store and the packages only record what they are told. */
async function openSweep(
  t: TestContext,
  doubtMs = 0,
  clicks: RetentionSweepOptions['clicks'] = { deleteBefore: () => Promise.resolve() },
): Promise<Sweeping> {
  const { catalog, ai } = await openWithProject(t);
  const clock = new FakeClock(NEW_YEAR_MS);
  const kept: ReadonlySet<Hour>[] = [];
  const manifestsAtDeletion: boolean[] = [];
  const dropped: Hour[] = [];
  const store = {
    dropBefore: (hour: Hour, hours: ReadonlySet<Hour>) => Promise.resolve(void (dropped.push(hour), kept.push(hours))),
  };
  const packages = {
    deleteBefore: async () =>
      void manifestsAtDeletion.push((await catalog.manifests.newest(ai, NEW_YEAR)) !== undefined),
  };
  const sweeping: Omit<Sweeping, 'sweep'> = { catalog, ai, clock, kept, dropped, manifestsAtDeletion, monotonicMs: 0 };
  const sweep = new RetentionSweep({
    catalog,
    store: store as unknown as HourStore,
    packages: packages as unknown as PackageStore,
    clicks,
    clock,
    logger: pino({ level: 'silent' }),
    retentionDays: RETENTION_DAYS,
    doubtMs,
    monotonicMs: () => sweeping.monotonicMs,
  });
  return Object.assign(sweeping, { sweep });
}

describe('RetentionSweep', () => {
  it('keeps the rows of an hour that is not exported yet, and of the hour before, however old', async (t) => {
    const { sweep, catalog, ai, clock, kept } = await openSweep(t);
    await catalog.tasks.restart(ai, [NEW_YEAR], NEW_YEAR_MS);
    clock.set(NEW_YEAR_MS + 30 * DAY_MS);
    await sweep.sweep();
    assert.deepEqual(kept, [new Set([NEW_YEAR, addHours(NEW_YEAR, -1)])]);
    assert.equal((await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 1))).length, 1);
  });

  it('keeps an hour that failed for as long again, and then gives it up', async (t) => {
    const { sweep, catalog, ai, clock, kept } = await openSweep(t);
    await catalog.tasks.restart(ai, [NEW_YEAR], NEW_YEAR_MS);
    const task = await catalog.tasks.claim({ nowMs: NEW_YEAR_MS, leaseMs: 1 });
    await catalog.tasks.fail(task!, 'damaged');
    clock.set(NEW_YEAR_MS + (RETENTION_DAYS + 1) * DAY_MS);
    await sweep.sweep();
    clock.set(NEW_YEAR_MS + (2 * RETENTION_DAYS + 1) * DAY_MS);
    await sweep.sweep();
    assert.deepEqual(
      kept.map((hours) => hours.has(NEW_YEAR)),
      [true, false],
    );
    assert.equal((await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 1))).length, 0);
  });

  it('deletes the manifest before its packages', async (t) => {
    const { sweep, catalog, ai, clock, manifestsAtDeletion } = await openSweep(t);
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('page', 0)]);
    await sweep.sweep();
    clock.set(NEW_YEAR_MS + (RETENTION_DAYS + 1) * DAY_MS);
    await sweep.sweep();
    assert.deepEqual(manifestsAtDeletion, [true, false]);
  });

  it('goes by the retention of each project, and keeps rows as long as the longest', async (t) => {
    const { sweep, catalog, ai, clock, dropped } = await openSweep(t);
    const long = sampleProject({ ai: 'long', uid: 'Long1234' });
    await catalog.projects.create(long);
    const change = { values: { retentionDays: 10 }, fromHour: NEW_YEAR, nowMs: NEW_YEAR_MS, by: 'ada' };
    await catalog.settings.change(long.ai, change);
    for (const each of [ai, long.ai]) await publishHour(catalog, each, NEW_YEAR, [samplePackage('page', 0)]);
    clock.set(NEW_YEAR_MS + (RETENTION_DAYS + 1) * DAY_MS);
    await sweep.sweep();
    assert.equal(await catalog.manifests.newest(ai, NEW_YEAR), undefined);
    assert.ok(await catalog.manifests.newest(long.ai, NEW_YEAR));
    assert.ok(dropped[0]! <= NEW_YEAR, 'the rows of both lie in the same files');
    clock.set(NEW_YEAR_MS + 12 * DAY_MS);
    await sweep.sweep();
    assert.equal(await catalog.manifests.newest(long.ai, NEW_YEAR), undefined);
    assert.ok(dropped[1]! > NEW_YEAR);
  });

  it('brings nothing back when the retention becomes longer', async (t) => {
    const { sweep, catalog, ai, clock } = await openSweep(t);
    clock.set(NEW_YEAR_MS + 5 * DAY_MS);
    await sweep.sweep();
    const deletedBefore = catalog.settings.of(ai).keptFrom(clock.nowMs(), RETENTION_DAYS);
    const change = { values: { retentionDays: 30 }, fromHour: NEW_YEAR, nowMs: clock.nowMs(), by: 'ada' };
    await catalog.settings.change(ai, change);
    assert.equal(catalog.settings.of(ai).keptFrom(clock.nowMs(), RETENTION_DAYS), deletedBefore);
  });

  it('does not follow a clock that jumps ahead until it has said so for the time of doubt', async (t) => {
    const sweeping = await openSweep(t, HOUR_MS);
    const { sweep, clock, kept } = sweeping;
    const sweepAt = async (nowMs: number, monotonicMs: number): Promise<number> => {
      clock.set(nowMs);
      sweeping.monotonicMs = monotonicMs;
      await sweep.sweepOnce((NEW_YEAR + monotonicMs) as Hour); // each time another hour, so that only doubt holds it back
      return kept.length;
    };
    assert.equal(await sweepAt(NEW_YEAR_MS, 0), 0, 'the first limit after a start is doubted');
    assert.equal(await sweepAt(NEW_YEAR_MS, HOUR_MS), 1);
    assert.equal(await sweepAt(NEW_YEAR_MS + DAY_MS, HOUR_MS + 1), 2, 'a day is no jump');
    assert.equal(await sweepAt(NEW_YEAR_MS + 90 * DAY_MS, HOUR_MS + 2), 2);
    assert.equal(await sweepAt(NEW_YEAR_MS + 90 * DAY_MS, 2 * HOUR_MS + 1), 2);
    assert.equal(await sweepAt(NEW_YEAR_MS + 90 * DAY_MS, 2 * HOUR_MS + 2), 3);
  });

  it('deletes clicks after 15 days, however long rows are kept, and goes on where that fails', async (t) => {
    const limits: number[] = [];
    const deleteBefore = (limitMs: number): Promise<void> => {
      limits.push(limitMs);
      return Promise.reject(new Error('it is damaged'));
    };
    const { sweep, clock } = await openSweep(t, 0, { deleteBefore });
    clock.set(NEW_YEAR_MS + 30 * DAY_MS);
    await sweep.sweep();
    assert.deepEqual(limits, [NEW_YEAR_MS + 15 * DAY_MS]);
  });
});
