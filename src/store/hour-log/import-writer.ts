/**
 * Writes an import into the hour log: rows of past hours, with the send times they were given.
 *
 * Steps: rows are appended to one segment an hour, unseen → `commit` sorts them into runs, completes them, and writes
 * `commit.json`, from which moment all hours of the import count together. A crash before that leaves files that count for
 * nothing. Which hours may be filled is for the caller to check, under the import's lock.
 *
 * Memory: two buffers for all hours together. Open files: one for each hour.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventBatch } from '../../events/event-row.ts';
import { addHours, formatUtcHour, hourOf, type Hour } from '../../events/hour.ts';
import { crc32 } from '../../lib/crc32.ts';
import { syncFolder, writeFileAtomic } from '../../lib/atomic-file.ts';
import { buildCheckedJson } from './checked-json.ts';
import { findEarlierRuns, linkWithEarlierRuns } from './earlier-runs.ts';
import type { ImportCommit } from './hour-log-reader.ts';
import { importCommitPath, importFolder, importsFolder, RUN_SUFFIX, SEGMENT_SUFFIX } from './layout.ts';
import { LINK_HOURS } from './link-server-events.ts';
import { BatchEncoder, buildFrameHeader } from './record-codec.ts';
import { buildSegmentHeader } from './segment.ts';
import type { StoreJobs } from './store-jobs.ts';

export type ImportWriterOptions = {
  readonly root: string;
  readonly ai: string;
  readonly jobs: StoreJobs;
  /** Prepares an hour of the log, for server events whose visitors may be there. Default: only those that are prepared are used. */
  readonly prepare?: (hour: Hour) => Promise<void>;
  /** Told what completing had to do without, a sentence each. Must not throw. */
  readonly onWarning?: (message: string) => void;
};

type HourFile = {
  readonly hour: Hour;
  pending: Buffer[];
  file: OpenFile | undefined;
  number: number;
  readonly runs: Promise<string>[];
};
type OpenFile = { readonly name: string; readonly handle: FileHandle; bytes: number };

const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;
const SEGMENT_BYTES = 32 * 1024 * 1024;
const MAX_BATCH_BYTES = 128 * 1024 * 1024;
/** What systems take in one call, IOV_MAX. */
const MAX_PIECES = 1024;

/** Makes the folder of an import, which counts for nothing yet, and gives the import's id. Under the import's lock. */
export async function makeImportFolder(root: string): Promise<string> {
  const id = `${new Date().toISOString().replace(/\D/g, '')}-${randomBytes(4).toString('hex')}`;
  await mkdir(importFolder(root, id), { recursive: true, mode: 0o700 });
  await syncFolder(importsFolder(root));
  return id;
}

/** Makes the runs of an import count, all hours at once. Durable when it returns. */
export async function commitImport(root: string, id: string, commit: ImportCommit): Promise<void> {
  await writeFileAtomic(importCommitPath(root, id), buildCheckedJson(commit));
}

export class ImportWriter {
  readonly #options: ImportWriterOptions;
  readonly #id: string;
  readonly #encoder = new BatchEncoder(MAX_BATCH_BYTES);
  readonly #hours = new Map<Hour, HourFile>();
  #bufferedBytes = 0;
  #flushing: Promise<void> = Promise.resolve();

  private constructor(options: ImportWriterOptions, id: string) {
    this.#options = options;
    this.#id = id;
  }

  /** Begins an import. */
  static async begin(options: ImportWriterOptions): Promise<ImportWriter> {
    return new ImportWriter(options, await makeImportFolder(options.root));
  }

