/**
 * Copies an hour log while collectors append to it, hours are sealed and runs are made.
 *
 * What never changes is kept by a second name: runs, `fence`, `seal.json`, `ready.json`, `commit.json`, `format.json`. Segments
 * grow, and are copied as far as they are long. Why the copy holds what it must (docs/backup.md):
 *
 * C1 Every row acknowledged before the copy began is in it: its frame was synced before its segment's length was looked at, and a
 *    segment that vanishes meanwhile has become a run.
 * C2 No row is in two hours of it. In an hour without a fence after its segments were copied, every whole frame counts, as in the
 *    log itself; an hour with a fence is copied with its seal, which says what counts. So an hour that is being sealed is sealed
 *    first and then copied again.
 * C3 The newest hour is copied first: an hour that is sealed in the copy has no unsealed hour before it, as in the log itself.
 */
import { basename, join } from 'node:path';
import { formatUtcHour, type Hour } from '../events/hour.ts';
import { AppError } from '../errors/app-error.ts';
import { isThere } from '../lib/atomic-file.ts';
import { waitFor } from '../lib/clock.ts';
import { isSystemError } from '../lib/system-error.ts';
import type { FileSum } from '../lib/file-copy.ts';
import { readFormat } from '../store/hour-log/hour-log.ts';
import { HourLogReader, readReady, type ImportCommit } from '../store/hour-log/hour-log-reader.ts';
import {
  fencePath,
  formatPath,
  hourFolder,
  hoursFolder,
  importCommitPath,
  importFolder,
  listFolder,
  listHours,
  readyPath,
  RUN_SUFFIX,
  sealPath,
  SEGMENT_SUFFIX,
} from '../store/hour-log/layout.ts';
import { listSegments, readSeal, sealHour, type Seal } from '../store/hour-log/seal.ts';
import type { BackupWriter } from './backup-writer.ts';

/** The log's folder within a data directory. */
const LOG = 'hour-log';
const SEAL = 'seal.json';
const MAX_TRIES = 20;
/** Between two tries, for whoever is changing the hour to get on. */
const PAUSE_MS = 100;

/**
 * Copies the hour log of a data directory, if it has one. Returns what is wrong with the log itself, a sentence for each hour;
 * such an hour is copied as it is.
 * @throws AppError format_too_new, store_corrupt when the log's own file is damaged
 */
export async function copyHourLog(data: string, backup: BackupWriter): Promise<readonly string[]> {
  const root = join(data, LOG);
  if (!(await isThere(hoursFolder(root)))) return []; // no server has run yet
  await readFormat(root);
  await backup.tryKeep(formatPath(LOG));
  const faults: string[] = [];
  for (const hour of (await listHours(root)).toReversed()) faults.push(...(await copyHour(root, hour, backup)));
  for (const { id } of new HourLogReader(root).committedImports()) await copyImport(root, id, backup);
  for (const { id, runs, fault } of new HourLogReader(root).damagedImports()) {
    for (const run of runs) await backup.tryKeep(join(importFolder(LOG, id), run));
    await backup.tryKeep(importCommitPath(LOG, id));
    faults.push(fault.message);
  }
  return faults;
}

/** Copies an import, again when an erasure has put other runs into the place of its own meanwhile. */
async function copyImport(root: string, id: string, backup: BackupWriter): Promise<void> {
  const read = (): ImportCommit | undefined =>
    new HourLogReader(root).committedImports().find((committed) => committed.id === id)?.commit;
  for (let commit = read(); commit !== undefined;) {
    // The run of an hour past retention is deleted before its import is.
    for (const run of commit.hours.flatMap(({ runs }) => runs)) await backup.tryKeep(join(importFolder(LOG, id), run));
    await backup.tryKeep(importCommitPath(LOG, id));
    const now = read();
    if (now === undefined || isSame(now, commit)) return;
    await backup.drop(importFolder(LOG, id));
    commit = now;
  }
}

