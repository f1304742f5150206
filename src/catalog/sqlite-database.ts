/**
 * The catalog's database on one machine: a SQLite file in WAL mode, shared by the server and CLI commands.
 *
 * Each process has two connections. The *writer* runs nothing but transactions that hold the write lock from their start; it has
 * no busy timeout, see sqlite-lock.ts. The *reader* is read-only and runs single statements, never a transaction, so that each
 * sees the newest commit and none waits for a writer; the project cache may use it between any two.
 *
 * Durability: synchronous = FULL syncs the log at every commit, so what is committed survives a loss of power.
 * Crash: the next process to open the file replays or drops what a dead one left; nothing needs to be repaired.
 */
import { DatabaseSync } from 'node:sqlite';
import { Kysely, sql } from 'kysely';
import { AppError } from '../errors/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { CatalogDatabase, CatalogReader, CatalogTransaction } from './catalog-database.ts';
import { prepareCatalogFile } from './catalog-file.ts';
import type { CatalogSchema } from './catalog-schema.ts';
import { migrate } from './migrations/migrate.ts';
import { MIGRATIONS } from './migrations/migrations.ts';
import { NodeSqliteDialect } from './node-sqlite-dialect.ts';
import { withTranslatedErrors } from './sqlite-errors.ts';
import { retryWhileLocked } from './sqlite-lock.ts';

/** A reader waits on the thread, but only while another process recovers the log of one that died. */
const READER_BUSY_TIMEOUT_MS = 5_000;
/** A migration of another process may rewrite whole tables. */
const OPEN_WAIT_MS = 60_000;

/** An open catalog file. */
export class SqliteDatabase implements CatalogDatabase {
  /** The file, for error messages. */
  readonly path: string;
  /** The reading connection, for what must be synchronous. It must not be left in a transaction. */
  readonly readerConnection: DatabaseSync;
  readonly #reader: Kysely<CatalogSchema>;
  readonly #writer: Kysely<CatalogSchema>;
  #closing: Promise<void> | undefined;

  constructor(connections: {
    readonly path: string;
    readonly reader: DatabaseSync;
    readonly writer: DatabaseSync;
    readonly lockWaitMs: number;
  }) {
    const { path, reader, writer, lockWaitMs } = connections;
    this.path = path;
    this.readerConnection = reader;
    this.#reader = new Kysely({ dialect: new NodeSqliteDialect({ database: reader, path, lockWaitMs }) });
    this.#writer = new Kysely({ dialect: new NodeSqliteDialect({ database: writer, path, lockWaitMs }) });
  }

  get reader(): CatalogReader {
    return this.#reader;
  }

  write<Result>(change: (transaction: CatalogTransaction) => Promise<Result>): Promise<Result> {
    return this.#writer.transaction().execute(change);
  }

  /** The pages of deleted rows are overwritten (secure_delete), in the log first: what is left is to fold it into the file and to cut it. */
  async wipeDeleted(): Promise<boolean> {
    try {
      const { rows } = await sql<{ busy: number }>`PRAGMA wal_checkpoint(TRUNCATE)`.execute(this.#writer);
      return rows[0]?.busy === 0;
    } catch (error) {
      if (error instanceof AppError && error.code === 'store_unavailable') return false;
      throw error;
    }
  }

  /** Lets the calls that wait finish, then closes both connections; later calls throw. A second close waits for the first. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const kysely of [this.#writer, this.#reader]) await kysely.connection().execute(() => Promise.resolve());
    await this.#reader.destroy();
    await this.#writer.destroy(); // last, because only a connection that may write can fold the log into the file
  }
}

/**
 * Opens the catalog's file, makes it when there is none, and brings its tables up to this version of the program.
 * @throws AppError data_directory, format_too_new, store_corrupt, store_unavailable
 */
export async function openSqliteDatabase(options: {
  readonly path: string;
  readonly clock: Clock;
  readonly lockWaitMs: number;
}): Promise<SqliteDatabase> {
  const { path, clock, lockWaitMs } = options;
  await prepareCatalogFile(path);
  const writer = withTranslatedErrors(path, () => new DatabaseSync(path, { timeout: 0 }));
  try {
    await retryWhileLocked(path, OPEN_WAIT_MS, () => {
      setPragmas(writer, path);
    });
    await migrate({ database: writer, path, migrations: MIGRATIONS, clock, lockWaitMs: OPEN_WAIT_MS });
    const reader = withTranslatedErrors(
      path,
      () => new DatabaseSync(path, { readOnly: true, timeout: READER_BUSY_TIMEOUT_MS }),
    );
    return new SqliteDatabase({ path, reader, writer, lockWaitMs });
  } catch (error) {
    writer.close();
    throw error;
  }
}

function setPragmas(writer: DatabaseSync, path: string): void {
  const mode = writer.prepare('PRAGMA journal_mode = WAL').get()?.journal_mode;
  if (mode !== 'wal') {
    throw new AppError(
      'data_directory',
      `The catalog ${path} needs a local file system, with shared memory and locks.`,
    );
  }
  writer.exec(`
    PRAGMA synchronous = FULL;
    PRAGMA secure_delete = ON; -- what an erasure deletes must not stay in free pages
    PRAGMA foreign_keys = ON;
    PRAGMA fullfsync = ON; -- macOS: an fsync that reaches the platter; nothing elsewhere
    PRAGMA checkpoint_fullfsync = ON;
  `);
}
