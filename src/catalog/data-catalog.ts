/** The catalog of a data directory: what every process of this machine opens. */
import { existsSync, statSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import { inDataDirectory } from '../errors/data-directory.ts';
import type { Clock } from '../lib/clock.ts';
import { makeFolder } from '../lib/empty-folder.ts';
import { describeFault, isSystemError } from '../lib/system-error.ts';
import type { Catalog } from './catalog.ts';
import { openCatalog } from './open-catalog.ts';

/** Makes the data directory and opens its catalog. @throws AppError data_directory, and what openCatalog throws */
export async function openDataCatalog(data: string, clock: Clock): Promise<Catalog> {
  await inDataDirectory('The data directory', data, () => makeFolder(data));
  return openIn(data, clock);
}

/** Opens the catalog of a data directory that must be there. @throws AppError data_directory, and what openCatalog throws */
export async function openExistingCatalog(data: string, clock: Clock): Promise<Catalog> {
  refuseUnusable(data);
  return openIn(data, clock);
}

/** Refuses a directory that holds no data, or is a backup, or the half of one. @throws AppError data_directory */
export function refuseUnusable(data: string): void {
  try {
    statSync(catalogPath(data));
  } catch (error) {
    const isNothing = isSystemError(error, 'ENOENT') || isSystemError(error, 'ENOTDIR');
    // Whoever may not look into it would be told that there is nothing, and might make it anew.
    const sentence = isNothing
      ? `There is no Tidegate data in ${data}.`
      : `The data directory ${data} cannot be used: ${describeFault(error)}.`;
    throw new AppError('data_directory', sentence, { cause: error });
  }
  refuseCopies(data);
}

/** Gives the catalog's file in a data directory. */
export function catalogPath(data: string): string {
  return join(data, 'catalog.sqlite');
}

/** Gives the file that is in a data directory as long as a restore has not finished it. */
export function unfinishedRestorePath(data: string): string {
  return join(data, 'restore-unfinished');
}

/** Gives the file that is in a backup's folder as long as the backup has not ended. */
export function unfinishedBackupPath(folder: string): string {
  return join(folder, 'backup-unfinished');
}

/** Gives the file that makes a folder a backup: the list of what is in it. */
export function backupListPath(folder: string): string {
  return join(folder, 'backup.json');
}

/** A server on a backup would change it, and one on the half of a copy would take it for all there is. */
function refuseCopies(data: string): void {
  const refuse = (what: string): never => {
    throw new AppError('data_directory', `The data directory ${data} ${what}.`);
  };
  if (existsSync(unfinishedRestorePath(data)))
    refuse('is the half of a restore that did not end; run tidegate restore again');
  if (existsSync(backupListPath(data))) refuse('is a backup; tidegate restore makes a data directory of it');
  if (existsSync(unfinishedBackupPath(data))) refuse('is the half of a backup that did not end; delete it');
}

async function openIn(data: string, clock: Clock): Promise<Catalog> {
  refuseCopies(data);
  // SQLite opens a file that it cannot write, and says so only later and in its own words.
  await inDataDirectory('The data directory', data, () => access(data, constants.W_OK | constants.X_OK));
  return openCatalog({ path: catalogPath(data), clock });
}
