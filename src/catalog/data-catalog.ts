/** The catalog of a data directory: what every process of this machine opens. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Catalog } from './catalog.ts';
import { openCatalog } from './open-catalog.ts';

/** Makes the data directory and opens its catalog. @throws AppError data_directory, and what openCatalog throws */
export async function openDataCatalog(data: string, clock: Clock): Promise<Catalog> {
  try {
    await mkdir(data, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new AppError('data_directory', `The data directory ${data} cannot be made: ${String(error)}.`, {
      cause: error,
    });
  }
  return openCatalog({ path: catalogPath(data), clock });
}

/** Opens the catalog of a data directory that must be there. @throws AppError data_directory, and what openCatalog throws */
export async function openExistingCatalog(data: string, clock: Clock): Promise<Catalog> {
  if (!existsSync(catalogPath(data))) throw new AppError('data_directory', `There is no Tidegate data in ${data}.`);
  return openCatalog({ path: catalogPath(data), clock });
}

function catalogPath(data: string): string {
  return join(data, 'catalog.sqlite');
}
