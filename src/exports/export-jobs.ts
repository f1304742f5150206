/** The export job as data that can go to a worker thread, and what the thread does with it. */
import type { PackageSettings } from '../catalog/project-settings.ts';
import type { Hour } from '../events/hour.ts';
import { LocalPackageStore } from '../packages/local-package-store.ts';
import { HourLogReader } from '../store/hour-log/hour-log-reader.ts';
import type { PackageEntry } from '../catalog/catalog.ts';
import type { LegacyTable } from '../events/legacy-tables.ts';
import { exportHour, type ExportedHour } from './export-hour.ts';
import type { GzipCodec } from './gzip/gzip-codec.ts';
import { openGzipCodec, type GzipCodecChoice } from './gzip/open-gzip-codec.ts';
import { makeLegacyHour } from './legacy/make-legacy-hour.ts';
import { hashHere, openPoolHashes, type HashOpener } from './stream-hash.ts';

export type ExportHourJob = {
  /** Where the hour log lies. */
  readonly storeRoot: string;
  /** Where packages lie. */
  readonly packagesRoot: string;
  readonly gzip: GzipCodecChoice;
  readonly ai: string;
  readonly hour: Hour;
  readonly revision: number;
  readonly settings: PackageSettings;
};

export interface ExportJobs {
  /** Makes an hour's packages. When the signal is aborted, it stops where it is and rejects with the signal's reason. */
  exportHour(job: ExportHourJob, signal?: AbortSignal): Promise<ExportJobResult>;
}

/** The making of an hour's 1.0 packages. */
export type LegacyHourJob = Omit<ExportHourJob, 'storeRoot'> & {
  /** The 2.0 packages of the revision that they are made from. */
  readonly sources: readonly PackageEntry[];
};

export interface LegacyJobs {
  /** Makes the 1.0 packages of an hour. Aborted as `exportHour`. */
  makeLegacyHour(job: LegacyHourJob, signal?: AbortSignal): Promise<readonly PackageEntry<LegacyTable>[]>;
}

/** An exported hour, and what a person should know of how it was made, a sentence each. */
export type ExportJobResult = ExportedHour & { readonly warnings: readonly string[] };

/** Runs export jobs in the calling thread. Opens each codec once, because ISA-L is tested whenever it is opened. */
export class ExportJobsInPlace implements ExportJobs, LegacyJobs {
  readonly #codecs = new Map<string, Promise<GzipCodec>>();
  #poolHashes: Promise<HashOpener> | undefined;

  async exportHour(job: ExportHourJob): Promise<ExportJobResult> {
    const warnings = new Set<string>();
    const { packageBytes, gzipLevel, extendedColumns, lineBreaks } = job.settings;
    const exported = await exportHour({
      ...job,
      maxPackageBytes: packageBytes,
      extendedColumns,
      lineBreaks,
      codec: await this.#codec(job.gzip, gzipLevel),
      openHash: await this.#hashes(job.gzip),
      reader: new HourLogReader(job.storeRoot, (message) => warnings.add(message)),
      store: await LocalPackageStore.open(job.packagesRoot),
    });
    return { ...exported, warnings: [...warnings] };
  }

  async makeLegacyHour(job: LegacyHourJob): Promise<readonly PackageEntry<LegacyTable>[]> {
    const { gzip, packagesRoot, settings } = job;
    return makeLegacyHour({
      ...job,
      codec: await this.#codec(gzip, settings.gzipLevel),
      store: await LocalPackageStore.open(packagesRoot),
      maxPackageBytes: settings.packageBytes,
      spillFolder: packagesRoot,
    });
  }

  /** With zlib the pool's threads are what is waited for, and whoever wants it wants no functions called in C. */
  async #hashes(choice: GzipCodecChoice): Promise<HashOpener> {
    if (choice === 'zlib') return hashHere;
    this.#poolHashes ??= openPoolHashes();
    return this.#poolHashes;
  }

  #codec(choice: GzipCodecChoice, level: number): Promise<GzipCodec> {
    const name = `${choice} ${level}`;
    const codec = this.#codecs.get(name) ?? openGzipCodec({ choice, level }).then((opened) => opened.codec);
    this.#codecs.set(name, codec);
    return codec;
  }
}
