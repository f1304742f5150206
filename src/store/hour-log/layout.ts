/**
 * Names of the files of an hour log, and nothing else (docs/storage-format.md).
 *
 *   format.json                      version of the directory, and the hour in which it began
 *   hours/{yyyyMMddHHmm UTC}/        one hour
 *     {collector}-{number}.seg       frames as they came in, of one collector process
 *     {collector}-{number}.run       the same records, sorted
 *     fence                          no append to this hour is acknowledged any more but one that the seal confirms
 *     seal.json                      the segments of the hour and how many bytes of each count
 *     completed-{number}.run         records whose domain was found after the seal
 *     linked-{try}-{number}.run      server events, whose visitor was
 *     ready.json                     the runs to read: the hour is prepared
 *   imports/{id}/                    the runs of one import, by hour
 *     commit.json                    the import counts
 */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { formatUtcHour, parseUtcHour, type Hour } from '../../events/hour.ts';
import { isSystemError } from '../../lib/system-error.ts';

export const SEGMENT_SUFFIX = '.seg';
export const RUN_SUFFIX = '.run';

export function formatPath(root: string): string {
  return join(root, 'format.json');
}
export function hoursFolder(root: string): string {
  return join(root, 'hours');
}
export function hourFolder(root: string, hour: Hour): string {
  return join(hoursFolder(root), formatUtcHour(hour));
}
export function fencePath(root: string, hour: Hour): string {
  return join(hourFolder(root, hour), 'fence');
}
export function sealPath(root: string, hour: Hour): string {
  return join(hourFolder(root, hour), 'seal.json');
}
export function readyPath(root: string, hour: Hour): string {
  return join(hourFolder(root, hour), 'ready.json');
}
export function importsFolder(root: string): string {
  return join(root, 'imports');
}
export function importFolder(root: string, importId: string): string {
  return join(importsFolder(root), importId);
}
export function importCommitPath(root: string, importId: string): string {
  return join(importFolder(root, importId), 'commit.json');
}

/** The names of import folders: the instant and a random part. Nothing else in the imports' folder is one. */
export const IMPORT_ID = /^\d{17}-[0-9a-f]{8}$/;

/** Gives the name that a segment and the run made of it share. */
export function segmentName(collectorId: string, number: number): string {
  return `${collectorId}-${String(number).padStart(6, '0')}`;
}

/** Lists the hours that have a folder, oldest first. */
export async function listHours(root: string): Promise<readonly Hour[]> {
  const names = await listFolder(hoursFolder(root));
  return names
    .map(parseUtcHour)
    .filter((hour) => hour !== undefined)
    .sort((a, b) => a - b);
}

/** Lists a folder's names; none when it is not there. */
export async function listFolder(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Names a file by its folder and name, for messages that clients of the API see too: enough to find it, no path of the server. */
export function shortPath(path: string): string {
  return join(basename(dirname(path)), basename(path));
}
