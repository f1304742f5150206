import assert from 'node:assert/strict';
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type RawBuilder, sql } from 'kysely';
import { newCatalogPath, openForTest, sampleProject, startTestProcess } from './catalog.test-helper.ts';
import { openCatalog } from './open-catalog.ts';
import { openSqliteDatabase } from './sqlite-database.ts';
import { atEnd } from '../../test/helpers/at-end.ts';

const CLOCK = { nowMs: () => 1_000 };

async function rightsOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

describe('openCatalog', () => {
  test('makes a folder and files that only this user can read', async (t) => {
    const path = await newCatalogPath(t);
    await openForTest(t, path);
    assert.equal(await rightsOf(dirname(path)), '700');
    for (const file of [path, `${path}-wal`, `${path}-shm`]) assert.equal(await rightsOf(file), '600', file);
  });

  test('takes the rights of others from a file that has them', async (t) => {
    const path = await newCatalogPath(t);
    await (await openCatalog({ path })).close();
    await chmod(path, 0o644);
    await openForTest(t, path);
    assert.equal(await rightsOf(path), '600');
  });

  test('keeps projects and keys from one opening to the next', async (t) => {
    const path = await newCatalogPath(t);
    const first = await openCatalog({ path });
    await first.projects.create(sampleProject());
    await first.close();
    const second = await openForTest(t, path);
    assert.deepEqual(second.projects.findByUid('GPnPmxRy'), sampleProject());
    assert.deepEqual(second.serverKeys, first.serverKeys);
    assert.equal(second.serverKeys.linkKey.length, 32);
  });

  test('gives four processes that open a new directory together the same keys', async (t) => {
    const path = await newCatalogPath(t);
    const processes = await Promise.all([1, 2, 3, 4].map(() => startTestProcess(t, path, 'open')));
    const keys = await Promise.all(processes.map((process) => process.run<string>()));
    assert.match(keys[0]!, /^-----BEGIN PUBLIC KEY-----/);
    assert.equal(new Set(keys).size, 1);
    const catalog = await openForTest(t, path);
    assert.equal(catalog.serverKeys.publicKeyPem, keys[0]);
  });

  test('refuses a catalog of a newer program', async (t) => {
    const path = await newCatalogPath(t);
    await (await openCatalog({ path })).close();
    const database = new DatabaseSync(path);
    database.exec(`INSERT INTO migration (number, name, applied_at_ms) VALUES (999, 'from the future', 0)`);
    database.close();
    await assert.rejects(openCatalog({ path }), { code: 'format_too_new' });
  });

  test('refuses a file that is no database', async (t) => {
    const path = await newCatalogPath(t);
    await mkdir(dirname(path));
    await writeFile(path, 'not a database, but longer than the header of one, which has a hundred bytes'.repeat(2));
    await assert.rejects(openCatalog({ path }), { code: 'store_corrupt' });
  });

  test('says that the data directory is wrong when it is a file', async (t) => {
    const path = await newCatalogPath(t);
    await writeFile(dirname(path), '');
    await assert.rejects(openCatalog({ path: join(path, 'catalog.sqlite') }), { code: 'data_directory' });
  });

  test('closes twice without harm, and refuses calls after that', async (t) => {
    const catalog = await openCatalog({ path: await newCatalogPath(t) });
    await Promise.all([catalog.close(), catalog.close()]);
    assert.throws(() => catalog.projects.findByAi('0123456789abcdef'));
    await assert.rejects(catalog.projects.list());
    await assert.rejects(catalog.projects.create(sampleProject()));
  });

  test('lets changes that were begun before closing end well', async (t) => {
    const path = await newCatalogPath(t);
    const catalog = await openCatalog({ path });
    const creating = catalog.projects.create(sampleProject());
    await catalog.close();
    await creating;
    const again = await openForTest(t, path);
    assert.equal((await again.projects.list()).length, 1);
  });
});

describe('the write lock', () => {
  test('is waited for without stopping the event loop', async (t) => {
    const path = await newCatalogPath(t);
    const catalog = await openForTest(t, path);
    const holder = await startTestProcess(t, path, 'hold-lock');
    await holder.run();
    let isCreated = false;
    const creating = catalog.projects.create(sampleProject()).then(() => (isCreated = true));
    for (let turn = 0; turn < 100; turn += 1) await setImmediate();
    assert.equal(isCreated, false);
    assert.equal(catalog.projects.findByAi('0123456789abcdef'), undefined);
    assert.deepEqual(await catalog.projects.list(), []);
    holder.child.kill('SIGKILL');
    await creating;
    assert.equal(catalog.projects.findByAi('0123456789abcdef')?.name, 'Harbour');
  });

  test('that never comes free makes a change fail with store_unavailable', async (t) => {
    const path = await newCatalogPath(t);
    const catalog = await openCatalog({ path, lockWaitMs: 20 });
    atEnd(t, () => catalog.close());
    const holder = await startTestProcess(t, path, 'hold-lock');
    await holder.run();
    await assert.rejects(catalog.projects.create(sampleProject()), { code: 'store_unavailable', status: 503 });
  });
});

describe('SqliteDatabase', () => {
  test('shows a long transaction to no reader of the process before it is committed', async (t) => {
    const database = await openSqliteDatabase({ path: await newCatalogPath(t), clock: CLOCK, lockWaitMs: 0 });
    atEnd(t, () => database.close());
    const readVersion = () => database.reader.selectFrom('project_version').select('version').executeTakeFirst();
    const inserted = Promise.withResolvers<undefined>();
    const gate = Promise.withResolvers<undefined>();
    const writing = database.write(async (transaction) => {
      await transaction.updateTable('project_version').set({ version: 1 }).execute();
      inserted.resolve(undefined);
      await gate.promise;
    });
    await inserted.promise;
    assert.deepEqual(await readVersion(), { version: 0 });
    gate.resolve(undefined);
    await writing;
    assert.deepEqual(await readVersion(), { version: 1 });
  });

  test('undoes a transaction that throws, and goes on', async (t) => {
    const database = await openSqliteDatabase({ path: await newCatalogPath(t), clock: CLOCK, lockWaitMs: 0 });
    atEnd(t, () => database.close());
    const failing = database.write(async (transaction) => {
      await transaction.updateTable('project_version').set({ version: 7 }).execute();
      throw new Error('changed my mind');
    });
    await assert.rejects(failing, /changed my mind/);
    const version = await database.write((transaction) =>
      transaction.selectFrom('project_version').select('version').executeTakeFirst(),
    );
    assert.deepEqual(version, { version: 0 });
  });

  test('keeps what is committed through a loss of power, and checks foreign keys', async (t) => {
    const database = await openSqliteDatabase({ path: await newCatalogPath(t), clock: CLOCK, lockWaitMs: 0 });
    atEnd(t, () => database.close());
    const pragmas = await database.write(async (transaction) => {
      const read = (text: RawBuilder<unknown>) => text.execute(transaction).then((result) => result.rows[0]);
      return [
        await read(sql`PRAGMA journal_mode`),
        await read(sql`PRAGMA synchronous`),
        await read(sql`PRAGMA foreign_keys`),
      ];
    });
    assert.deepEqual(pragmas, [{ journal_mode: 'wal' }, { synchronous: 2 }, { foreign_keys: 1 }]);
  });
});
