/** Reads all packages of a data directory from the disk. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Gives the bytes of each finished package by its key. */
export async function findPackages(data: string): Promise<ReadonlyMap<string, Buffer>> {
  const root = join(data, 'packages');
  const entries = await readdir(root, { recursive: true });
  const packages = new Map<string, Buffer>();
  for (const key of entries.filter((entry) => entry.endsWith('.csv.gz')))
    packages.set(key, await readFile(join(root, key)));
  return packages;
}
