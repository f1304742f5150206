import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addHours } from '../events/hour.ts';
import { claimHour, hoursFrom, NEW_YEAR, NEW_YEAR_MS, openWithProject, sampleProject } from './catalog.test-helper.ts';

const NOW = { nowMs: NEW_YEAR_MS, leaseMs: 60_000 };
const LEASE_END_MS = NEW_YEAR_MS + 60_000;

describe('SqlTaskTable: making tasks', () => {
  test('makes one pending task for each hour of a range', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    assert.equal(await catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 3), NEW_YEAR_MS), 3);
    const task = { ai, status: 'pending', attempts: 0, runAtMs: NEW_YEAR_MS, error: null };
    assert.deepEqual(
      await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 24)),
      [0, 1, 2].map((hours) => ({ ...task, hour: addHours(NEW_YEAR, hours) })),
    );
  });

  test('makes only the tasks that are missing, and changes no other', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.tasks.fail(await claimHour(catalog, ai, addHours(NEW_YEAR, 1)), 'The disk is gone.');
    assert.equal(await catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 360), NEW_YEAR_MS), 359);
    assert.equal(await catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 360), NEW_YEAR_MS), 0);
    const [task] = await catalog.tasks.list(ai, hoursFrom(addHours(NEW_YEAR, 1), 1));
    assert.equal(task?.status, 'failed');
  });

  test('makes each task once when the same range is asked for at the same time', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const ensure = () => catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 50), NEW_YEAR_MS);
    const made = await Promise.all([ensure(), ensure(), ensure()]);
    assert.deepEqual(
      made.toSorted((a, b) => a - b),
      [0, 0, 50],
    );
  });

  test('takes ranges of several years and ranges of nothing', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    assert.equal(await catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 20_000), NEW_YEAR_MS), 20_000);
    assert.equal(await catalog.tasks.ensure(ai, { from: NEW_YEAR, until: addHours(NEW_YEAR, -5) }, NEW_YEAR_MS), 0);
  });

  test('makes an ended or a missing task pending again, with no attempts and no error', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.tasks.fail(await claimHour(catalog, ai, NEW_YEAR), 'The disk is gone.');
    await catalog.tasks.restart(ai, [NEW_YEAR, addHours(NEW_YEAR, 5), NEW_YEAR], NEW_YEAR_MS + 1);
    const tasks = await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 24));
    const pending = { ai, status: 'pending', attempts: 0, runAtMs: NEW_YEAR_MS + 1, error: null };
    assert.deepEqual(tasks, [
      { ...pending, hour: NEW_YEAR },
      { ...pending, hour: addHours(NEW_YEAR, 5) },
    ]);
  });

  test('takes the lease from a running task that is restarted', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const task = await claimHour(catalog, ai, NEW_YEAR);
    await catalog.tasks.restart(ai, [NEW_YEAR], NEW_YEAR_MS);
    assert.equal(await catalog.tasks.extend(task, LEASE_END_MS), false);
  });
});

describe('SqlTaskTable: claiming', () => {
  test('gives a task at once that a clock an hour ahead has claimed or given back, when the clock is right again', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 1), NEW_YEAR_MS);
    const ahead = { ...NOW, nowMs: NEW_YEAR_MS + 3_600_000 };
    assert.ok(await catalog.tasks.claim(ahead));
    const task = await catalog.tasks.claim(NOW);
    assert.equal(task?.ai, ai);
    await catalog.tasks.retryLater(task, ahead.nowMs, 'The disk is full.');
    assert.ok(await catalog.tasks.claim(NOW));
    assert.equal(await catalog.tasks.claim(NOW), undefined);
  });

  test('gives the oldest hour first, with an attempt counted and a lease of its own', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 2), NEW_YEAR_MS);
    const first = await catalog.tasks.claim(NOW);
    const second = await catalog.tasks.claim(NOW);
    assert.equal(first?.hour, NEW_YEAR);
    assert.equal(first.status, 'running');
    assert.equal(first.attempts, 1);
    assert.equal(second?.hour, addHours(NEW_YEAR, 1));
    assert.notEqual(first.leaseId, second.leaseId);
    assert.equal(await catalog.tasks.claim(NOW), undefined);
  });

  test('leaves a task alone before its time', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 1), NEW_YEAR_MS + 5_000);
    assert.equal(await catalog.tasks.claim({ ...NOW, nowMs: NEW_YEAR_MS + 4_999 }), undefined);
    assert.ok(await catalog.tasks.claim({ ...NOW, nowMs: NEW_YEAR_MS + 5_000 }));
  });

  test('keeps to a project and to hours when they are named', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.projects.create(sampleProject({ ai: 'other', uid: 'AAAABBBB' }));
    for (const project of [ai, 'other']) await catalog.tasks.ensure(project, hoursFrom(NEW_YEAR, 10), NEW_YEAR_MS);
    const hours = [addHours(NEW_YEAR, 7), addHours(NEW_YEAR, 3)];
    const claimed = [];
    for (let count = 0; count < 3; count += 1) claimed.push(await catalog.tasks.claim({ ...NOW, ai: 'other', hours }));
    assert.deepEqual(
      claimed.map((task) => task && [task.ai, task.hour]),
      [['other', hours[1]], ['other', hours[0]], undefined],
    );
    assert.equal((await catalog.tasks.claim({ ...NOW, hours: [addHours(NEW_YEAR, 7)] }))?.ai, ai);
    assert.equal(await catalog.tasks.claim({ ...NOW, hours: [] }), undefined);
  });

  test('finds the one due hour in a list of several thousand', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.tasks.ensure(ai, hoursFrom(addHours(NEW_YEAR, 39_999), 1), NEW_YEAR_MS);
    const hours = Array.from({ length: 40_000 }, (_, index) => addHours(NEW_YEAR, 39_999 - index));
    assert.equal((await catalog.tasks.claim({ ...NOW, ai, hours }))?.hour, addHours(NEW_YEAR, 39_999));
  });

  test('hands over a task whose lease has ended, and counts the attempt', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const lost = await claimHour(catalog, ai, NEW_YEAR);
    assert.equal(await catalog.tasks.claim({ ...NOW, nowMs: LEASE_END_MS - 1 }), undefined);
    const taken = await catalog.tasks.claim({ ...NOW, nowMs: LEASE_END_MS });
    assert.equal(taken?.attempts, 2);
    assert.notEqual(taken.leaseId, lost.leaseId);
  });

  test('leaves a task to its worker for as long as its lease is, however long leases are', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const leaseMs = 20 * 60_000;
    await catalog.tasks.ensure(ai, { from: NEW_YEAR, until: addHours(NEW_YEAR, 1) }, NOW.nowMs);
    assert.ok(await catalog.tasks.claim({ ...NOW, leaseMs }));
    assert.equal(await catalog.tasks.claim({ ...NOW, nowMs: NOW.nowMs + 1_000, leaseMs }), undefined);
  });
});

