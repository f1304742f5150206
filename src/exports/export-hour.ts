/**
 * Makes the packages of one project's hour. A worker job: reads the prepared hour in order, removes duplicates, writes packages.
 *
 * Nothing of it is visible until the manifest is published; a job that died leaves files that its next try replaces. Memory: a
 * block of each run, two batches and one compressor, whatever the hour holds.
 */
import type { PackageEntry } from '../catalog/catalog.ts';
import { DATA_TYPES, type DataType } from '../events/data-types.ts';
import type { Hour } from '../events/hour.ts';
import type { PackageStore } from '../packages/package-store.ts';
import type { HourReader, RowBatch } from '../store/hour-store.ts';
import { distinctRows } from './distinct-rows.ts';
import type { GzipCodec } from './gzip/gzip-codec.ts';
import { PackageWriter } from './package-writer.ts';

export type ExportHourOptions = {
  readonly reader: HourReader;
  readonly store: PackageStore;
  readonly codec: GzipCodec;
  readonly ai: string;
  readonly hour: Hour;
  readonly revision: number;
  readonly maxPackageBytes: number;
};

/** Rows of a data type: exported, and removed as duplicates. */
export type RowCounts = Partial<Record<DataType, { readonly exported: number; readonly duplicates: number }>>;

export type ExportedHour = {
  readonly packages: readonly PackageEntry[];
  readonly rows: RowCounts;
  readonly codec: string;
};

/** Writes the packages of all data types that have rows. @throws AppError store_corrupt, or the package store's own error */
export async function exportHour(options: ExportHourOptions): Promise<ExportedHour> {
  const packages: PackageEntry[] = [];
  const rows: RowCounts = {};
  for (const { kind } of options.reader.counts(options.hour, options.ai).kinds.toSorted(byDataType)) {
    if (kind === 'rejected') continue;
    const exported = await exportDataType(options, kind);
    packages.push(...exported.packages);
    rows[kind] = exported.counts;
  }
  return { packages, rows, codec: options.codec.name };
}

async function exportDataType(
  { reader, store, codec, ai, hour, revision, maxPackageBytes }: ExportHourOptions,
  dataType: DataType,
): Promise<{ readonly packages: readonly PackageEntry[]; readonly counts: { exported: number; duplicates: number } }> {
  let stored = 0;
  let exported = 0;
  function* counted(): Generator<RowBatch> {
    for (const batch of reader.readSorted(hour, ai, dataType)) {
      stored += batch.count;
      yield batch;
    }
  }
  const writer = new PackageWriter({ codec, store, ai, dataType, hour, revision, maxPackageBytes });
  try {
    // Of a page sent again the last counts: it has the login user that the first did not know yet.
    for (const { batch, from, until } of distinctRows(counted(), dataType === 'page' ? 'last' : 'first')) {
      await writer.write(batch.lines, batch.lineEnds, from, until);
      exported += until - from;
    }
    return { packages: await writer.finish(), counts: { exported, duplicates: stored - exported } };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function byDataType(a: { readonly kind: string }, b: { readonly kind: string }): number {
  return DATA_TYPES.indexOf(a.kind as DataType) - DATA_TYPES.indexOf(b.kind as DataType);
}
