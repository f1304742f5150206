/**
 * Small files that are there whole and durable, or not at all.
 *
 * Each function syncs the file before it gets its name and the folder after, so that a file seen after a power loss is complete.
 * Cost: two fsyncs.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { access, link, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isSystemError } from './system-error.ts';

/** Makes the folder's entries durable. */
export async function syncFolder(path: string): Promise<void> {
  await syncFile(path);
}

/** Makes what was written to a file durable. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeTemporary(path: string, data: string | Uint8Array): Promise<string> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(data);
    await handle.sync();
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
  return temporary;
}

/** Writes a file, replacing the one that is there. Durable when it returns. */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = await writeTemporary(path, data);
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** Writes a file unless there is one already; the first writer of any process wins. Durable when it returns. */
export async function writeFileOnce(path: string, data: string | Uint8Array): Promise<'written' | 'exists'> {
  const temporary = await writeTemporary(path, data);
  try {
    await link(temporary, path);
    return 'written';
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return 'exists';
    throw error;
  } finally {
    await unlink(temporary);
    await syncFolder(dirname(path));
  }
}

/** Reads a file; undefined when it is not there. */
export async function readFileIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Says whether there is a file of this name. Unlike `existsSync` it does not take a disk that failed for a no: that throws. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false;
    throw error;
  }
}

/** As `isThere`, at once: for where it is asked thousands of times a second about a folder that the kernel has in memory. */
export function isThereNow(path: string): boolean {
  return existsSync(path) || statSync(path, { throwIfNoEntry: false }) !== undefined; // the second tells a failure from a no
}
