/**
 * Erases visitors from the sealed hours of an hour log.
 *
 * Steps for an hour that was prepared: its runs are looked through → those that hold a visitor are written anew under new names
 * (erase-runs.ts) → the list that names them (`ready.json`, an import's `commit.json`) is replaced by one rename → the old files
 * are deleted, and with them everything in the folder that the list does not name: segments, temporary files, and what a crash
 * left of an earlier try. A reader goes by the list; one that meets a file that has just gone reads the list again.
 *
 * Under a lock of all processes (`rewrite-{n}` in the log's folder), since two that replaced one list would bring back what the
 * other took. Crash: before the rename the old list counts, and the new files are unnamed; after it the new one does, and the old
 * files are. Either way the next try deletes what is unnamed.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError } from '../../errors/app-error.ts';
import type { Hour } from '../../events/hour.ts';
import { syncFolder, writeFileAtomic } from '../../lib/atomic-file.ts';
import { waitFor } from '../../lib/clock.ts';
import { tryProcessLock } from '../../lib/process-lock.ts';
import { isSystemError } from '../../lib/system-error.ts';
import type { ImportState, VisitorEraser } from '../visitor-eraser.ts';
import { buildCheckedJson } from './checked-json.ts';
import {
  findVisitors,
  rewriteRuns,
  type FindVisitorsJob,
  type FoundVisitors,
  type RewriteRunsJob,
} from './erase-runs.ts';
import { findInSegment, type FindInSegmentJob } from './find-in-segment.ts';
import { HourLogReader, isSameList, readReady, type ImportCommit, type ReadyHour } from './hour-log-reader.ts';
import { lockImports } from './import-lock.ts';
import {
  hourFolder,
  IMPORT_ID,
  importCommitPath,
  importFolder,
  importsFolder,
  listFolder,
  listHours,
  readyPath,
  RUN_SUFFIX,
  SEGMENT_SUFFIX,
} from './layout.ts';
import { listSegments } from './seal.ts';
import type { Erased } from './visitor-matcher.ts';

/** The jobs that cost CPU; the system runs them in worker threads. */
export interface EraseJobs {
  findVisitors(job: FindVisitorsJob): Promise<FoundVisitors>;
  rewriteRuns(job: RewriteRunsJob): Promise<void>;
  findInSegment(job: FindInSegmentJob): Promise<boolean>;
}

/** Runs the jobs in the calling thread. */
export const eraseJobsInPlace: EraseJobs = {
  findVisitors: (job) => Promise.try(() => findVisitors(job)),
  rewriteRuns: (job) => Promise.try(() => rewriteRuns(job)),
  findInSegment: (job) => Promise.try(() => findInSegment(job)),
};

const LOCK = 'rewrite';
const LOCK_WAIT_MS = 30_000;
const LOCK_POLL_MS = 50;
/** Ends the name of a run that was written anew, before its suffix: which time it was. */
const GENERATION = /(?:-e(\d{1,9}))?\.run$/;

export class HourLogEraser implements VisitorEraser {
  readonly #root: string;
  readonly #jobs: EraseJobs;

  constructor({ root, jobs }: { readonly root: string; readonly jobs: EraseJobs }) {
    this.#root = root;
    this.#jobs = jobs;
  }

