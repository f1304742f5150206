/**
 * Makes a data directory out of a backup.
 *
 * Everything is copied and checked against backup.json. Until the last file is durable, a file in the directory says that the
 * restore is unfinished, and every command refuses such a directory; what is in it is deleted when the restore is run again.
 */
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { refuseNewerCatalog } from '../catalog/catalog-snapshot.ts';
import { catalogPath, unfinishedRestorePath } from '../catalog/data-catalog.ts';
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import { isThere, syncFolder } from '../lib/atomic-file.ts';
import { emptyFolder, listContent, makeFolder } from '../lib/empty-folder.ts';
import { copyFileHashed } from '../lib/file-copy.ts';
import { isInside } from '../lib/folder-inside.ts';
import { readFormat } from '../store/hour-log/hour-log.ts';
import { formatPath } from '../store/hour-log/layout.ts';
import { readFileList, type BackupFileList } from './backup-file-list.ts';
import { backupFailure } from './backup-failure.ts';

export type RestoreBackupOptions = {
  readonly from: string;
  /** A data directory that is empty or not there yet, or the half of an earlier restore. */
  readonly data: string;
  /** Stops the restore; nothing is left of it then. */
  readonly signal?: AbortSignal;
};

/**
 * Restores a backup; durable when this returns. Gives what was restored.
 * @throws AppError backup_invalid, folder_not_empty, backup_failed, format_too_new; ConfigurationError
 */
export async function restoreBackup({ from, data, signal }: RestoreBackupOptions): Promise<BackupFileList> {
  const fail = (error: unknown): never => {
    throw backupFailure(`The restore into ${data}`, error, signal);
  };
  const list = await readFileList(from).catch(fail);
  await checkSizes(from, list);
  // What is begun in the data directory is also emptied there.
  if ((await isInside(data, from).catch(fail)) || (await isInside(from, data).catch(fail)))
    throw new ConfigurationError([`The backup ${from} and the data directory ${data} lie in one another.`]);
  await beginRestore(data).catch(fail);
  try {
    await copyFiles(from, data, list, signal);
    await refuseNewer(data);
    await rm(unfinishedRestorePath(data));
    await syncFolder(data);
    return list;
  } catch (error) {
    await empty(data).catch(() => undefined); // the directory goes on saying that it is unfinished
    return fail(error);
  }
}

/** Looks at every file before one is copied. @throws AppError backup_invalid */
async function checkSizes(from: string, { files }: BackupFileList): Promise<void> {
  for (const { path, bytes } of files) {
    const found = await stat(join(from, path)).catch(() => undefined);
    if (!found?.isFile()) throw new AppError('backup_invalid', `The backup ${from} lacks the file ${path}.`);
    if (found.size === bytes) continue;
    const message = `The file ${path} of the backup ${from} has ${found.size} bytes instead of ${bytes}.`;
    throw new AppError('backup_invalid', message);
  }
}

async function beginRestore(data: string): Promise<void> {
  await makeFolder(data);
  const marker = unfinishedRestorePath(data);
  if (await isThere(marker)) await empty(data);
  else if ((await listContent(data)).length > 0)
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
    const copied = await copyFileHashed(join(from, path), target).catch((error: unknown) => {
      throw backupFailure(`The restore of the file ${path}`, error, signal);
    });
    if (copied.sha256 !== sha256)
      throw new AppError('backup_invalid', `The file ${path} of the backup ${from} is not what backup.json says.`);
  }
  for (const folder of folders) await syncFolder(folder);
}

/** Refuses what a newer program has written, before a server would. @throws AppError format_too_new, store_corrupt */
async function refuseNewer(data: string): Promise<void> {
  refuseNewerCatalog(catalogPath(data));
  const log = join(data, 'hour-log');
  if (await isThere(formatPath(log))) await readFormat(log);
}

/** Deletes what an unfinished restore has made, what says so last. */
async function empty(data: string): Promise<void> {
  await emptyFolder(data, basename(unfinishedRestorePath(data)));
}