  /** Adds events that were received at this instant. */
  async append(batch: EventBatch, sendTimeMs: number): Promise<void> {
    const bytes = this.#encoder.encode(batch);
    const hour = this.#hourFile(hourOf(sendTimeMs));
    const header = buildFrameHeader([bytes], 1, sendTimeMs, crc32);
    hour.pending.push(header, bytes);
    this.#bufferedBytes += header.length + bytes.length;
    if (this.#bufferedBytes < MAX_BUFFERED_BYTES) return;
    await this.#flushing; // one buffer is written while the next is filled
    this.#flushing = this.#flush();
    this.#flushing.catch(() => undefined); // thrown by the next that waits for it
  }

  /** The hours that rows were added to, in order. */
  get hours(): readonly Hour[] {
    return [...this.#hours.keys()].sort((a, b) => a - b);
  }

  /** Makes the import count, all hours at once. Durable when it returns. */
  async commit(): Promise<void> {
    const { root, ai, jobs } = this.#options;
    await this.#flushing;
    await this.#flush();
    const folder = importFolder(root, this.#id);
    const hours: { hour: Hour; runs: readonly string[] }[] = [];
    const sorted = new Map<Hour, readonly string[]>();
    for (const hour of this.hours) {
      const file = this.#hours.get(hour)!;
      await this.#closeSegment(file);
      const runs = await Promise.all(file.runs);
      const runPaths = runs.map((run) => join(folder, run));
      sorted.set(hour, runPaths);
      const completed = await jobs.completeRuns({ runPaths, folder, prefix: `${formatUtcHour(hour)}-completed` });
      const linked = completed.serverEventProjects.length > 0 ? await this.#linkServerEvents(hour, sorted) : [];
      hours.push({ hour, runs: [...runs, ...completed.runs, ...linked] });
    }
    await commitImport(root, this.#id, { version: 1, ai, hours });
  }

  /** Finds the visitors of an hour's server events, among the pages of this import and those that are there already. */
  async #linkServerEvents(hour: Hour, sorted: ReadonlyMap<Hour, readonly string[]>): Promise<readonly string[]> {
    const { root, ai, jobs, prepare = () => Promise.resolve(), onWarning } = this.#options;
    const own = (hoursBack: number): readonly string[] => sorted.get(addHours(hour, -hoursBack)) ?? [];
    const ownEarlier = Array.from({ length: LINK_HOURS }, (_, place) => own(LINK_HOURS - place)).flat();
    const folder = importFolder(root, this.#id);
    const { runs, faults } = await linkWithEarlierRuns(
      folder,
      () => findEarlierRuns(root, hour, prepare),
      (earlier) =>
        jobs.linkServerEvents({
          runPaths: own(0),
          earlierRunPaths: [...earlier.runPaths, ...ownEarlier],
          tailRunPaths: [...earlier.tailRunPaths, ...own(1)],
          projects: [ai],
          folder,
          prefix: `${formatUtcHour(hour)}-linked`,
        }),
    );
    for (const fault of faults)
      onWarning?.(
        `Server events of hour ${formatUtcHour(hour)} (UTC) were given visitors without what cannot be read: ${fault}`,
      );
    return runs;
  }

  /** Forgets the import. Only before `commit`. */
  async abort(): Promise<void> {
    await this.#flushing.catch(() => undefined);
    for (const { file, runs } of this.#hours.values()) {
      await file?.handle.close().catch(() => undefined);
      await Promise.allSettled(runs);
    }
    await rm(importFolder(this.#options.root, this.#id), { recursive: true, force: true });
  }

  #hourFile(hour: Hour): HourFile {
    const known = this.#hours.get(hour);
    if (known) return known;
    const fresh: HourFile = { hour, pending: [], file: undefined, number: 0, runs: [] };
    this.#hours.set(hour, fresh);
    return fresh;
  }

  async #flush(): Promise<void> {
    this.#bufferedBytes = 0;
    for (const hour of this.#hours.values()) {
      if (hour.pending.length === 0) continue;
      const { pending } = hour;
      hour.pending = [];
      hour.file ??= await this.#openSegment(hour);
      hour.file.bytes += await writeAll(hour.file.handle, pending);
      if (hour.file.bytes >= SEGMENT_BYTES) await this.#closeSegment(hour);
    }
  }

  async #openSegment(hour: HourFile): Promise<OpenFile> {
    hour.number += 1;
    const name = `${formatUtcHour(hour.hour)}-${String(hour.number).padStart(6, '0')}`;
    const handle = await open(join(importFolder(this.#options.root, this.#id), name + SEGMENT_SUFFIX), 'wx', 0o600);
    const header = buildSegmentHeader(hour.hour);
    await handle.writeFile(header);
    return { name, handle, bytes: header.length };
  }

  /** Closes an hour's segment and begins to sort it. */
  async #closeSegment(hour: HourFile): Promise<void> {
    const { file } = hour;
    hour.file = undefined;
    if (!file) return;
    await file.handle.close(); // not synced: the run made of it is
    const folder = importFolder(this.#options.root, this.#id);
    const run = file.name + RUN_SUFFIX;
    const sorted = this.#options.jobs
      .sortSegment({
        segmentPath: join(folder, file.name + SEGMENT_SUFFIX),
        bytes: file.bytes,
        runPath: join(folder, run),
      })
      .then(() => run);
    sorted.catch(() => undefined); // awaited, and thrown, in commit
    hour.runs.push(sorted);
  }
}

/** Writes these pieces one after the other; returns how many bytes they have. */
async function writeAll(handle: FileHandle, pieces: readonly Buffer[]): Promise<number> {
  let bytes = 0;
  for (let first = 0; first < pieces.length; first += MAX_PIECES) {
    const some = pieces.slice(first, first + MAX_PIECES);
    const wanted = some.reduce((sum, piece) => sum + piece.length, 0);
    const { bytesWritten } = await handle.writev(some);
    // A write may stop short where the disk is nearly full; the next says why.
    if (bytesWritten < wanted) await handle.writeFile(Buffer.concat(some).subarray(bytesWritten));
    bytes += wanted;
  }
  return bytes;
}
