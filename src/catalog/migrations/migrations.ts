/** All migrations in order; the number of the last is the version of the catalog's tables. A published one is never changed. */
import { firstTables } from './0001-first-tables.ts';
import { erasures } from './0005-erasures.ts';
import type { Migration } from './migrate.ts';

const IN_ORDER: readonly Migration[] = [firstTables, erasures];

export const MIGRATIONS: readonly Migration[] = IN_ORDER.map((migration, place) => ({
  ...migration,
  number: place + 1,
}));
