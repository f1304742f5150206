/**
 * Makes a data directory out of a backup.
 *
 * Everything is copied and checked against backup.json. Until the last file is durable, a file in the directory says that the
 * restore is unfinished, and every command refuses such a directory; what is in it is deleted when the restore is run again.
 */
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { unfinishedRestorePath } from '../catalog/data-catalog.ts';
import { AppError } from '../errors/app-error.ts';
import { isThere, syncFolder } from '../lib/atomic-file.ts';
import { copyFileHashed } from '../lib/file-copy.ts';
import { describeFault } from '../lib/system-error.ts';
import { readFileList, type BackupFileList } from './backup-file-list.ts';

export type RestoreBackupOptions = {
  readonly from: string;
  /** A data directory that is empty or not there yet. */
  readonly data: string;
  /** Stops the restore; nothing is left of it then. */
  readonly signal?: AbortSignal;
};

/**
 * Restores a backup; durable when this returns. Gives what was restored.
 * @throws AppError backup_invalid, folder_not_empty, backup_failed, format_too_new
 */
export async function restoreBackup({ from, data, signal }: RestoreBackupOptions): Promise<BackupFileList> {
  const list = await readFileList(from);
  await checkSizes(from, list);
  try {
    await beginRestore(data);
  } catch (error) {
    throw failed(data, error);
  }
  try {
    await copyFiles(from, data, list, signal);
    await rm(unfinishedRestorePath(data));
    await syncFolder(data);
    return list;
  } catch (error) {
    await empty(data);
    throw failed(data, error);
  }
}

/** Looks at every file before one is copied. @throws AppError backup_invalid */
async function checkSizes(from: string, { files }: BackupFileList): Promise<void> {
  for (const { path, bytes } of files) {
    const found = await stat(join(from, path)).catch(() => undefined);
    if (!found?.isFile()) throw new AppError('backup_invalid', `The backup lacks the file ${path}.`);
    if (found.size !== bytes)
      throw new AppError(
        'backup_invalid',
        `The file ${path} of the backup has ${found.size} bytes instead of ${bytes}.`,
      );
  }
}

async function beginRestore(data: string): Promise<void> {
  const firstMade = await mkdir(data, { recursive: true, mode: 0o700 });
  if (firstMade !== undefined) await syncFolder(dirname(firstMade));
  const marker = unfinishedRestorePath(data);
  if (await isThere(marker)) await empty(data);
  else if ((await readdir(data)).length > 0)
    throw new AppError('folder_not_empty', `The data directory ${data} is not empty, so nothing is restored into it.`);
  await (await open(marker, 'wx', 0o600)).close();
  await syncFolder(data);
}

async function copyFiles(
  from: string,
  data: string,
  { files }: BackupFileList,
  signal: AbortSignal | undefined,
): Promise<void> {
  const folders = new Set([data]);
  for (const { path, sha256 } of files) {
    signal?.throwIfAborted();
    const target = join(data, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    for (let folder = dirname(target); !folders.has(folder); folder = dirname(folder)) folders.add(folder);
    const copied = await copyFileHashed(join(from, path), target);
    if (copied.sha256 !== sha256)
      throw new AppError('backup_invalid', `The file ${path} of the backup is not what backup.json says.`);
  }
  for (const folder of folders) await syncFolder(folder);
}

/** Deletes what an unfinished restore has made, what says so last. */
async function empty(data: string): Promise<void> {
  const marker = unfinishedRestorePath(data);
  for (const name of await readdir(data)) {
    if (join(data, name) !== marker) await rm(join(data, name), { recursive: true, force: true });
  }
  await rm(marker, { force: true });
}

function failed(data: string, error: unknown): unknown {
  if (error instanceof AppError) return error;
  return new AppError('backup_failed', `The restore into ${data} failed: ${describeFault(error)}.`, { cause: error });
}