/** Copies an hour, again and again until nothing happened meanwhile that makes the copy worthless. */
async function copyHour(root: string, hour: Hour, backup: BackupWriter): Promise<readonly string[]> {
  let stateBefore = '';
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    if (!(await isThere(hourFolder(root, hour)))) return []; // past retention since the hours were listed
    const missing = await tryHour(root, hour, backup).catch((error: unknown) => {
      if (isSystemError(error, 'store_corrupt')) return undefined;
      throw error;
    });
    if (missing === undefined) return copyAsItIs(root, hour, backup);
    if (missing.length === 0) return [];
    // Retention deletes an hour file by file. A hole in an hour that stays as it is, is damage.
    const state = JSON.stringify([missing, await listFolder(hourFolder(root, hour))]);
    if (state === stateBefore && !missing.includes(SEAL))
      return [`The hour ${formatUtcHour(hour)} (UTC) lacks ${missing.join(', ')}.`];
    if (state === stateBefore) await sealHour(root, hour); // who began to seal it has died
    stateBefore = state;
    await backup.drop(hourFolder(LOG, hour));
    await waitFor(PAUSE_MS);
  }
  throw new AppError('backup_failed', `The hour ${formatUtcHour(hour)} (UTC) changes too fast for a backup.`);
}

/** Copies all that there is of an hour whose seal or list of runs is damaged. */
async function copyAsItIs(root: string, hour: Hour, backup: BackupWriter): Promise<readonly string[]> {
  await backup.drop(hourFolder(LOG, hour));
  for (const name of (await listFolder(hourFolder(root, hour))).filter((entry) => !entry.endsWith('.tmp'))) {
    const path = join(hourFolder(LOG, hour), name);
    await (name.endsWith(SEGMENT_SUFFIX) ? backup.tryCopy(path) : backup.tryKeep(path));
  }
  return [`The hour ${formatUtcHour(hour)} (UTC) is damaged: its seal.json or ready.json cannot be read.`];
}

/** Copies an hour and returns which of the files that must be in the copy are not. */
async function tryHour(root: string, hour: Hour, backup: BackupWriter): Promise<readonly string[]> {
  const seal = await readSeal(root, hour);
  const ready = readReady(root, hour);
  const folder = hourFolder(LOG, hour);
  const missing: string[] = [];
  const keep = async (name: string): Promise<void> => {
    if (!(await backup.tryKeep(join(folder, name)))) missing.push(name);
  };
  if (ready) {
    for (const run of ready.runs) await keep(run);
  } else {
    const names = new Set([...(await listSegments(hourFolder(root, hour))), ...countedBy(seal)]);
    for (const name of names) if (!(await takeSegment(backup, join(folder, name)))) missing.push(name);
  }
  if (seal) for (const file of [fencePath, sealPath]) await keep(basename(file(root, hour)));
  else if (await isThere(fencePath(root, hour))) missing.push(SEAL); // now, after its segments: see C2
  if (ready) await keep(basename(readyPath(root, hour)));
  // An erasure has put other runs into the place of these, and the list that was taken may name those.
  if (ready && !isSame(readReady(root, hour), ready)) missing.push(basename(readyPath(root, hour)));
  return missing;
}

function isSame(a: object | undefined, b: object | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function countedBy(seal: Seal | undefined): readonly string[] {
  return (seal?.segments ?? [])
    .filter(({ bytes, damage }) => bytes > 0 || damage !== undefined)
    .map(({ name }) => name);
}

/** Takes a segment, or the run that was made of it, maybe just now. Undefined when there is neither. */
async function takeSegment(backup: BackupWriter, path: string): Promise<FileSum | undefined> {
  return (
    (await backup.tryKeep(path + RUN_SUFFIX)) ??
    (await backup.tryCopy(path + SEGMENT_SUFFIX)) ??
    (await backup.tryKeep(path + RUN_SUFFIX))
  );
}
