/** The catalog of a data directory: what every process of this machine opens. */
import { existsSync } from 'node:fs';
import { access, constants, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import { inDataDirectory } from '../errors/data-directory.ts';
import { syncFolder } from '../lib/atomic-file.ts';
import type { Clock } from '../lib/clock.ts';
import type { Catalog } from './catalog.ts';
import { openCatalog } from './open-catalog.ts';

/** Makes the data directory and opens its catalog. @throws AppError data_directory, and what openCatalog throws */
export async function openDataCatalog(data: string, clock: Clock): Promise<Catalog> {
  await inDataDirectory('The data directory', data, async () => {
    const firstMade = await mkdir(data, { recursive: true, mode: 0o700 });
    if (firstMade !== undefined) await syncFolder(dirname(firstMade));
  });
  return openIn(data, clock);
}

/** Opens the catalog of a data directory that must be there. @throws AppError data_directory, and what openCatalog throws */
export async function openExistingCatalog(data: string, clock: Clock): Promise<Catalog> {
  refuseUnusable(data);
  return openIn(data, clock);
}

/** Refuses a directory that holds no data, or only the half of a restore. @throws AppError data_directory */
export function refuseUnusable(data: string): void {
  if (!existsSync(catalogPath(data))) throw new AppError('data_directory', `There is no Tidegate data in ${data}.`);
  refuseUnfinished(data);
}

/** Gives the catalog's file in a data directory. */
export function catalogPath(data: string): string {
  return join(data, 'catalog.sqlite');
}

/** Gives the file that is in a data directory as long as a restore has not finished it. */
export function unfinishedRestorePath(data: string): string {
  return join(data, 'restore-unfinished');
}

function refuseUnfinished(data: string): void {
  if (!existsSync(unfinishedRestorePath(data))) return;
  const message = `The data directory ${data} is the half of a restore that did not end; run tidegate restore again.`;
  throw new AppError('data_directory', message);
}

async function openIn(data: string, clock: Clock): Promise<Catalog> {
  refuseUnfinished(data);
  // SQLite opens a file that it cannot write, and says so only later and in its own words.
  await inDataDirectory('The data directory', data, () => access(data, constants.W_OK | constants.X_OK));
  return openCatalog({ path: catalogPath(data), clock });
}
