import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { addHours, type Hour } from '../events/hour.ts';
import type { LegacyTable } from '../events/legacy-tables.ts';
import {
  hoursFrom,
  NEW_YEAR,
  NEW_YEAR_MS,
  openForTest,
  openWithProject,
  publishHour,
  samplePackage,
} from './catalog.test-helper.ts';
import type { Catalog, PackageEntry } from './catalog.ts';
import type { ClaimedLegacyTask, LegacyTask } from './legacy-export.ts';

const VISITS = [samplePackage('visit', 0)];
const LEASE_MS = 1_000;

/** A catalog with one published hour. */
async function openPublished(t: TestContext) {
  const opened = await openWithProject(t);
  await publishHour(opened.catalog, opened.ai, NEW_YEAR, VISITS);
  return opened;
}

function legacyPackage(dataType: LegacyTable, part: number, label = 'l'): PackageEntry<LegacyTable> {
  return { ...samplePackage('visit', part, `${label}-${dataType}`), dataType };
}

async function claim({ legacy }: Catalog, nowMs = NEW_YEAR_MS): Promise<ClaimedLegacyTask> {
  const task = await legacy.claim({ nowMs, leaseMs: LEASE_MS });
  assert.ok(task, 'a task is due');
  return task;
}

async function only({ legacy }: Catalog, ai: string): Promise<LegacyTask | undefined> {
  const tasks = await legacy.listTasks(ai, hoursFrom(NEW_YEAR, 1));
  assert.ok(tasks.length < 2);
  return tasks[0];
}

async function namesOf({ legacy }: Catalog, ai: string): Promise<readonly string[]> {
  return (await legacy.listPackages(ai, hoursFrom(NEW_YEAR, 1))).map(({ name }) => name);
}

