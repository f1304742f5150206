/**
 * Makes the packages of one project's hour. A worker job: reads the prepared hour in order, removes duplicates, writes packages.
 *
 * Nothing of it is visible until the manifest is published; a job that died leaves files that its next try replaces. All rows are read
 * from what the packages are named by: should that change meanwhile, the try fails, before it has written any of them. Memory: a
 * block of each run, three batches and one compressor, whatever the hour holds.
 */
import type { Ledger, PackageEntry } from '../catalog/catalog.ts';
import { AppError } from '../errors/app-error.ts';
import type { LineBreaks } from '../catalog/project-settings.ts';
import { ROW_FLAGS } from '../events/event-row.ts';
import { DATA_TYPES, type DataType } from '../events/data-types.ts';
import { extendedColumnsOf } from '../events/extended-columns.ts';
import type { Hour } from '../events/hour.ts';
import type { PackageCreator } from '../packages/package-store.ts';
import type { HourReader, RowBatch } from '../store/hour-store.ts';
import { blankLineBreaks } from './blank-line-breaks.ts';
import { distinctRows } from './distinct-rows.ts';
import { buildLedger, checkLedger, countRejected, type DataTypeCount } from './ledger.ts';
import type { GzipCodec } from './gzip/gzip-codec.ts';
import { PackageWriter } from './package-writer.ts';
import type { HashOpener } from './stream-hash.ts';

export type ExportHourOptions = {
  readonly reader: HourReader;
  readonly store: PackageCreator;
  readonly codec: GzipCodec;
  /** Begins the SHA-256 of a package's CSV. Default: in this thread. */
  readonly openHash?: HashOpener;
  readonly ai: string;
  readonly hour: Hour;
  readonly revision: number;
  readonly maxPackageBytes: number;
  /** Default: false. */
  readonly extendedColumns?: boolean;
  /** Default: keep. */
  readonly lineBreaks?: LineBreaks;
};

export type ExportedHour = {
  readonly packages: readonly PackageEntry[];
  readonly ledger: Ledger;
  readonly codec: string;
};

/**
 * Writes the packages of all data types that have rows, and balances the hour's ledger.
 * @throws AppError store_corrupt, ledger_unbalanced, store_unavailable, or the package store's own error
 */
export async function exportHour(options: ExportHourOptions): Promise<ExportedHour> {
  const { reader, hour, ai } = options;
  const packages: PackageEntry[] = [];
  const counted = new Map<DataType, DataTypeCount>();
  const source = reader.sourceOf(hour);
  const { kinds, receipts, erased } = reader.counts(hour, ai);
  for (const dataType of DATA_TYPES) {
    if (!kinds.some(({ kind }) => kind === dataType)) continue;
    const exported = await exportDataType(options, dataType, source);
    packages.push(...exported.packages);
    counted.set(dataType, exported.count);
  }
  const ledger = buildLedger(receipts, counted, countRejected(reader, hour, ai), erased);
  try {
    checkLedger(ledger);
  } catch (error) {
    throw reader.sourceOf(hour) === source ? error : changedMeanwhile(); // rows of one source, receipts of another
  }
  return { packages, ledger, codec: options.codec.name };
}

async function exportDataType(
  options: ExportHourOptions,
  dataType: DataType,
  source: string,
): Promise<{ readonly packages: readonly PackageEntry[]; readonly count: DataTypeCount }> {
  const { reader, store, codec, openHash, ai, hour, revision, maxPackageBytes, lineBreaks } = options;
  const extendedColumns = options.extendedColumns ?? false;
  let rows = 0;
  let events = 0;
  let exported = 0;
  let isOpened = false;
  function* counted(): Generator<RowBatch> {
    for (const batch of reader.readSorted(hour, ai, dataType, extendedColumns ? extendedColumnsOf(dataType) : [])) {
      if (!isOpened && reader.sourceOf(hour) !== source) throw changedMeanwhile();
      isOpened = true;
      for (const flags of batch.flags) {
        if (flags & ROW_FLAGS.published) continue;
        rows += 1;
        if (flags & ROW_FLAGS.firstOfEvent) events += 1;
      }
      yield batch;
    }
  }
  const writer = new PackageWriter({
    codec,
    openHash,
    store,
    ai,
    dataType,
    hour,
    revision,
    source: JSON.stringify([source, maxPackageBytes, extendedColumns, lineBreaks === 'blank']),
    maxPackageBytes,
    extendedColumns,
  });
  const batches = lineBreaks === 'blank' ? blankLineBreaks(counted()) : counted();
  try {
    // Of a page sent again the last counts: it has the login user that the first did not know yet.
    for (const { batch, from, until } of distinctRows(batches, dataType === 'page' ? 'last' : 'first')) {
      await writer.write(batch.lines, batch.lineEnds, from, until);
      exported += until - from;
    }
    return { packages: await writer.finish(), count: { events, exported, duplicates: rows - exported } };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** What passes by itself: the next try exports the hour as it is then. */
function changedMeanwhile(): AppError {
  return new AppError('store_unavailable', 'The hour was changed while it was exported.');
}
