/** All migrations in order; the number of the last is the version of the catalog's tables. A published one is never changed. */
import { firstTables } from './0001-first-tables.ts';
import { rules } from './0002-rules.ts';
import { adsTables } from './0003-ads.ts';
import { projectSettings } from './0004-project-settings.ts';
import { erasures } from './0005-erasures.ts';
import { legacyExport } from './0006-legacy-export.ts';
import { erasedClicks } from './0007-erased-clicks.ts';
import type { Migration, UnnumberedMigration } from './migrate.ts';

const IN_ORDER: readonly UnnumberedMigration[] = [
  firstTables,
  rules,
  adsTables,
  projectSettings,
  erasures,
  legacyExport,
  erasedClicks,
];

export const MIGRATIONS: readonly Migration[] = IN_ORDER.map((migration, place) => ({
  ...migration,
  number: place + 1,
}));