describe('the tasks of the 1.0 API', () => {
  it('are made when they are asked for, once, and not again while they are worked on or made', async (t) => {
    const { catalog, ai } = await openPublished(t);
    const ask = () => catalog.legacy.request(ai, [{ hour: NEW_YEAR, revision: 1 }], NEW_YEAR_MS);
    assert.equal(await catalog.legacy.claim({ nowMs: NEW_YEAR_MS, leaseMs: 1 }), undefined);
    await ask();
    await ask();
    const task = await claim(catalog);
    assert.equal(await catalog.legacy.claim({ nowMs: NEW_YEAR_MS, leaseMs: 1 }), undefined, 'nobody else has it');
    await ask();
    assert.equal((await only(catalog, ai))?.status, 'running');
    const made = [legacyPackage('visit', 1), legacyPackage('visit', 0)];
    assert.equal(await catalog.legacy.publish(task, 1, made), true);
    await ask();
    assert.deepEqual(await only(catalog, ai), {
      ...{ ai, hour: NEW_YEAR, status: 'finished', attempts: 1, runAtMs: NEW_YEAR_MS, error: null, revision: 1 },
    });
    assert.deepEqual(await namesOf(catalog, ai), [made[1]!.name, made[0]!.name]);
  });

  it('belong to whoever has the newest lease', async (t) => {
    const { catalog, path, ai } = await openPublished(t);
    const other = await openForTest(t, path);
    await catalog.legacy.request(ai, [{ hour: NEW_YEAR, revision: 1 }], NEW_YEAR_MS);
    const slow = await claim(catalog);
    assert.equal(await catalog.legacy.extend(slow, NEW_YEAR_MS + 2 * LEASE_MS), true);
    assert.equal(await other.legacy.claim({ nowMs: NEW_YEAR_MS + LEASE_MS, leaseMs: LEASE_MS }), undefined);
    const taken = await claim(other, NEW_YEAR_MS + 2 * LEASE_MS);
    assert.equal(taken.attempts, 2);
    assert.equal(await catalog.legacy.extend(slow, NEW_YEAR_MS + 9 * LEASE_MS), false);
    await catalog.legacy.retryLater(slow, 0, 'too late');
    await catalog.legacy.fail(slow, 0, 'too late');
    await catalog.legacy.release(slow, 0);
    await catalog.legacy.forget(slow);
    assert.equal(await catalog.legacy.publish(slow, 1, [legacyPackage('visit', 0)]), false);
    assert.deepEqual((await only(catalog, ai))?.status, 'running');
    assert.deepEqual(await namesOf(catalog, ai), []);
    assert.equal(await other.legacy.publish(taken, 1, [legacyPackage('visit', 0)]), true);
  });

  it('are left to their worker for as long as its lease is, however long leases are', async (t) => {
    const { catalog, ai } = await openPublished(t);
    await catalog.legacy.request(ai, [{ hour: NEW_YEAR, revision: 1 }], NEW_YEAR_MS);
    const leaseMs = 20 * 60_000;
    assert.ok(await catalog.legacy.claim({ nowMs: NEW_YEAR_MS, leaseMs }));
    assert.equal(await catalog.legacy.claim({ nowMs: NEW_YEAR_MS + 1_000, leaseMs }), undefined);
    assert.deepEqual(await catalog.legacy.countByStatus(), { pending: 0, running: 1, finished: 0, failed: 0 });
  });

  it('go back with a pause when a try fails, and wait for somebody to ask when it failed for good', async (t) => {
    const { catalog, ai } = await openPublished(t);
    const ask = (nowMs: number) => catalog.legacy.request(ai, [{ hour: NEW_YEAR, revision: 1 }], nowMs);
    await ask(NEW_YEAR_MS);
    await catalog.legacy.retryLater(await claim(catalog), NEW_YEAR_MS + 50, 'the disk is full');
    assert.equal(await catalog.legacy.claim({ nowMs: NEW_YEAR_MS + 49, leaseMs: 1 }), undefined);
    const again = await claim(catalog, NEW_YEAR_MS + 50);
    assert.deepEqual([again.attempts, again.error], [2, 'the disk is full']);
    await catalog.legacy.release(again, NEW_YEAR_MS + 50);
    assert.deepEqual([(await only(catalog, ai))?.attempts, (await only(catalog, ai))?.status], [1, 'pending']);
    await catalog.legacy.fail(await claim(catalog, NEW_YEAR_MS + 50), NEW_YEAR_MS + 900, 'damaged');
    await ask(NEW_YEAR_MS + 899);
    assert.deepEqual([(await only(catalog, ai))?.status, (await only(catalog, ai))?.error], ['failed', 'damaged']);
    await ask(NEW_YEAR_MS + 900);
    assert.deepEqual([(await only(catalog, ai))?.status, (await only(catalog, ai))?.attempts], ['pending', 0]);
  });

  it('are claimed in the order in which they were asked for', async (t) => {
    const { catalog, ai } = await openPublished(t);
    await publishHour(catalog, ai, addHours(NEW_YEAR, 1), VISITS);
    await catalog.legacy.request(ai, [{ hour: addHours(NEW_YEAR, 1), revision: 1 }], NEW_YEAR_MS);
    await catalog.legacy.request(ai, [{ hour: NEW_YEAR, revision: 1 }], NEW_YEAR_MS + 1);
    assert.equal((await claim(catalog, NEW_YEAR_MS + 9)).hour, addHours(NEW_YEAR, 1));
    assert.equal((await claim(catalog, NEW_YEAR_MS + 9)).hour, NEW_YEAR);
  });

  it('are made anew for a new revision, and what was being made of the old one is not published', async (t) => {
    const { catalog, ai } = await openPublished(t);
    await catalog.legacy.request(ai, [{ hour: NEW_YEAR, revision: 1 }], NEW_YEAR_MS);
    const old = await claim(catalog);
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0, 'b')]);
    assert.equal(await catalog.legacy.publish(old, 1, [legacyPackage('visit', 0)]), false);
    const task = await claim(catalog, NEW_YEAR_MS + 9);
    assert.equal(
      await catalog.legacy.publish(task, 1, [legacyPackage('visit', 0)]),
      false,
      'not of revision 1 any more',
    );
    assert.equal(await catalog.legacy.publish(task, 2, [legacyPackage('visit', 0, 'two')]), true);
    assert.deepEqual(await namesOf(catalog, ai), [legacyPackage('visit', 0, 'two').name]);
  });

  it('are made with every hour where the project says so, if the hour has rows for the seven tables', async (t) => {
    const { catalog, ai } = await openPublished(t);
    const turn = (isOn: boolean, fromHour: Hour) =>
      catalog.settings.change(ai, { values: { legacyExport: isOn }, fromHour, nowMs: NEW_YEAR_MS, by: 'a test' });
    await turn(true, NEW_YEAR);
    await turn(false, addHours(NEW_YEAR, 3));
    assert.equal(await only(catalog, ai), undefined, 'only hours published from now on');
    await publishHour(catalog, ai, addHours(NEW_YEAR, 1), VISITS);
    await publishHour(catalog, ai, addHours(NEW_YEAR, 2), [samplePackage('pvar', 0)]);
    const hours = await catalog.legacy.listTasks(ai, hoursFrom(NEW_YEAR, 9));
    assert.deepEqual(
      hours.map(({ hour, status }) => [hour, status]),
      [[addHours(NEW_YEAR, 1), 'pending']],
    );
    await publishHour(catalog, ai, addHours(NEW_YEAR, 3), VISITS);
    assert.equal((await catalog.legacy.listTasks(ai, hoursFrom(NEW_YEAR, 9))).length, 1);
  });
});

