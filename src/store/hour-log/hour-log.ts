/**
 * The embedded store: an append-only log of hours on one machine's disk (docs/storage-format.md).
 *
 * One `HourLog` is one collector process's handle and may also seal and prepare; any number of processes may have one on the
 * same directory. What happens on disk is in the files beside this one: segment-appender.ts (arrival), seal.ts (the barrier),
 * sort-segment.ts, complete-runs.ts and link-server-events.ts (preparation, in worker threads), hour-log-reader.ts (reading).
 *
 * Lost on a crash: nothing that was acknowledged. Segments of a dead process are sorted when their hour is prepared.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { existsSync } from 'node:fs';
import { AppError } from '../../errors/app-error.ts';
import type { EventBatch } from '../../events/event-row.ts';
import { addHours, formatUtcHour, hourFromInteger, hourOf, type Hour } from '../../events/hour.ts';
import { readFileIfThere, syncFolder, writeFileOnce } from '../../lib/atomic-file.ts';
import type { Clock } from '../../lib/clock.ts';
import { isSystemError } from '../../lib/system-error.ts';
import type { HourStore } from '../hour-store.ts';
import { findEarlierRuns, linkWithEarlierRuns } from './earlier-runs.ts';
import { HourLogReader, hourOfRun, readReady, type ReadyHour } from './hour-log-reader.ts';
import { isLastingDamage } from './lasting-damage.ts';
import {
  fencePath,
  formatPath,
  hourFolder,
  hoursFolder,
  importFolder,
  importsFolder,
  listFolder,
  listHours,
  readyPath,
  sealPath,
  RUN_SUFFIX,
  SEGMENT_SUFFIX,
  shortPath,
} from './layout.ts';
import { buildCheckedJson, hasExactly, isCount, parseCheckedJson } from './checked-json.ts';
import { BatchEncoder, BatchTooLargeError } from './record-codec.ts';
import { listSegments, measureSegment, readSeal, sealHour } from './seal.ts';
import { SegmentAppender, type Appended } from './segment-appender.ts';
import type { StoreJobs } from './store-jobs.ts';

/** The version of the directory that this program writes. It opens every older one. */
export const FORMAT_VERSION = 1;

/** Hours without a folder that `seal` closes one by one: 31 days. */
const MAX_HOURS_SEALED_BLINDLY = 31 * 24;

/** The runs of one try at linking an hour's server events. */
const LINKED_RUN = /^linked-[0-9a-f]{8}-\d{6,}\.run$/;

export type HourLogOptions = {
  /** The log's own folder; made when it is not there. */
  readonly root: string;
  readonly clock: Clock;
  /** Runs the jobs that cost CPU, in worker threads. */
  readonly jobs: StoreJobs;
  /** A segment of at least this size is closed and sorted. Default: 32 MiB. */
  readonly segmentBytes?: number;
  /** Encoded bytes that may wait for the disk. Default: 256 MiB. */
  readonly maxQueuedBytes?: number;
  /** A batch of more encoded bytes is refused. Default: 128 MiB. */
  readonly maxBatchBytes?: number;
  /**
   * Bytes of full segments that may wait for a background that is given no time; what is more is sorted as if it were wanted at once.
   * Default: 512 MiB, whose sorting takes some 2 s of one core when their hour ends.
   */
  readonly maxUnsortedBytes?: number;
  /** Whether an append waits for the disk's sync. Default: true. */
  readonly syncs?: boolean;
  /** Told what preparing an hour had to do without, a sentence each. Must not throw. */
  readonly onWarning?: (message: string) => void;
};

type Format = { readonly version: number; readonly firstHour: number };

export class HourLog implements HourStore {
  readonly #options: HourLogOptions;
  readonly #encoder: BatchEncoder;
  readonly #appender: SegmentAppender;
  #earlySorts: Promise<void> = Promise.resolve();
  /** Bytes of the full segments of the open hour that are not sorted yet. */
  #unsortedBytes = 0;
  /** Takes the segment that is sorted in the background out of there. */
  #hurry: (() => void) | undefined;
  readonly #closing = new AbortController();
  readonly #preparing = new Map<Hour, Promise<void>>();
  #sealedUntil: Hour;

