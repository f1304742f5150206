/** Packages: their rows in the tables `package`, those of manifests, and `legacy_package`; and the order of those of manifests. */
import { DATA_TYPES, type DataType } from '../events/data-types.ts';
import type { Hour } from '../events/hour.ts';
import type { CatalogTransaction } from './catalog-database.ts';
import type { PackageRow } from './catalog-schema.ts';
import type { Manifest, PackageEntry } from './catalog.ts';

/** Rows of one insert: 12 parameters each, of a statement's 32,766. */
const ROWS_PER_INSERT = 500;

const DATA_TYPE_CODES = new Map(DATA_TYPES.map((dataType, code) => [dataType, code]));

/** The columns that make a `PackageEntry`. */
export const PACKAGE_COLUMNS = [
  'package.data_type',
  'package.part',
  'package.name',
  'package.key',
  'package.rows',
  'package.bytes',
  'package.md5',
  'package.sha256',
  'package.csv_sha256',
] as const;

/** What a query of `PACKAGE_COLUMNS` gives. */
export type SelectedPackage = Omit<PackageRow, 'ai' | 'hour' | 'revision'>;

/** Reads a package from its columns. */
export function packageOf(row: SelectedPackage): PackageEntry {
  return entryOf(row, DATA_TYPES);
}

/** Reads a package from its columns; its data type is a place in `dataTypes`. */
export function entryOf<Type extends string>(row: SelectedPackage, dataTypes: readonly Type[]): PackageEntry<Type> {
  return {
    dataType: dataTypes[row.data_type]!, // written by insertEntries
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

/** Gives the number that stands for a data type in the catalog: its place in DATA_TYPES. */
export function codeOf(dataType: DataType): number {
  return DATA_TYPE_CODES.get(dataType)!;
}

/** Puts packages into the order in which manifests and lists have them: data type, then part. */
export function sortPackages(packages: readonly PackageEntry[]): readonly PackageEntry[] {
  return packages.toSorted((a, b) => codeOf(a.dataType) - codeOf(b.dataType) || a.part - b.part);
}

/** Inserts the packages of a manifest that the same transaction has inserted. */
export function insertPackages(transaction: CatalogTransaction, manifest: Manifest): Promise<void> {
  return insertEntries(transaction, 'package', manifest, manifest.packages, codeOf);
}

/** Inserts packages of a revision; `numberOf` gives what stands for a data type in this table. */
export async function insertEntries<Type extends string>(
  transaction: CatalogTransaction,
  table: 'package' | 'legacy_package',
  { ai, hour, revision }: { readonly ai: string; readonly hour: Hour; readonly revision: number },
  packages: readonly PackageEntry<Type>[],
  numberOf: (dataType: Type) => number,
): Promise<void> {
  for (let from = 0; from < packages.length; from += ROWS_PER_INSERT) {
    const rows = packages.slice(from, from + ROWS_PER_INSERT).map((entry) => ({
      ai, // of this revision: an entry taken over from an older one may carry that one's
      hour,
      revision,
      data_type: numberOf(entry.dataType),
      part: entry.part,
      name: entry.name,
      key: entry.key,
      rows: entry.rows,
      bytes: entry.bytes,
      md5: entry.md5,
      sha256: entry.sha256,
      csv_sha256: entry.csvSha256,
    }));
    await transaction.insertInto(table).values(rows).execute();
  }
}