describe('the packages of the 1.0 API', () => {
  it('can be found by their links while a newer revision is being made, and are all gone when the hour is removed', async (t) => {
    const { catalog, ai } = await openPublished(t);
    const { legacy } = catalog;
    await legacy.request(ai, [{ hour: NEW_YEAR, revision: 1 }], NEW_YEAR_MS);
    await legacy.publish(await claim(catalog), 1, [legacyPackage('custom_attr', 0)]);
    const { name } = legacyPackage('custom_attr', 0);
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0, 'b')]);
    assert.deepEqual(await namesOf(catalog, ai), []);
    assert.equal((await legacy.findPackage(ai, NEW_YEAR, 'custom_attr', name))?.revision, 1);
    assert.equal(await legacy.findPackage(ai, NEW_YEAR, 'visit', name), undefined);
    assert.deepEqual(await legacy.listHours(ai), [NEW_YEAR]);

    await legacy.publish(await claim(catalog, NEW_YEAR_MS + 9), 2, [legacyPackage('visit', 0, 'two')]);
    assert.equal((await legacy.listKept(ai, NEW_YEAR)).length, 2);
    await legacy.removeHour(ai, NEW_YEAR, NEW_YEAR_MS + 10);
    assert.deepEqual(await legacy.listKept(ai, NEW_YEAR), []);
    assert.equal(await legacy.findPackage(ai, NEW_YEAR, 'custom_attr', name), undefined);
    assert.equal((await claim(catalog, NEW_YEAR_MS + 10)).hour, NEW_YEAR, 'they are made again');
  });

  it('go with the hours that are past retention, tasks and all', async (t) => {
    const { catalog, ai } = await openPublished(t);
    await publishHour(catalog, ai, addHours(NEW_YEAR, 1), VISITS);
    for (const hour of [NEW_YEAR, addHours(NEW_YEAR, 1)]) {
      await catalog.legacy.request(ai, [{ hour, revision: 1 }], NEW_YEAR_MS);
      await catalog.legacy.publish(await claim(catalog), 1, [legacyPackage('visit', 0, String(hour))]);
    }
    await catalog.legacy.deleteBefore(ai, addHours(NEW_YEAR, 1));
    assert.deepEqual(await catalog.legacy.listHours(ai), [addHours(NEW_YEAR, 1)]);
    assert.equal((await catalog.legacy.listTasks(ai, hoursFrom(NEW_YEAR, 9))).length, 1);
  });
});
