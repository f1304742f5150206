/** All migrations in order; the number of the last is the version of the catalog's tables. A published one is never changed. */
import { firstTables } from './0001-first-tables.ts';
import { rules } from './0002-rules.ts';
import type { Migration } from './migrate.ts';

export const MIGRATIONS: readonly Migration[] = [firstTables, rules];