describe('SqlTaskTable: working under a lease', () => {
  test('extends a lease, so that nobody takes the task at its old end', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const task = await claimHour(catalog, ai, NEW_YEAR);
    assert.equal(await catalog.tasks.extend(task, LEASE_END_MS + 60_000), true);
    assert.equal(await catalog.tasks.claim({ ...NOW, nowMs: LEASE_END_MS }), undefined);
    assert.ok(await catalog.tasks.claim({ ...NOW, nowMs: LEASE_END_MS + 60_000 }));
  });

  test('extends a lease that has ended while nobody took it', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const task = await claimHour(catalog, ai, NEW_YEAR);
    assert.equal(await catalog.tasks.extend(task, LEASE_END_MS + 3_600_000), true);
  });

  test('gives a failed try back for later, with its attempts and its error', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.tasks.retryLater(await claimHour(catalog, ai, NEW_YEAR), NEW_YEAR_MS + 1_000, 'The disk is full.');
    assert.equal(await catalog.tasks.claim(NOW), undefined);
    const again = await catalog.tasks.claim({ ...NOW, nowMs: NEW_YEAR_MS + 1_000 });
    assert.equal(again?.attempts, 2);
    assert.equal(again.error, 'The disk is full.');
    assert.equal(again.runAtMs, NEW_YEAR_MS + 1_000);
  });

  test('takes a task back as if it had not been claimed, once', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const task = await claimHour(catalog, ai, NEW_YEAR);
    await catalog.tasks.release(task, NEW_YEAR_MS);
    await catalog.tasks.release(task, NEW_YEAR_MS);
    const again = await catalog.tasks.claim(NOW);
    assert.equal(again?.attempts, 1);
    assert.notEqual(again.leaseId, task.leaseId);
  });

  test('takes instants with fractions, as back-off gives them', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const task = await claimHour(catalog, ai, NEW_YEAR);
    assert.equal(await catalog.tasks.extend(task, NEW_YEAR_MS + 0.5), true);
    await catalog.tasks.retryLater(task, NEW_YEAR_MS + 99.5, 'The disk is full.');
    assert.ok(await catalog.tasks.claim({ nowMs: NEW_YEAR_MS + 100, leaseMs: 0.1 }));
  });

  test('ends a task for good', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.tasks.fail(await claimHour(catalog, ai, NEW_YEAR), 'The ledger does not balance.');
    assert.equal(await catalog.tasks.claim({ ...NOW, nowMs: NEW_YEAR_MS + 10 ** 9 }), undefined);
    const [task] = await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 1));
    assert.equal(task?.status, 'failed');
    assert.equal(task.error, 'The ledger does not balance.');
  });

  test('changes nothing for a worker whose lease another has taken', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const lost = await claimHour(catalog, ai, NEW_YEAR);
    const taken = await catalog.tasks.claim({ ...NOW, nowMs: LEASE_END_MS });
    assert.equal(await catalog.tasks.extend(lost, LEASE_END_MS + 10 ** 9), false);
    await catalog.tasks.retryLater(lost, 0, 'too late');
    await catalog.tasks.fail(lost, 'too late');
    const [task] = await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 1));
    assert.equal(task?.status, 'running');
    assert.equal(task.error, null);
    assert.equal(await catalog.tasks.extend(taken!, LEASE_END_MS + 60_000), true);
  });

  test('counts tasks by status and deletes those of old hours', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 4), NEW_YEAR_MS);
    await catalog.tasks.claim(NOW);
    await catalog.tasks.fail((await catalog.tasks.claim(NOW))!, 'no');
    assert.deepEqual(await catalog.tasks.countByStatus(), { pending: 2, running: 1, finished: 0, failed: 1 });
    await catalog.tasks.deleteBefore(addHours(NEW_YEAR, 3), []);
    const left = await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 24));
    assert.deepEqual(
      left.map((task) => task.hour),
      [addHours(NEW_YEAR, 3)],
    );
  });
});
