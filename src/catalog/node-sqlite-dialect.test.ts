import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, test, type TestContext } from 'node:test';
import { Kysely, sql } from 'kysely';
import { NodeSqliteDialect } from './node-sqlite-dialect.ts';
import { atEnd } from '../../test/helpers/at-end.ts';

type Schema = { readonly berth: { readonly name: string; readonly boats: number | null } };

async function openBerths(t: TestContext): Promise<Kysely<Schema>> {
  const database = new DatabaseSync(':memory:');
  const kysely = new Kysely<Schema>({ dialect: new NodeSqliteDialect({ database, path: ':memory:', lockWaitMs: 0 }) });
  atEnd(t, () => kysely.destroy());
  await sql`CREATE TABLE berth (name TEXT NOT NULL PRIMARY KEY, boats INTEGER) STRICT`.execute(kysely);
  return kysely;
}

describe('NodeSqliteDialect', () => {
  test('gives rows as plain objects', async (t) => {
    const kysely = await openBerths(t);
    await kysely.insertInto('berth').values({ name: 'north', boats: 2 }).execute();
    assert.deepEqual(await kysely.selectFrom('berth').selectAll().execute(), [{ name: 'north', boats: 2 }]);
  });

  test('gives the rows of a change with RETURNING, and counts those of one without', async (t) => {
    const kysely = await openBerths(t);
    await kysely.insertInto('berth').values({ name: 'north', boats: 2 }).execute();
    const updated = await kysely.updateTable('berth').set({ boats: 3 }).executeTakeFirst();
    assert.equal(updated.numUpdatedRows, 1n);
    assert.deepEqual(await kysely.deleteFrom('berth').returning('boats').execute(), [{ boats: 3 }]);
  });

  test('refuses a value that SQLite has no type for instead of storing something else', async (t) => {
    const kysely = await openBerths(t);
    const insert = kysely.insertInto('berth').values({ name: 'north', boats: new Date(0) as unknown as number });
    await assert.rejects(insert.execute(), { code: 'ERR_INVALID_ARG_TYPE' });
  });

  test('keeps other queries of the process out of an open transaction', async (t) => {
    const kysely = await openBerths(t);
    const gate = Promise.withResolvers<undefined>();
    const order: string[] = [];
    const long = kysely.transaction().execute(async (transaction) => {
      await transaction.insertInto('berth').values({ name: 'north', boats: null }).execute();
      await gate.promise;
      order.push('transaction');
      throw new Error('no room');
    });
    const insert = kysely
      .insertInto('berth')
      .values({ name: 'south', boats: null })
      .execute()
      .then(() => order.push('insert'));
    gate.resolve(undefined);
    await assert.rejects(long, /no room/);
    await insert;
    assert.deepEqual(order, ['transaction', 'insert']);
    assert.deepEqual(await kysely.selectFrom('berth').select('name').execute(), [{ name: 'south' }]);
  });

  test('passes on the error of a statement that has already ended the transaction', async (t) => {
    const kysely = await openBerths(t);
    const doomed = kysely.transaction().execute(async (transaction) => {
      await transaction.insertInto('berth').values({ name: 'north', boats: 1 }).execute();
      await sql`INSERT OR ROLLBACK INTO berth (name) VALUES ('north')`.execute(transaction);
    });
    await assert.rejects(doomed, /UNIQUE constraint failed/);
    assert.deepEqual(await kysely.selectFrom('berth').selectAll().execute(), []);
  });
});
