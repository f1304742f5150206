/**
 * Brings a catalog file's tables up to this version of the program, forwards only.
 *
 * Each migration runs in one transaction together with the row that records it, under the write lock, and looks again under the
 * lock which one is next. So two processes that start at once share the work, and a crash leaves a whole number of migrations.
 */
import type { DatabaseSync } from 'node:sqlite';
import { AppError } from '../../errors/app-error.ts';
import type { Clock } from '../../lib/clock.ts';
import { withTranslatedErrors } from '../sqlite-errors.ts';
import { beginImmediate, retryWhileLocked } from '../sqlite-lock.ts';

const MIGRATION_TABLE = `
CREATE TABLE IF NOT EXISTS migration (
  number INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  applied_at_ms INTEGER NOT NULL
) STRICT`;

export type Migration = {
  /** From 1, without gaps. */
  readonly number: number;
  /** As in its file's name. */
  readonly name: string;
  readonly sql: string;
};

/** A migration as its file writes it: its number is its place in the list of migrations.ts. */
export type UnnumberedMigration = Omit<Migration, 'number'>;

export type MigrateOptions = {
  readonly database: DatabaseSync;
  readonly path: string;
  readonly migrations: readonly Migration[];
  readonly clock: Clock;
  /** How long to wait while another process migrates. */
  readonly lockWaitMs: number;
};

/**
 * Runs the migrations that the file has not had, and returns how many this call ran.
 * @throws AppError format_too_new when a newer program has migrated the file; store_unavailable, store_corrupt
 */
export async function migrate(options: MigrateOptions): Promise<number> {
  const { database, path, migrations, lockWaitMs } = options;
  let ran = 0;
  for (;;) {
    const applied = await retryWhileLocked(path, lockWaitMs, () => newestApplied(database));
    refuseNewer(path, applied, migrations.length);
    if (applied === migrations.length) return ran;
    await beginImmediate(database, path, lockWaitMs);
    try {
      withTranslatedErrors(path, () => {
        if (runNext(options)) ran += 1;
        database.exec('COMMIT');
      });
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }
}

/** Runs the first migration that is missing now, inside the caller's transaction; false when another process has run it. */
function runNext({ database, migrations, clock }: MigrateOptions): boolean {
  database.exec(MIGRATION_TABLE);
  const next = migrations[newestApplied(database)];
  if (!next) return false;
  database
    .prepare('INSERT INTO migration (number, name, applied_at_ms) VALUES (?, ?, ?)')
    .run(next.number, next.name, clock.nowMs());
  database.exec(next.sql);
  return true;
}

/** Gives the number of the last migration that the file has had; 0 for a new file. */
export function newestApplied(database: DatabaseSync): number {
  const table = database.prepare(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migration'`).get();
  if (!table) return 0;
  return Number(database.prepare('SELECT coalesce(max(number), 0) AS number FROM migration').get()?.number);
}

/** Refuses a file that a newer program has migrated. @throws AppError format_too_new */
export function refuseNewer(path: string, applied: number, known: number): void {
  if (applied <= known) return;
  throw new AppError(
    'format_too_new',
    `The catalog ${path} is of version ${applied}, but this program knows only versions up to ${known}.`,
  );
}
