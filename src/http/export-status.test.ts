import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Catalog } from '../catalog/catalog.ts';
import { openCatalog } from '../catalog/open-catalog.ts';
import { addHours, hourEndMs, hourStartMs, parseExportDate } from '../events/hour.ts';
import { retainedFrom } from '../events/retention.ts';
import { beijingHour, claimHour, createProject, publishHour, type TestApi } from './api.test-helper.ts';
import { decideExport, type ExportState } from './export-status.ts';

const NOON = beijingHour('2018071012');
const LONG_AGO_MS = Date.parse('2018-01-01T00:00:00Z');

describe('decideExport', () => {
  let folder: string;
  let catalog: Catalog;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidegate-status-'));
    catalog = await openCatalog({ path: join(folder, 'catalog.sqlite') });
  });
  after(async () => {
    await catalog.close();
    await rm(folder, { recursive: true });
  });

  /** A project, and what it is told about its hours and days. */
  async function newProject(exportEnabledAtMs = LONG_AGO_MS) {
    const project = await createProject(catalog, { exportEnabledAtMs });
    const decide = async (date: string, nowMs: number): Promise<ExportState> => {
      const parsed = parseExportDate(date.length === 8 ? 'day' : 'hour', date);
      assert.ok(typeof parsed !== 'string');
      return decideExport({
        date: parsed,
        nowMs,
        settings: catalog.settings.of(project.ai),
        retainedFrom: retainedFrom(nowMs, 15),
        tasks: await catalog.tasks.list(project.ai, parsed.hours),
      });
    };
    const publish = async (first: string, hours: number): Promise<void> => {
      const from = beijingHour(first);
      for (let hour = 0; hour < hours; hour += 1) {
        await publishHour({ catalog } as TestApi, project, addHours(from, hour));
      }
    };
    const fail = async (hour: string, error: string): Promise<void> => {
      await catalog.tasks.fail(await claimHour(catalog, project.ai, beijingHour(hour)), error);
    };
    return { project, decide, publish, fail };
  }

  test('says NOT_EXISTS of an hour until the millisecond it has ended, and when to ask again', async () => {
    const { decide } = await newProject();
    const endMs = hourEndMs(NOON);
    const last = await decide('2018071012', endMs - 1);
    assert.deepEqual(last, {
      status: 'NOT_EXISTS',
      errorMsg: 'Hour 2018071012 (Beijing time) has not ended yet; it can be exported when it has.',
      retryAfterSeconds: 61,
    });
    assert.equal((await decide('2018071012', endMs)).status, 'RUNNING');
    const nextDay = await decide('2018071112', endMs - 3_600_000);
    assert.equal(nextDay.status === 'NOT_EXISTS' && nextDay.retryAfterSeconds, 25 * 3600 + 60);
    const farAway = await decide('9999123123', endMs);
    assert.equal(farAway.status === 'NOT_EXISTS' && farAway.retryAfterSeconds, 2_147_483_647);
  });

  test('promises no export of an hour that has not ended and for which export is not enabled', async () => {
    const { decide } = await newProject(hourEndMs(NOON));
    assert.deepEqual(await decide('2018071012', hourEndMs(NOON) - 1), {
      status: 'NOT_EXISTS',
      errorMsg: 'Hour 2018071012 (Beijing time) has not ended yet, and export is not enabled for it.',
    });
  });

  test('says NOT_EXISTS, with no time to ask again, of an hour that ended when export was enabled', async () => {
    const atEnd = await newProject(hourEndMs(NOON));
    const state = await atEnd.decide('2018071012', hourEndMs(NOON) + 1);
    assert.deepEqual(state, {
      status: 'NOT_EXISTS',
      errorMsg: 'Hour 2018071012 (Beijing time) ended before export was enabled at 2018-07-10 05:00 UTC.',
    });
    const justBefore = await newProject(hourEndMs(NOON) - 1);
    assert.equal((await justBefore.decide('2018071012', hourEndMs(NOON))).status, 'RUNNING');
  });

  test('lets the hours of a Beijing day go together, 15 days after its last', async () => {
    const { decide, publish } = await newProject();
    await publish('2018071000', 24);
    const leavesAtMs = hourEndMs(beijingHour('2018071023')) + 15 * 86_400_000;
    for (const date of ['2018071000', '2018071012', '2018071023', '20180710']) {
      assert.equal((await decide(date, leavesAtMs - 1)).status, 'FINISHED', date);
      const what = `${date.length === 8 ? 'Day' : 'Hour'} ${date} (Beijing time)`;
      assert.deepEqual(await decide(date, leavesAtMs), {
        status: 'NOT_EXISTS',
        errorMsg: `${what} is past retention; the first hour still kept is 2018071100.`,
      });
    }
  });

  test('says RUNNING of an ended hour whose task is not there, waits, runs or is tried again', async () => {
    const { project, decide } = await newProject();
    const nowMs = hourEndMs(NOON);
    const expected = {
      status: 'RUNNING',
      errorMsg: 'Hour 2018071012 (Beijing time) has ended and its export is being made.',
      retryAfterSeconds: 15,
    };
    assert.deepEqual(await decide('2018071012', nowMs), expected);
    await catalog.tasks.ensure(project.ai, { from: NOON, until: addHours(NOON, 1) }, nowMs);
    assert.deepEqual(await decide('2018071012', nowMs), expected);
    const task = await claimHour(catalog, project.ai, NOON);
    assert.deepEqual(await decide('2018071012', nowMs), expected);
    await catalog.tasks.retryLater(task, nowMs, 'The disk is full.');
    assert.deepEqual(await decide('2018071012', nowMs), expected);
  });

  test('says FINISHED of a published hour, and RUNNING while an import makes it anew', async () => {
    const { project, decide, publish } = await newProject();
    await publish('2018071012', 1);
    assert.deepEqual(await decide('2018071012', hourEndMs(NOON)), {
      status: 'FINISHED',
      hours: { from: NOON, until: addHours(NOON, 1) },
    });
    await catalog.tasks.restart(project.ai, [NOON], 0);
    assert.equal((await decide('2018071012', hourEndMs(NOON))).status, 'RUNNING');
  });

  test('says ERROR of an hour that failed for good, with the reason', async () => {
    const { decide, fail } = await newProject();
    await fail('2018071012', 'The ledger does not balance for page: 10 received, 9 exported.');
    assert.deepEqual(await decide('2018071012', hourEndMs(NOON)), {
      status: 'ERROR',
      errorMsg:
        'The export of hour 2018071012 (Beijing time) failed for good: The ledger does not balance for page: 10 received, 9 exported.',
    });
  });

  test('takes hour 24 for hour 00 of the next day', async () => {
    const { decide, publish } = await newProject();
    await publish('2018071100', 1);
    const nowMs = hourEndMs(beijingHour('2018071100'));
    assert.equal((await decide('2018071024', nowMs)).status, 'FINISHED');
    assert.equal((await decide('2018071024', nowMs - 1)).status, 'NOT_EXISTS');
  });

  test('says NOT_EXISTS of a day until its last hour has ended, though some are published', async () => {
    const { decide, publish } = await newProject();
    await publish('2018071000', 23);
    const endMs = hourEndMs(beijingHour('2018071023'));
    assert.equal((await decide('20180710', endMs - 1)).status, 'NOT_EXISTS');
    const ended = await decide('20180710', endMs);
    assert.equal(
      ended.status === 'RUNNING' && ended.errorMsg,
      'Day 20180710 (Beijing time) has ended and its export is being made.',
    );
    await publish('2018071023', 1);
    assert.equal((await decide('20180710', endMs)).status, 'FINISHED');
  });

  test('says RUNNING of a day with the number of hours that are missing', async () => {
    const { decide, publish } = await newProject();
    await publish('2018071000', 10);
    const state = await decide('20180710', hourEndMs(beijingHour('2018071023')));
    assert.match(state.status === 'RUNNING' ? state.errorMsg : '', /14 hours are not published yet/);
  });

  test('says ERROR of a day as soon as one hour failed, and names all that did in Beijing time', async () => {
    const { decide, publish, fail } = await newProject();
    await publish('2018071000', 3);
    await fail('2018071003', 'The disk is full.');
    await fail('2018071023', 'The disk is still full.');
    const state = await decide('20180710', hourEndMs(beijingHour('2018071023')));
    assert.deepEqual(state, {
      status: 'ERROR',
      errorMsg: 'The export of hours 2018071003, 2018071023 (Beijing time) failed for good: The disk is full.',
    });
  });

  test('finishes the day of the enabling with the hours that exist', async () => {
    const enabledAtMs = hourStartMs(beijingHour('2018071021')) + 1;
    const { decide, publish } = await newProject(enabledAtMs);
    const nowMs = hourEndMs(beijingHour('2018071023'));
    await publish('2018071022', 2);
    assert.equal((await decide('20180710', nowMs)).status, 'RUNNING');
    await publish('2018071021', 1);
    assert.deepEqual(await decide('20180710', nowMs), {
      status: 'FINISHED',
      hours: { from: beijingHour('2018071021'), until: beijingHour('2018071100') },
    });
  });

  test('says NOT_EXISTS of a day that ended when export was enabled, and not of one that ended just after', async () => {
    const endMs = hourEndMs(beijingHour('2018071023'));
    assert.equal((await (await newProject(endMs)).decide('20180710', endMs)).status, 'NOT_EXISTS');
    assert.equal((await (await newProject(endMs - 1)).decide('20180710', endMs)).status, 'RUNNING');
  });

  test('does not let a failed hour from before the enabling spoil the day', async () => {
    const { decide, publish, fail } = await newProject(hourStartMs(beijingHour('2018071023')));
    await fail('2018071005', 'It failed.');
    await publish('2018071023', 1);
    assert.equal((await decide('20180710', hourEndMs(beijingHour('2018071023')))).status, 'FINISHED');
  });
});
