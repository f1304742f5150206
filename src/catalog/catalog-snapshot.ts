/**
 * A copy of the catalog as it was at one instant, made while servers and commands go on changing it.
 *
 * `VACUUM INTO` reads in one transaction, which holds up no writer in WAL mode, and writes a file of its own without a log beside
 * it. SQLite's other way, the online backup, begins anew whenever another process writes, which a busy server does all the time.
 * The source is opened for reading only: a newer program must not migrate what an older server is using.
 */
import { DatabaseSync } from 'node:sqlite';
import { closeSync, openSync } from 'node:fs';
import { AppError } from '../errors/app-error.ts';
import { newestApplied, refuseNewer } from './migrations/migrate.ts';
import { MIGRATIONS } from './migrations/migrations.ts';
import { withTranslatedErrors } from './sqlite-errors.ts';

/** A package that some manifest of the snapshot names, or that was made of one for the 1.0 API. */
export type SnapshotPackage = { readonly key: string; readonly sha256: string };

const BUSY_TIMEOUT_MS = 5_000;

/**
 * Writes the catalog as it is now into a new file, for this user alone, and returns the packages that it names. The
 * caller makes the file durable. @throws AppError format_too_new, store_corrupt, store_unavailable
 */
export function snapshotCatalog(path: string, target: string): readonly SnapshotPackage[] {
  closeSync(openSync(target, 'wx', 0o600)); // an empty file may be vacuumed into, and this one nobody else can read
  const source = open(path);
  try {
    withTranslatedErrors(path, () => refuseNewer(path, newestApplied(source), MIGRATIONS.length));
    withTranslatedErrors(target, () => source.prepare('VACUUM INTO ?').run(target));
  } finally {
    source.close();
  }
  const copy = open(target);
  try {
    return withTranslatedErrors(target, () => {
      const fault = copy.prepare('PRAGMA quick_check(1)').get()?.quick_check;
      if (fault !== 'ok') throw new AppError('store_corrupt', `The catalog ${path} is damaged: ${String(fault)}.`);
      const tables = ['package', 'legacy_package'].filter((table) => hasTable(copy, table)); // of an older program, the first only
      const selects = tables.map((table) => `SELECT key, sha256 FROM ${table}`);
      return copy.prepare(`${selects.join(' UNION ')} ORDER BY key`).all() as SnapshotPackage[];
    });
  } finally {
    copy.close();
  }
}

/** Refuses a catalog that a newer program has migrated; changes nothing. @throws AppError format_too_new, store_corrupt */
export function refuseNewerCatalog(path: string): void {
  const database = open(path);
  try {
    withTranslatedErrors(path, () => refuseNewer(path, newestApplied(database), MIGRATIONS.length));
  } finally {
    database.close();
  }
}

function hasTable(database: DatabaseSync, name: string): boolean {
  return database.prepare(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?`).get(name) !== undefined;
}

function open(path: string): DatabaseSync {
  return withTranslatedErrors(path, () => new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS }));
}
