/** Packages for the 1.0 API, as statements over `legacy_package`; legacy-export.ts says what they mean. */
import { hourFromInteger, type Hour, type HourRange } from '../events/hour.ts';
import { LEGACY_TABLES, type LegacyTable } from '../events/legacy-tables.ts';
import type { CatalogReader, CatalogTransaction } from './catalog-database.ts';
import type { PackageRow } from './catalog-schema.ts';
import type { PackageEntry } from './catalog.ts';
import type { LegacyPackage } from './legacy-export.ts';
import { entryOf, insertEntries } from './package-rows.ts';

/** Inserts the packages that were made of a revision. */
export function insertPackages(
  transaction: CatalogTransaction,
  revision: { readonly ai: string; readonly hour: Hour; readonly revision: number },
  packages: readonly PackageEntry<LegacyTable>[],
): Promise<void> {
  return insertEntries(transaction, 'legacy_package', revision, packages, (table) => LEGACY_TABLES.indexOf(table));
}

/** Lists what finished tasks made last. */
export async function listCurrent(
  reader: CatalogReader,
  ai: string,
  hours: HourRange,
): Promise<readonly LegacyPackage[]> {
  const rows = await reader
    .selectFrom('legacy_task')
    .innerJoin('legacy_package', (join) =>
      join
        .onRef('legacy_package.ai', '=', 'legacy_task.ai')
        .onRef('legacy_package.hour', '=', 'legacy_task.hour')
        .onRef('legacy_package.revision', '=', 'legacy_task.revision'),
    )
    .selectAll('legacy_package')
    .where('legacy_task.ai', '=', ai)
    .where('legacy_task.hour', '>=', hours.from)
    .where('legacy_task.hour', '<', hours.until)
    .where('legacy_task.status', '=', 'finished')
    .orderBy('legacy_task.hour')
    .orderBy('legacy_package.data_type')
    .orderBy('legacy_package.part')
    .execute();
  return rows.map(packageOf);
}

/** Lists the packages of all revisions of an hour. */
export async function listOfHour(reader: CatalogReader, ai: string, hour: Hour): Promise<readonly LegacyPackage[]> {
  const rows = await reader
    .selectFrom('legacy_package')
    .selectAll()
    .where('ai', '=', ai)
    .where('hour', '=', hour)
    .orderBy('revision')
    .orderBy('data_type')
    .orderBy('part')
    .execute();
  return rows.map(packageOf);
}

/** Lists the hours of a project that have packages. */
export async function listHours(reader: CatalogReader, ai: string): Promise<readonly Hour[]> {
  const rows = await reader
    .selectFrom('legacy_package')
    .select('hour')
    .distinct()
    .where('ai', '=', ai)
    .orderBy('hour')
    .execute();
  return rows.map(({ hour }) => hourFromInteger(hour));
}

/** Finds a package by what its link says. */
export async function findPackage(
  reader: CatalogReader,
  {
    ai,
    hour,
    table,
    name,
  }: { readonly ai: string; readonly hour: Hour; readonly table: LegacyTable; readonly name: string },
): Promise<LegacyPackage | undefined> {
  const row = await reader
    .selectFrom('legacy_package')
    .selectAll()
    .where('ai', '=', ai)
    .where('hour', '=', hour)
    .where('data_type', '=', LEGACY_TABLES.indexOf(table))
    .where('name', '=', name)
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && packageOf(row);
}

function packageOf(row: PackageRow): LegacyPackage {
  return { ai: row.ai, hour: hourFromInteger(row.hour), revision: row.revision, ...entryOf(row, LEGACY_TABLES) };
}
