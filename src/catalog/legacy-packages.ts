/** Packages for the 1.0 API, as statements over `legacy_package`; legacy-export.ts says what they mean. */
import { hourFromInteger, type Hour, type HourRange } from '../events/hour.ts';
import { LEGACY_TABLES, type LegacyTable } from '../events/legacy-tables.ts';
import type { CatalogReader, CatalogTransaction } from './catalog-database.ts';
import type { PackageRow } from './catalog-schema.ts';
import type { PackageEntry } from './catalog.ts';
import type { LegacyPackage } from './legacy-export.ts';

/** Rows of one insert: 12 parameters each, of a statement's 32,766. */
const ROWS_PER_INSERT = 500;

/** Inserts the packages that were made of a revision. */
export async function insertPackages(
  transaction: CatalogTransaction,
  { ai, hour, revision }: { readonly ai: string; readonly hour: Hour; readonly revision: number },
  packages: readonly PackageEntry<LegacyTable>[],
): Promise<void> {
  for (let from = 0; from < packages.length; from += ROWS_PER_INSERT) {
    const rows = packages.slice(from, from + ROWS_PER_INSERT).map((entry) => ({
      ai,
      hour,
      revision,
      data_type: LEGACY_TABLES.indexOf(entry.dataType),
      part: entry.part,
      name: entry.name,
      key: entry.key,
      rows: entry.rows,
      bytes: entry.bytes,
      md5: entry.md5,
      sha256: entry.sha256,
      csv_sha256: entry.csvSha256,
    }));
    await transaction.insertInto('legacy_package').values(rows).execute();
  }
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
  return {
    ai: row.ai,
    hour: hourFromInteger(row.hour),
    revision: row.revision,
    dataType: LEGACY_TABLES[row.data_type]!, // written by insertPackages
    part: row.part,
    name: row.name,
    key: row.key,
    rows: row.rows,
    bytes: row.bytes,
    md5: row.md5,
    sha256: row.sha256,
    csvSha256: row.csv_sha256,
  };
}
