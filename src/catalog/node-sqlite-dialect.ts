/**
 * Kysely over node:sqlite: the small part of better-sqlite3's interface that Kysely's SqliteDriver asks for, and transactions
 * that take the write lock when they begin.
 *
 * One dialect drives one connection. Kysely hands that connection to one caller at a time and to a transaction from BEGIN to
 * COMMIT, so that no other query of this process can slip in between.
 *
 * Statements are kept prepared, with the names of their columns. So no query may select `*`: a migration by another process could
 * add a column to a kept statement.
 */
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import {
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type SqliteStatement,
} from 'kysely';
import { LRUCache } from 'lru-cache';
import { withTranslatedErrors } from './sqlite-errors.ts';
import { beginImmediate } from './sqlite-lock.ts';

/** Statements kept prepared, per connection. The catalog has about 40 of constant shape. */
const CACHED_STATEMENTS = 100;
/** Longer texts are inserts of many rows and long lists, whose shape seldom comes again. */
const CACHED_TEXT_LENGTH = 2_000;

export type NodeSqliteConnection = {
  readonly database: DatabaseSync;
  /** Its file, for error messages. */
  readonly path: string;
  /** How long a transaction waits for the write lock before it fails with store_unavailable. */
  readonly lockWaitMs: number;
};

/** Kysely's SQLite dialect over an open node:sqlite connection, which it closes when Kysely is destroyed. */
export class NodeSqliteDialect implements Dialect {
  readonly #connection: NodeSqliteConnection;

  constructor(connection: NodeSqliteConnection) {
    this.#connection = connection;
  }

  createDriver(): Driver {
    return new ImmediateSqliteDriver(this.#connection);
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }

  createAdapter(): DialectAdapter {
    return new SqliteAdapter(); // says that there is one connection, which makes Kysely queue its callers
  }

  createIntrospector(kysely: Kysely<never>): DatabaseIntrospector {
    return new SqliteIntrospector(kysely);
  }
}

class ImmediateSqliteDriver extends SqliteDriver {
  readonly #connection: NodeSqliteConnection;

  constructor(connection: NodeSqliteConnection) {
    super({ database: new PreparedStatements(connection) });
    this.#connection = connection;
  }

  override async beginTransaction(): Promise<void> {
    const { database, path, lockWaitMs } = this.#connection;
    await beginImmediate(database, path, lockWaitMs);
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // SQLite rolls back by itself on some errors, such as a full disk; a second ROLLBACK would fail and hide that error.
    const { database } = this.#connection;
    if (database.isOpen && database.isTransaction) await super.rollbackTransaction(connection);
  }
}

/** A connection as Kysely wants it, with its statements kept prepared. */
class PreparedStatements implements SqliteDatabase {
  readonly #connection: NodeSqliteConnection;
  readonly #statements = new LRUCache<string, SqliteStatement>({ max: CACHED_STATEMENTS });

  constructor(connection: NodeSqliteConnection) {
    this.#connection = connection;
  }

  prepare(sql: string): SqliteStatement {
    const known = this.#statements.get(sql);
    if (known) return known;
    const { database, path } = this.#connection;
    const statement = adaptStatement(
      withTranslatedErrors(path, () => database.prepare(sql)),
      path,
    );
    if (sql.length <= CACHED_TEXT_LENGTH) this.#statements.set(sql, statement);
    return statement;
  }

  close(): void {
    this.#statements.clear();
    if (this.#connection.database.isOpen) this.#connection.database.close();
  }
}

function adaptStatement(statement: StatementSync, path: string): SqliteStatement {
  const names = statement.columns().map((column) => column.name);
  statement.setReturnArrays(true);
  const bound = (parameters: readonly unknown[]) => parameters as SQLInputValue[]; // node:sqlite refuses what it cannot bind
  return {
    reader: names.length > 0,
    all: (parameters) => {
      const rows = withTranslatedErrors(path, () => statement.all(...bound(parameters)));
      return rows.map((row) => objectOf(names, row as unknown as readonly SQLOutputValue[]));
    },
    run: (parameters) => withTranslatedErrors(path, () => statement.run(...bound(parameters))),
    iterate: () => {
      throw new Error('The catalog reads results whole: a kept statement cannot be run again while it is being read.');
    },
  };
}

/**
 * Makes a row's object. Those that node:sqlite makes have no prototype and are slow to read from: a list of 2,000 packages took
 * 3.5 ms with them and takes 1.7 ms with these.
 */
function objectOf(names: readonly string[], values: readonly SQLOutputValue[]): Record<string, SQLOutputValue> {
  const row: Record<string, SQLOutputValue> = {};
  for (let column = 0; column < names.length; column += 1) row[names[column]!] = values[column]!;
  return row;
}
