import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test, type TestContext } from 'node:test';
import { migrate, type Migration } from './migrate.ts';
import { MIGRATIONS } from './migrations.ts';
import { dumpSchema, readSchemaFile } from './schema-dump.test-helper.ts';
import { atEnd } from '../../../test/helpers/at-end.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';

const FIRST: Migration = {
  number: 1,
  name: 'first',
  sql: 'CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);',
};
const SECOND: Migration = { number: 2, name: 'second', sql: 'ALTER TABLE a ADD COLUMN y INTEGER;' };

async function newFile(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  return join(folder, 'catalog.sqlite');
}

function openFile(t: TestContext, path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  atEnd(t, () => {
    database.close();
  });
  return database;
}

function run(database: DatabaseSync, path: string, migrations: readonly Migration[]): Promise<number> {
  return migrate({ database, path, migrations, clock: { nowMs: () => 1_000 }, lockWaitMs: 10_000 });
}

describe('migrate', () => {
  test('brings an empty file up to date and records each migration', async (t) => {
    const path = await newFile(t);
    const database = openFile(t, path);
    assert.equal(await run(database, path, [FIRST, SECOND]), 2);
    const recorded = database.prepare('SELECT * FROM migration ORDER BY number').all();
    assert.deepEqual(
      recorded.map((row) => ({ ...row })),
      [
        { number: 1, name: 'first', applied_at_ms: 1_000 },
        { number: 2, name: 'second', applied_at_ms: 1_000 },
      ],
    );
    assert.deepEqual({ ...database.prepare('SELECT x, y FROM a').get() }, { x: 1, y: null });
  });

  test('runs nothing the second time', async (t) => {
    const path = await newFile(t);
    const database = openFile(t, path);
    await run(database, path, [FIRST]);
    assert.equal(await run(database, path, [FIRST]), 0);
    assert.equal(await run(database, path, [FIRST, SECOND]), 1);
    assert.equal(database.prepare('SELECT x FROM a').all().length, 1);
  });

  test('runs each migration once when several connections start together', async (t) => {
    const path = await newFile(t);
    const runs = Array.from({ length: 4 }, () => run(openFile(t, path), path, [FIRST, SECOND]));
    const counts = await Promise.all(runs);
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      2,
    );
  });

  test('leaves the file at the migration before one that fails', async (t) => {
    const path = await newFile(t);
    const database = openFile(t, path);
    const broken = { ...SECOND, sql: 'CREATE TABLE b (x INTEGER); SELECT * FROM nowhere;' };
    await assert.rejects(run(database, path, [FIRST, broken]), /no such table: nowhere/);
    assert.equal(database.isTransaction, false);
    assert.equal(database.prepare(`SELECT 1 FROM sqlite_master WHERE name = 'b'`).get(), undefined);
    assert.equal(await run(database, path, [FIRST, SECOND]), 1);
  });

  test('refuses a file that a newer program has migrated, in a sentence', async (t) => {
    const path = await newFile(t);
    const database = openFile(t, path);
    await run(database, path, [FIRST, SECOND]);
    await assert.rejects(run(database, path, [FIRST]), {
      code: 'format_too_new',
      message: `The catalog ${path} is of version 2, but this program knows only versions up to 1.`,
    });
  });
});

describe('MIGRATIONS', () => {
  test('are numbered from 1 without gaps', () => {
    assert.deepEqual(
      MIGRATIONS.map((migration) => migration.number),
      MIGRATIONS.map((_, index) => index + 1),
    );
  });

  test('make the tables that schema.sql shows', async () => {
    const advice = 'schema.sql is stale: run node src/catalog/migrations/schema-dump.test-helper.ts';
    assert.equal(readSchemaFile(), await dumpSchema(), advice);
  });
});