  async lock(): Promise<AsyncDisposable> {
    for (let waitedMs = 0; ; waitedMs += LOCK_POLL_MS) {
      const attempt = await tryProcessLock(this.#root, LOCK);
      if (attempt.status === 'taken') return attempt;
      if (waitedMs >= LOCK_WAIT_MS)
        throw new AppError('store_unavailable', 'Another process has been erasing visitors from an hour for 30 s.');
      await waitFor(LOCK_POLL_MS);
    }
  }

  async hours(): Promise<readonly Hour[]> {
    const imported = new HourLogReader(this.#root).committedImports().flatMap(({ commit }) => commit.hours);
    const hours = new Set([...(await listHours(this.#root)), ...imported.map(({ hour }) => hour)]);
    return [...hours].sort((a, b) => a - b);
  }

  /** Without the lock, another process may put runs into the place of those that were listed; then all is looked through anew. */
  async find(hour: Hour, ai: string, erased: readonly Erased[]): Promise<FoundVisitors> {
    const reader = new HourLogReader(this.#root);
    for (;;) {
      const runPaths = reader.runPaths(hour);
      try {
        return await this.#jobs.findVisitors({ runPaths, ai, erased });
      } catch (error) {
        if (isSameList(runPaths, reader.runPaths(hour))) throw error;
      }
    }
  }

  async holdsUncounted(hour: Hour): Promise<boolean> {
    const ready = readReady(this.#root, hour);
    if (ready && (await listUnnamed(hourFolder(this.#root, hour), new Set(ready.runs))).length > 0) return true;
    for (const { id, commit } of new HourLogReader(this.#root).committedImports()) {
      const named = new Set(commit.hours.flatMap(({ runs }) => runs));
      if (commit.hours.some((entry) => entry.hour === hour))
        if ((await listUnnamed(importFolder(this.#root, id), named)).length > 0) return true;
    }
    return false;
  }

  async erase(hour: Hour, ai: string, erased: readonly Erased[], found: FoundVisitors): Promise<void> {
    const root = this.#root;
    const folder = hourFolder(root, hour);
    const ready = readReady(root, hour);
    if (ready) {
      const runs = await this.#rewrite(folder, ready.runs, { ai, erased, found });
      const list: ReadyHour = { ...ready, runs };
      if (runs !== ready.runs) await writeFileAtomic(readyPath(root, hour), buildCheckedJson(list));
      await deleteUnnamed(folder, new Set(runs));
    }
    for (const { id, commit } of new HourLogReader(root).committedImports())
      if (commit.hours.some((entry) => entry.hour === hour))
        await this.#eraseImport(id, commit, { hour, ai, erased, found });
  }

  async mayHold(hour: Hour, ai: string, erased: readonly Erased[]): Promise<boolean> {
    const folder = hourFolder(this.#root, hour);
    for (const name of await listSegments(folder)) {
      const path = join(folder, name);
      const isHeld = await this.#jobs
        .findInSegment({ segmentPath: path + SEGMENT_SUFFIX, ai, erased })
        .catch((error: unknown) => {
          if (isSystemError(error, 'ENOENT')) return this.#isInRun(path + RUN_SUFFIX, ai, erased);
          throw error;
        })
        .catch(() => true); // unreadable, or gone on: told when the hour is erased
      if (isHeld) return true;
    }
    return false;
  }

  async followImports(): Promise<ImportState> {
    const ids = (await listFolder(importsFolder(this.#root))).filter((name) => IMPORT_ID.test(name)).sort();
    const counted = ids.filter((id) => existsSync(importCommitPath(this.#root, id)));
    if (counted.length === ids.length) return { counted, isRunning: false };
    try {
      await using _lock = await lockImports(this.#root);
      return { counted, isRunning: false };
    } catch (error) {
      if (!isSystemError(error, 'store_unavailable')) throw error;
      return { counted, isRunning: true };
    }
  }

  async #isInRun(path: string, ai: string, erased: readonly Erased[]): Promise<boolean> {
    return (await this.#jobs.findVisitors({ runPaths: [path], ai, erased })).runPaths.length > 0;
  }

  async #eraseImport(id: string, commit: ImportCommit, erasure: HourErasure): Promise<void> {
    const folder = importFolder(this.#root, id);
    const hours = [];
    for (const entry of commit.hours)
      hours.push(
        entry.hour === erasure.hour ? { ...entry, runs: await this.#rewrite(folder, entry.runs, erasure) } : entry,
      );
    const list: ImportCommit = { ...commit, hours };
    if (hours.some((entry, place) => entry.runs !== commit.hours[place]!.runs))
      await writeFileAtomic(importCommitPath(this.#root, id), buildCheckedJson(list));
    await deleteUnnamed(folder, new Set(hours.flatMap(({ runs }) => runs)));
  }

  /** Writes the runs of a list that hold visitors anew. Returns the new list; the same when none does. */
  async #rewrite(
    folder: string,
    runs: readonly string[],
    { ai, erased, found }: Omit<HourErasure, 'hour'>,
  ): Promise<readonly string[]> {
    const holding = new Set(found.runPaths.filter((path) => dirname(path) === folder).map((path) => basename(path)));
    const renamed = runs.filter((run) => holding.has(run)).map((run) => ({ run, fresh: nextGeneration(run) }));
    if (renamed.length === 0) return runs;
    const pairs = renamed.map(({ run, fresh }) => ({ from: join(folder, run), to: join(folder, fresh) }));
    await this.#jobs.rewriteRuns({ runs: pairs, ai, erased });
    return runs.map((run) => renamed.find((one) => one.run === run)?.fresh ?? run);
  }
}

type HourErasure = {
  readonly hour: Hour;
  readonly ai: string;
  readonly erased: readonly Erased[];
  readonly found: FoundVisitors;
};

function nextGeneration(run: string): string {
  const [ending, generation = '0'] = GENERATION.exec(run) ?? [RUN_SUFFIX];
  return `${run.slice(0, run.length - ending.length)}-e${Number(generation) + 1}${RUN_SUFFIX}`;
}

/** Deletes everything in a folder that may hold records and that its list does not name. Durable when it returns. */
async function deleteUnnamed(folder: string, named: ReadonlySet<string>): Promise<void> {
  const unnamed = await listUnnamed(folder, named);
  if (unnamed.length === 0) return;
  for (const name of unnamed) await rm(join(folder, name), { force: true });
  await syncFolder(folder);
}

async function listUnnamed(folder: string, named: ReadonlySet<string>): Promise<readonly string[]> {
  return (await listFolder(folder)).filter((name) => /\.(run|seg|tmp)$/.test(name) && !named.has(name));
}
