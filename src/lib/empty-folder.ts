/** Folders that must be empty to begin with, and are emptied when what was begun in them fails. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { syncFolder } from './atomic-file.ts';
import { isSystemError } from './system-error.ts';

/** The root of a fresh file system has this, and it is nobody's data. */
const OF_THE_FILE_SYSTEM = 'lost+found';

/**
 * Makes a folder and those above it, for this user alone, unless they are there. Durable when this returns. Not by a recursive
 * `mkdir`: Node's never ends where a folder that is there answers ENOENT to everything, as /proc does.
 */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) missing.push(folder);
  for (const folder of missing.toReversed()) {
    try {
      await mkdir(folder, { mode: 0o700 });
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw error; // another process has made it meanwhile
    }
    await syncFolder(dirname(folder));
  }
  if (!(await stat(path)).isDirectory()) await readdir(path); // fails with ENOTDIR
}

/** Lists what is in a folder. */
export async function listContent(path: string): Promise<readonly string[]> {
  return (await readdir(path)).filter((name) => name !== OF_THE_FILE_SYSTEM);
}

/** Deletes what is in a folder: the entry `last` after everything else. */
export async function emptyFolder(path: string, last: string): Promise<void> {
  const names = await listContent(path);
  for (const name of names) if (name !== last) await rm(join(path, name), { recursive: true, force: true });
  await rm(join(path, last), { force: true });
}