  private constructor(options: HourLogOptions, firstHour: Hour, sealedUntil: Hour) {
    this.#options = options;
    this.#encoder = new BatchEncoder(options.maxBatchBytes ?? 128 * 1024 * 1024);
    this.#sealedUntil = sealedUntil;
    this.#appender = new SegmentAppender({
      root: options.root,
      collectorId: randomBytes(5).toString('hex'),
      clock: options.clock,
      firstHour,
      segmentBytes: options.segmentBytes ?? 32 * 1024 * 1024,
      maxQueuedBytes: options.maxQueuedBytes ?? 256 * 1024 * 1024,
      syncs: options.syncs ?? true,
      onSegmentFull: (segment) => this.#sortEarly(segment),
    });
  }

  /** Opens the log, making it when the folder is empty. @throws AppError format_too_new */
  static async open(options: HourLogOptions): Promise<HourLog> {
    const { root, clock } = options;
    const firstMade = await mkdir(root, { recursive: true, mode: 0o700 });
    if (firstMade !== undefined) await syncFolder(dirname(firstMade));
    const fresh: Format = { version: FORMAT_VERSION, firstHour: hourOf(clock.nowMs()) };
    const isUsed = existsSync(hoursFolder(root)); // looked for first: it is made after the file, maybe by another process now
    if (!isUsed && !existsSync(formatPath(root))) await writeFileOnce(formatPath(root), buildCheckedJson(fresh));
    const format = await readFormat(root);
    await mkdir(hoursFolder(root), { recursive: true, mode: 0o700 });
    await mkdir(importsFolder(root), { recursive: true, mode: 0o700 });
    await syncFolder(root);
    const firstHour = hourFromInteger(format.firstHour);
    return new HourLog(options, firstHour, await findSealedUntil(root, firstHour));
  }

  get sealedUntil(): Hour {
    return this.#sealedUntil;
  }

  append(batch: EventBatch): Promise<Appended> {
    try {
      return this.#appender.append(this.#encoder.encode(batch));
    } catch (error) {
      const tooLarge = 'The events of one request make too many rows.';
      return Promise.reject(
        error instanceof BatchTooLargeError ? new AppError('too_large', tooLarge, { cause: error }) : (error as Error),
      );
    }
  }

  async seal(until: Hour): Promise<void> {
    const { root } = this.#options;
    if (this.#sealedUntil >= until) return;
    // After a long stop, or a clock that began in 1970, old hours without a folder are passed over: no collector is in them.
    const recent = addHours(until, -MAX_HOURS_SEALED_BLINDLY);
    if (this.#sealedUntil < recent) {
      for (const hour of await listHours(root))
        if (hour >= this.#sealedUntil && hour < recent) await sealHour(root, hour);
      this.#sealedUntil = recent;
    }
    for (let hour = this.#sealedUntil; hour < until; hour = addHours(hour, 1)) {
      await sealHour(root, hour);
      this.#sealedUntil = addHours(hour, 1);
    }
  }

  prepare(hour: Hour): Promise<void> {
    return Promise.all([this.#prepareBefore(hour), this.#prepareOnce(hour)]).then(() => undefined);
  }

  async dropBefore(hour: Hour, kept: ReadonlySet<Hour>): Promise<void> {
    const { root } = this.#options;
    const isPast = (candidate: Hour): boolean =>
      candidate < hour && candidate < this.#sealedUntil && !kept.has(candidate);
    for (const old of await listHours(root)) {
      if (isPast(old)) await rm(hourFolder(root, old), { recursive: true, force: true });
    }
    for (const { id, commit } of new HourLogReader(root).committedImports()) {
      // The commit goes last: without it, what a crash left of the import would be taken for one that never counted.
      for (const entry of commit.hours.filter((candidate) => isPast(candidate.hour))) {
        for (const run of entry.runs) await rm(join(importFolder(root, id), run), { force: true });
      }
      if (commit.hours.every((entry) => isPast(entry.hour)))
        await rm(importFolder(root, id), { recursive: true, force: true });
    }
    for (const { id, runs } of new HourLogReader(root).damagedImports()) {
      const hours = runs.map(hourOfRun);
      if (hours.every((candidate) => candidate !== undefined && isPast(candidate)))
        await rm(importFolder(root, id), { recursive: true, force: true });
    }
  }

  fault(): string | undefined {
    return this.#appender.fault;
  }

  async close(): Promise<void> {
    await this.#appender.close();
    this.#closing.abort(new AppError('store_unavailable', 'The hour log is closed.')); // who opens it next sorts the rest
    await Promise.allSettled([this.#earlySorts, ...this.#preparing.values()]);
  }

  /**
   * Sorts a full segment while its hour is still open, so that little is left to do when it ends. One at a time: each holds its
   * segment in memory, and what is left over is sorted when the hour is prepared.
   */
  #sortEarly({ hour, name, bytes }: { readonly hour: Hour; readonly name: string; readonly bytes: number }): void {
    const { maxUnsortedBytes = 512 * 1024 * 1024 } = this.#options;
    this.#unsortedBytes += bytes;
    if (this.#unsortedBytes > maxUnsortedBytes) this.#hurry?.();
    this.#earlySorts = this.#earlySorts
      .then(() => {
        if (this.#sealedUntil > hour) return;
        if (this.#unsortedBytes > maxUnsortedBytes) return this.#sort(hour, name, bytes, 'sortSegment');
        return this.#sortInBackground(hour, name, bytes);
      })
      .catch(() => undefined) // tried again, and reported, when the hour is prepared
      .then(() => void (this.#unsortedBytes -= bytes));
  }

  /** Sorts in the background, until so much is unsorted that it is done at once: one sort there may take as long as it likes. */
  async #sortInBackground(hour: Hour, name: string, bytes: number): Promise<void> {
    let atOnce: Promise<void> | undefined;
    this.#hurry = () => {
      atOnce ??= this.#sort(hour, name, bytes, 'sortSegment').catch(() => undefined);
    };
    try {
      await this.#sort(hour, name, bytes, 'sortEarly');
    } finally {
      this.#hurry = undefined;
      await atOnce;
    }
  }

  async #sort(hour: Hour, name: string, bytes: number, job: 'sortSegment' | 'sortEarly'): Promise<void> {
    const folder = hourFolder(this.#options.root, hour);
    const { signal } = this.#closing;
    signal.throwIfAborted();
    await this.#options.jobs[job](
      { segmentPath: join(folder, name + SEGMENT_SUFFIX), bytes, runPath: join(folder, name + RUN_SUFFIX) },
      signal,
    );
  }

  /** Prepares the hour before, whose tail this hour needs. Damage there is that hour's own error and holds up no other. */
  async #prepareBefore(hour: Hour): Promise<void> {
    const before = addHours(hour, -1);
    if (!existsSync(sealPath(this.#options.root, before))) return;
    await this.#prepareOnce(before).catch((error: unknown) => {
      if (!isLastingDamage(error)) throw error;
    });
  }

  #prepareOnce(hour: Hour): Promise<void> {
    const running =
      this.#preparing.get(hour) ?? this.#prepareUnlessReady(hour).finally(() => this.#preparing.delete(hour));
    this.#preparing.set(hour, running);
    return running;
  }

  /** Another process may prepare the hour meanwhile, and delete what is unfinished here: then there is nothing left to do. */
  async #prepareUnlessReady(hour: Hour): Promise<void> {
    const isReady = (): boolean => existsSync(readyPath(this.#options.root, hour));
    if (isReady()) return;
    await this.#prepareHour(hour).catch((error: unknown) => {
      if (!isReady()) throw error;
    });
  }

  async #prepareHour(hour: Hour): Promise<void> {
    const { root, jobs } = this.#options;
    const seal = await readSeal(root, hour);
    if (!seal && hour >= this.#sealedUntil) throw new AppError('hour_open', `Hour ${hour} is not sealed yet.`);
    const folder = hourFolder(root, hour);
    const runs: string[] = [];
    // No seal: an hour before the log began, or one that was passed over. No collector ever wrote to it; but if one did, the seal
    // has gone, and without it nothing can be told to count.
    if (!seal && (existsSync(fencePath(root, hour)) || (await listSegments(folder)).length > 0))
      throw new AppError('store_corrupt', `The file ${shortPath(sealPath(root, hour))} is missing.`);
    if (!seal && (await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined)
      await syncFolder(hoursFolder(root));
    await Promise.all(
      (seal?.segments ?? []).map(async (sealed) => {
        // A segment that was damaged when it was sealed may have been mended since.
        const { name, bytes, damage } = sealed.damage ? await measureSegment(folder, sealed.name, hour) : sealed;
        if (damage) throw new AppError('store_corrupt', damage);
        if (bytes === 0) return;
        runs.push(name + RUN_SUFFIX);
        if (existsSync(join(folder, name + RUN_SUFFIX))) return;
        await this.#sort(hour, name, bytes, 'sortSegment').catch((error: unknown) => {
          if (!isSystemError(error, 'ENOENT')) throw error;
          if (existsSync(join(folder, name + RUN_SUFFIX))) return; // another process sorted it meanwhile
          const path = shortPath(join(folder, name + SEGMENT_SUFFIX));
          throw new AppError('store_corrupt', `The segment ${path} is missing, and so is its run.`, { cause: error });
        });
      }),
    );
    runs.sort();
    const runPaths = runs.map((run) => join(folder, run));
    const completed = await jobs.completeRuns({ runPaths, folder, prefix: 'completed' }, this.#closing.signal);
    const linked = await this.#linkServerEvents(hour, runPaths, completed.serverEventProjects);
    const ready: ReadyHour = { version: 1, runs: [...runs, ...completed.runs, ...linked] };
    const isFirst = (await writeFileOnce(readyPath(root, hour), buildCheckedJson(ready))) === 'written';
    if (!isFirst) {
      // Another process was quicker; where an erasure has come since, it names other runs, and these are what it took away.
      const kept = readReady(root, hour)?.runs ?? ready.runs;
      for (const run of ready.runs) if (!kept.includes(run)) await unlink(join(folder, run)).catch(() => undefined);
    }
    // What the seal does not count, segments whose run outlived a crash between its rename and their deletion, and linked runs of
    // tries that died. Who comes second deletes his own only: by then the hour may be read, and changed by an erasure.
    for (const entry of await listFolder(folder)) {
      const isStale = isFirst && ((LINKED_RUN.test(entry) && !linked.includes(entry)) || entry.endsWith('.tmp'));
      if (isStale || entry.endsWith(SEGMENT_SUFFIX)) await unlink(join(folder, entry)).catch(() => undefined);
    }
  }

  /**
   * Finds the visitors of server events. Not the same bytes whoever does it: what is there of the hours before may change
   * meanwhile, so each try has names of its own.
   */
  async #linkServerEvents(
    hour: Hour,
    runPaths: readonly string[],
    projects: readonly string[],
  ): Promise<readonly string[]> {
    if (projects.length === 0) return [];
    const { root, jobs, onWarning } = this.#options;
    const folder = hourFolder(root, hour);
    const { runs, faults } = await linkWithEarlierRuns(
      folder,
      () => findEarlierRuns(root, hour, (other) => this.#prepareOnce(other)),
      (earlier) =>
        jobs.linkServerEvents(
          {
            runPaths,
            earlierRunPaths: earlier.runPaths,
            tailRunPaths: earlier.tailRunPaths,
            projects,
            folder,
            prefix: `linked-${randomBytes(4).toString('hex')}`,
          },
          this.#closing.signal,
        ),
    );
    for (const fault of faults)
      onWarning?.(
        `Server events of hour ${formatUtcHour(hour)} (UTC) were given visitors without what cannot be read: ${fault}`,
      );
    return runs;
  }
}

/** Reads the version of a log and the hour in which it began. @throws AppError format_too_new, store_corrupt */
export async function readFormat(root: string): Promise<Format> {
  const bytes = await readFileIfThere(formatPath(root));
  if (!bytes) throw new AppError('store_corrupt', 'The file hour-log/format.json is missing.');
  const format = parseCheckedJson(bytes.toString(), formatPath(root), isFormat);
  if (format.version <= FORMAT_VERSION) return format;
  throw new AppError(
    'format_too_new',
    `The data directory has storage format ${format.version}; this program knows up to ${FORMAT_VERSION}.`,
  );
}

/** A newer version may say more, and is refused for its version. */
function isFormat(value: object): value is Format {
  if ('version' in value && isCount(value.version) && Number(value.version) > FORMAT_VERSION) return true;
  return hasExactly(value, 'version', 'firstHour') && isCount(value.version) && isCount(value.firstHour);
}

/** Finds the end of the sealed hours: every hour from the log's first on is sealed one by one. */
async function findSealedUntil(root: string, firstHour: Hour): Promise<Hour> {
  let until = firstHour;
  for (const hour of await listHours(root)) {
    if (hour >= until && existsSync(fencePath(root, hour)) && existsSync(sealPath(root, hour)))
      until = addHours(hour, 1);
  }
  return until;
}
