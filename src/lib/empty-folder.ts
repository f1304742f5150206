/** Folders that must be empty to begin with, and are emptied when what was begun in them fails. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from './atomic-file.ts';

/** The root of a fresh file system has this, and it is nobody's data. */
const OF_THE_FILE_SYSTEM = 'lost+found';

/** Makes a folder, for this user alone, unless it is there. Durable when this returns. */
export async function makeFolder(path: string): Promise<void> {
  const firstMade = await mkdir(path, { recursive: true, mode: 0o700 });
  if (firstMade !== undefined) await syncFolder(dirname(firstMade));
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
