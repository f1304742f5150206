import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { addHours } from '../events/hour.ts';
import {
  hoursFrom,
  NEW_YEAR,
  NEW_YEAR_MS,
  newCatalogPath,
  openForTest,
  openWithProject,
  publishHour,
  samplePackage,
  sampleProject,
} from './catalog.test-helper.ts';
import { ReadCache } from './read-cache.ts';
import { openSqliteDatabase } from './sqlite-database.ts';
import { atEnd } from '../../test/helpers/at-end.ts';

const DAY = hoursFrom(NEW_YEAR, 24);
const clock = { nowMs: () => NEW_YEAR_MS };

describe('kept reads of the catalog', () => {
  test('give the same list of packages until a new revision of any process', async (t) => {
    const { catalog, path, ai } = await openWithProject(t);
    const other = await openForTest(t, path);
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0)]);
    const list = () => catalog.manifests.listPackages(ai, DAY);
    const first = await list();
    assert.equal(await list(), first);
    await publishHour(other, ai, NEW_YEAR, [samplePackage('visit', 0, 'b')]);
    const second = await list();
    assert.deepEqual([first[0]?.revision, second[0]?.revision], [1, 2]);
    assert.equal(await list(), second);
  });

  test('know nothing any more of what retention has deleted', async (t) => {
    const { catalog, path, ai } = await openWithProject(t);
    const other = await openForTest(t, path);
    const entry = samplePackage('visit', 0);
    await publishHour(catalog, ai, NEW_YEAR, [entry]);
    const find = () => catalog.manifests.findPackage(ai, NEW_YEAR, 'visit', entry.name);
    assert.equal((await find())?.key, entry.key);
    assert.equal(await find(), await find());
    await other.manifests.deletePackagesBefore(addHours(NEW_YEAR, 1));
    assert.equal(await find(), undefined);
    assert.deepEqual(await catalog.manifests.listPackages(ai, DAY), []);
  });

  test('see a task that is pending again', async (t) => {
    const { catalog, path, ai } = await openWithProject(t);
    const other = await openForTest(t, path);
    await publishHour(catalog, ai, NEW_YEAR, []);
    assert.equal((await catalog.tasks.list(ai, DAY))[0]?.status, 'finished');
    await other.tasks.restart(ai, [NEW_YEAR], NEW_YEAR_MS);
    assert.equal((await catalog.tasks.list(ai, DAY))[0]?.status, 'pending');
  });

  test('take a token to its last millisecond, and not when newer ones have replaced it', async (t) => {
    const { catalog, path, ai } = await openWithProject(t);
    const other = await openForTest(t, path);
    const token = await catalog.tokens.create(ai, NEW_YEAR_MS);
    const endMs = NEW_YEAR_MS + 30 * 24 * 3_600_000;
    const find = (nowMs: number) => catalog.tokens.findProject(token, nowMs);
    assert.deepEqual(await find(endMs - 1), sampleProject());
    assert.equal(await find(endMs), undefined);
    for (let newer = 0; newer < 20; newer += 1) await other.tokens.create(ai, NEW_YEAR_MS);
    assert.equal(await find(NEW_YEAR_MS), undefined);
  });
});

describe('ReadCache', () => {
  test('keeps no more rows than it may, the last used ones', async (t) => {
    const cache = new ReadCache(await openDatabase(t), { maxRows: 100 });
    let reads = 0;
    const read = (key: string, rows: number) =>
      cache.read(
        key,
        () => Promise.resolve({ read: (reads += 1) }),
        () => rows,
      );
    await read('a', 48);
    await read('b', 48);
    await read('a', 48);
    assert.equal(reads, 2);
    await read('c', 48); // drops b
    await read('a', 48);
    assert.equal(reads, 3);
    await read('b', 48);
    assert.equal(reads, 4);
    for (const expected of [5, 6]) {
      await read('too large', 100);
      assert.equal(reads, expected);
    }
  });

  test('does not keep a read that a commit has overtaken', async (t) => {
    const database = await openDatabase(t);
    const cache = new ReadCache(database);
    const slow = Promise.withResolvers<{ readonly is: string }>();
    const overtaken = cache.read('key', () => slow.promise);
    await database.write((transaction) =>
      transaction
        .updateTable('project_version')
        .set((row) => ({ version: row('version', '+', 1) }))
        .execute(),
    );
    await cache.read('other', () => Promise.resolve({}));
    slow.resolve({ is: 'old' });
    assert.deepEqual(await overtaken, { is: 'old' });
    assert.deepEqual(await cache.read('key', () => Promise.resolve({ is: 'new' })), { is: 'new' });
  });
});

async function openDatabase(t: TestContext) {
  const database = await openSqliteDatabase({ path: await newCatalogPath(t), clock, lockWaitMs: 1_000 });
  atEnd(t, () => database.close());
  return database;
}
