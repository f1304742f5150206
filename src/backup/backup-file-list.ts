/**
 * `backup.json`: what a backup holds. It is written last, so that a backup that has one is whole.
 */
import { backupListPath } from '../catalog/data-catalog.ts';
import { AppError } from '../errors/app-error.ts';
import { readFileIfThere, writeFileAtomic } from '../lib/atomic-file.ts';

export const BACKUP_VERSION = 1;

export type BackupFile = {
  /** Below the backup's folder, and below the data directory: with `/`, and never upwards. */
  readonly path: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
};

export type BackupFileList = {
  readonly version: number;
  /** RFC 3339, UTC: everything that was acknowledged before is in the backup. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly files: readonly BackupFile[];
};

/** Writes the list of a backup whose files are durable; from now on it is one. */
export async function writeFileList(folder: string, list: BackupFileList): Promise<void> {
  await writeFileAtomic(backupListPath(folder), `${JSON.stringify(list, null, 1)}\n`);
}

/** Reads a backup's list. @throws AppError backup_invalid when there is none that can be trusted, format_too_new */
export async function readFileList(folder: string): Promise<BackupFileList> {
  const bytes = await readFileIfThere(backupListPath(folder));
  if (!bytes)
    throw new AppError('backup_invalid', `${folder} has no backup.json: it is no backup, or one that did not end.`);
  const list = parse(bytes.toString());
  // Before anything else of it is looked at: a newer list may say the rest in other words.
  const version = versionOf(list);
  if (version > BACKUP_VERSION) {
    const message = `The backup ${folder} is of version ${version}; this program knows up to ${BACKUP_VERSION}.`;
    throw new AppError('format_too_new', message);
  }
  if (!isFileList(list)) throw new AppError('backup_invalid', `The file backup.json of ${folder} is damaged.`);
  return list;
}

function versionOf(list: unknown): number {
  const version = typeof list === 'object' && list !== null && 'version' in list ? list.version : undefined;
  return typeof version === 'number' ? version : 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isFileList(list: unknown): list is BackupFileList {
  if (typeof list !== 'object' || list === null) return false;
  const { version, startedAt, files } = list as Partial<BackupFileList>;
  return (
    version === BACKUP_VERSION &&
    typeof startedAt === 'string' &&
    Array.isArray(files) &&
    files.every(isFile) &&
    hasCatalog(files)
  );
}

function hasCatalog(files: readonly BackupFile[]): boolean {
  return files.some(({ path }) => path === 'catalog.sqlite');
}

/** A list from elsewhere must not make a restore write outside of its folder. */
function isFile(file: unknown): file is BackupFile {
  if (typeof file !== 'object' || file === null) return false;
  const { path, bytes, sha256 } = file as Partial<BackupFile>;
  return (
    typeof path === 'string' &&
    /^[0-9A-Za-z_-][0-9A-Za-z._-]*(\/[0-9A-Za-z_-][0-9A-Za-z._-]*)*$/.test(path) &&
    Number.isInteger(bytes) &&
    typeof sha256 === 'string'
  );
}
