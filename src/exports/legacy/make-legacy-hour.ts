/**
 * Makes the 1.0 packages of one project's hour from the 2.0 packages of one of its revisions. A worker job.
 *
 * Steps, for each of the seven tables: read the packages of its data type in order → write each row in the table's columns → sort by
 * send time within a visitor's session → cut into packages. The published bytes are what is read, so 1.0 shows exactly the rows that
 * 2.0 shows, and the same revision always gives the same 1.0 packages.
 *
 * Each source is checked against its manifest while it is read, and each table must have as many rows as its source. Nothing is visible
 * until the task is published. Memory: one piece of a source, the sorter's buffers and one compressor, whatever the hour holds.
 */
import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { PackageEntry } from '../../catalog/catalog.ts';
import { AppError } from '../../errors/app-error.ts';
import { CsvRows } from '../../events/csv-rows.ts';
import type { Hour } from '../../events/hour.ts';
import { LEGACY_TABLES, legacyLayoutOf, type LegacyTable } from '../../events/legacy-tables.ts';
import type { PackageCreator, PackageReader } from '../../packages/package-store.ts';
import type { GzipCodec } from '../gzip/gzip-codec.ts';
import { isGzipError } from '../package-check.ts';
import { PackageWriter } from '../package-writer.ts';
import { LegacyRowWriter } from './legacy-row.ts';
import { SendTimeSorter, type SortedLines } from './send-time-sorter.ts';

export type MakeLegacyHourOptions = {
  readonly store: PackageReader & PackageCreator;
  readonly codec: GzipCodec;
  readonly ai: string;
  readonly hour: Hour;
  readonly revision: number;
  /** The packages of that revision. */
  readonly sources: readonly PackageEntry[];
  readonly maxPackageBytes: number;
  /** Where what does not fit in memory may lie for a while. */
  readonly spillFolder: string;
  /** Rows sorted in memory. Default: see send-time-sorter.ts. */
  readonly sortBytes?: number;
};

type LegacyWriter = PackageWriter<{ readonly api: '1.0'; readonly dataType: LegacyTable }>;

/** Writes the packages of all seven tables that have rows. @throws AppError store_corrupt, or the package store's own error */
export async function makeLegacyHour(options: MakeLegacyHourOptions): Promise<readonly PackageEntry<LegacyTable>[]> {
  const packages: PackageEntry<LegacyTable>[] = [];
  for (const table of LEGACY_TABLES) {
    const { dataType } = legacyLayoutOf(table);
    const sources = options.sources.filter((entry) => entry.dataType === dataType).sort((a, b) => a.part - b.part);
    if (sources.length > 0) packages.push(...(await makeTable(options, table, sources)));
  }
  return packages;
}

async function makeTable(
  options: MakeLegacyHourOptions,
  table: LegacyTable,
  sources: readonly PackageEntry[],
): Promise<readonly PackageEntry<LegacyTable>[]> {
  const { store, codec, ai, hour, revision, maxPackageBytes, spillFolder, sortBytes } = options;
  const writer: LegacyWriter = new PackageWriter({
    ...{ store, codec, ai, hour, revision, maxPackageBytes },
    ...{ api: '1.0', dataType: table },
  });
  const sorter = new SendTimeSorter({ spillFolder, ...(sortBytes !== undefined && { bufferBytes: sortBytes }) });
  try {
    const rows = new LegacyRows(table, sorter);
    for (const source of sources) {
      for await (const sorted of rows.take(source, readChecked(store, source))) await writeTo(writer, sorted);
    }
    for (const sorted of sorter.finish()) await writeTo(writer, sorted);
    return await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    sorter.close();
  }
}

async function writeTo(writer: LegacyWriter, { lines, lineEnds, count }: SortedLines): Promise<void> {
  await writer.write(lines, lineEnds, 0, count);
}

/** Brings the rows of one table's sources into the sorter. */
class LegacyRows {
  readonly #sorter: SendTimeSorter;
  readonly #converter: LegacyRowWriter;
  #group: string | undefined;

  constructor(table: LegacyTable, sorter: SendTimeSorter) {
    this.#sorter = sorter;
    this.#converter = new LegacyRowWriter(table);
  }

  /** Takes a source's rows, and gives what is sorted by then. @throws AppError store_corrupt */
  async *take({ key, rows }: PackageEntry, pieces: AsyncIterable<Buffer>): AsyncGenerator<SortedLines> {
    const csv = new CsvRows();
    let seen = -1; // the header is no row
    for await (const piece of pieces) {
      for (const row of csv.rowsOf(piece)) {
        seen += 1;
        if (seen === 0) {
          this.#converter.readHeader(row);
          continue;
        }
        const group = this.#converter.groupOf(row);
        this.#converter.write(row);
        yield* this.#sorter.add(this.#converter.line, this.#converter.sendTimeOf(row), group !== this.#group);
        this.#group = group;
      }
    }
    if (!csv.isWhole || seen !== rows)
      throw new AppError('store_corrupt', `The package ${key} has ${seen} whole rows instead of ${rows}.`);
  }
}

/** Unpacks a package; fails at its end when the CSV is not what its manifest says. @throws AppError store_corrupt */
async function* readChecked(store: PackageReader, { key, csvSha256 }: PackageEntry): AsyncGenerator<Buffer> {
  const opened = await store.open(key);
  if (!opened) throw new AppError('store_corrupt', `The package ${key} is not in the package store.`);
  const hash = createHash('sha256');
  const gunzip = createGunzip();
  const reading = pipeline(opened.stream({ from: 0, until: opened.bytes }), gunzip);
  reading.catch(() => undefined); // told by the loop, whose source it destroys
  try {
    for await (const piece of gunzip as AsyncIterable<Buffer>) {
      hash.update(piece);
      yield piece;
    }
    await reading;
  } catch (error) {
    if (!isGzipError(error)) throw error;
    throw new AppError('store_corrupt', `The package ${key} cannot be unpacked.`, { cause: error });
  }
  if (hash.digest('hex') !== csvSha256)
    throw new AppError('store_corrupt', `The CSV of the package ${key} is not what its manifest says.`);
}
