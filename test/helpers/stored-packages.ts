/** Reads all packages of a data directory from the disk, beside a server that may delete some. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSystemError } from '../../src/lib/system-error.ts';

/** Gives the bytes of each finished package by its key. */
export function findPackages(data: string): Promise<ReadonlyMap<string, Buffer>> {
  return readBelow(join(data, 'packages'), async (root) => {
    const packages = new Map<string, Buffer>();
    for (const key of (await readdir(root, { recursive: true })).filter((entry) => entry.endsWith('.csv.gz')))
      packages.set(key, await readFile(join(root, key)));
    return packages;
  });
}

/** Lists the files and folders of all packages. */
export function listPackages(data: string): Promise<readonly string[]> {
  return readBelow(join(data, 'packages'), (root) => readdir(root, { recursive: true }));
}

/** Reads anew what lies below a folder when something of it was deleted meanwhile. */
export async function readBelow<T>(root: string, read: (root: string) => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await read(root);
    } catch (error) {
      if (!isSystemError(error, 'ENOENT') || !existsSync(root)) throw error;
    }
  }
}
