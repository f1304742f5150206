/**
 * The catalog's file on disk: made for this user alone, because it holds the projects' secrets and the server's keys.
 *
 * The file of a running catalog must never be opened and closed again by other means in the same process: POSIX drops all locks
 * of the process on a file when any descriptor of it is closed, and with them SQLite's. So a file that exists is only looked at.
 */
import { closeSync, openSync } from 'node:fs';
import { chmod, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import { syncFolder } from '../lib/atomic-file.ts';
import { isSystemError } from '../lib/system-error.ts';

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

/**
 * Makes the catalog's folder and an empty file, or takes others' rights from a file that exists. SQLite gives its -wal and -shm
 * files the rights of the file. A new file and its folder are durable when this returns.
 * @throws AppError data_directory when this user may not do so
 */
export async function prepareCatalogFile(path: string): Promise<void> {
  try {
    const firstMade = await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    if (firstMade !== undefined) await syncFolder(dirname(firstMade));
    if (createFile(path)) await syncFolder(dirname(path));
    else for (const suffix of ['', '-wal', '-shm']) await takeOthersRights(path + suffix);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('data_directory', `The catalog ${path} cannot be opened: ${reason}.`, { cause: error });
  }
}

async function takeOthersRights(path: string): Promise<void> {
  try {
    if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, FILE_MODE);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error; // SQLite makes and deletes the other two as it needs them
  }
}

/** Makes the file unless it exists, and says whether it did; at one go, because SQLite may open it as soon as it is there. */
function createFile(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', FILE_MODE));
    return true;
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return false;
    throw error;
  }
}
