/** All migrations in order; the number of the last is the version of the catalog's tables. A published one is never changed. */
import { firstTables } from './0001-first-tables.ts';
import { adsTables } from './0003-ads.ts';
import type { Migration } from './migrate.ts';

export const MIGRATIONS: readonly Migration[] = [firstTables, adsTables].map(inOrder);

/** Numbers a migration by its place. */
function inOrder(migration: Migration, place: number): Migration {
  return { ...migration, number: place + 1 };
}
