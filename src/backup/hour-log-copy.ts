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
import { isThere, readFileIfThere } from '../lib/atomic-file.ts';
import { readFormat } from '../store/hour-log/hour-log.ts';
import { HourLogReader, type ReadyHour } from '../store/hour-log/hour-log-reader.ts';
import {
  fencePath,
  formatPath,
  hourFolder,
  importCommitPath,
  importFolder,
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
const MAX_TRIES = 20;

/**
 * Copies the hour log of a data directory, if it has one. Returns what is wrong with the log itself, a sentence for each hour;
 * such an hour is copied as it is.
 * @throws AppError format_too_new, store_corrupt when the log's own file is damaged
 */
export async function copyHourLog(data: string, backup: BackupWriter): Promise<readonly string[]> {
  const root = join(data, LOG);
  if (!(await isThere(formatPath(root)))) return [];
  await readFormat(root);
  await backup.tryKeep(formatPath(LOG));
  const faults: string[] = [];
  for (const hour of (await listHours(root)).toReversed()) faults.push(...(await copyHour(root, hour, backup)));
  for (const { id, commit } of new HourLogReader(root).committedImports()) {
    // The run of an hour past retention is deleted before its import is.
    for (const run of commit.hours.flatMap(({ runs }) => runs)) await backup.tryKeep(join(importFolder(LOG, id), run));
    await backup.tryKeep(importCommitPath(LOG, id));
  }
  return faults;
}

/** Copies an hour, again and again until nothing happened meanwhile that makes the copy worthless. */
async function copyHour(root: string, hour: Hour, backup: BackupWriter): Promise<readonly string[]> {
  let missingBefore = '';
  for (let tries = 0; tries < MAX_TRIES && (await isThere(hourFolder(root, hour))); tries += 1) {
    const missing = await tryHour(root, hour, backup);
    if (missing.length === 0) return [];
    if (missing.join() === missingBefore) return [`Hour ${formatUtcHour(hour)} (UTC) lacks ${missing.join(', ')}.`];
    missingBefore = missing.join();
    await backup.drop(hourFolder(LOG, hour));
    if ((await isThere(fencePath(root, hour))) && !(await isThere(sealPath(root, hour)))) await sealHour(root, hour);
  }
  return []; // past retention since the hours were listed
}

/** Copies an hour and returns which of the files that must be in the copy are not. */
async function tryHour(root: string, hour: Hour, backup: BackupWriter): Promise<readonly string[]> {
  const seal = await readSeal(root, hour);
  const ready = (await readJson(readyPath(root, hour))) as ReadyHour | undefined;
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
  else if (await isThere(fencePath(root, hour))) missing.push(basename(sealPath(root, hour)));
  if (ready) await keep(basename(readyPath(root, hour)));
  return missing;
}

function countedBy(seal: Seal | undefined): readonly string[] {
  return (seal?.segments ?? [])
    .filter(({ bytes, damage }) => bytes > 0 || damage !== undefined)
    .map(({ name }) => name);
}

/** Takes a segment, or the run that was made of it, maybe just now. */
async function takeSegment(backup: BackupWriter, path: string): Promise<boolean> {
  return (
    (await backup.tryKeep(path + RUN_SUFFIX)) ||
    (await backup.tryCopy(path + SEGMENT_SUFFIX)) ||
    (await backup.tryKeep(path + RUN_SUFFIX))
  );
}

async function readJson(path: string): Promise<unknown> {
  const bytes = await readFileIfThere(path);
  return bytes && (JSON.parse(bytes.toString()) as unknown);
}
