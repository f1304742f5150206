/**
 * The folder that a backup is made in: takes files of a data directory, and forgets them all when the backup fails.
 *
 * From its first to its last moment a file says that the backup is unfinished; `backup.json` is written before that file goes. So
 * what a crash leaves is refused by `tidegate restore`, which wants the one, and by every command with `--data`, by either.
 */
import { mkdir, open, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { unfinishedBackupPath } from '../catalog/data-catalog.ts';
import { AppError } from '../errors/app-error.ts';
import { syncFile, syncFolder } from '../lib/atomic-file.ts';
import { emptyFolder, listContent, makeFolder } from '../lib/empty-folder.ts';
import { copyFileHashed, hashFile, linkFileHashed, type FileSum } from '../lib/file-copy.ts';
import { describeFault, isSystemError } from '../lib/system-error.ts';
import { BACKUP_VERSION, writeFileList, type BackupFile } from './backup-file-list.ts';

export class BackupWriter {
  readonly #data: string;
  readonly #target: string;
  readonly #signal: AbortSignal | undefined;
  readonly #files = new Map<string, FileSum>();
  readonly #folders: Set<string>;

  private constructor(data: string, target: string, signal: AbortSignal | undefined) {
    this.#data = data;
    this.#target = target;
    this.#signal = signal;
    this.#folders = new Set([target]);
  }

  /** Begins a backup in a folder that is empty or not there yet. @throws AppError folder_not_empty, or the system error */
  static async begin(options: {
    readonly data: string;
    readonly target: string;
    readonly signal?: AbortSignal | undefined;
  }): Promise<BackupWriter> {
    const { data, target, signal } = options;
    await makeFolder(target);
    const notEmpty = new AppError('folder_not_empty', `${target} is not empty, so no backup is made in it.`);
    if ((await listContent(target)).length > 0) throw notEmpty;
    // Of two backups that begin in one folder at once, the second fails here.
    const marker = await open(unfinishedBackupPath(target), 'wx', 0o600).catch((error: unknown) => {
      throw isSystemError(error, 'EEXIST') ? notEmpty : error;
    });
    await marker.close();
    await syncFolder(target);
    return new BackupWriter(data, target, signal);
  }

  /** Where a file of the backup lies. */
  pathOf(path: string): string {
    return join(this.#target, path);
  }

  /** Takes a file that never changes. Undefined when it is not there any more. */
  async tryKeep(path: string): Promise<FileSum | undefined> {
    return this.#take(path, linkFileHashed);
  }

  /** Takes a file that only ever grows, as far as it has grown. Undefined when it is not there any more. */
  async tryCopy(path: string): Promise<FileSum | undefined> {
    return this.#take(path, copyFileHashed);
  }

  /** Takes a file that the caller has written to `pathOf(path)`. */
  async add(path: string): Promise<void> {
    await syncFile(this.pathOf(path));
    this.#files.set(path, await hashFile(this.pathOf(path)));
  }

  /** Forgets a file, or all files of a folder. */
  async drop(path: string): Promise<void> {
    await rm(this.pathOf(path), { recursive: true, force: true });
    for (const known of [...this.#files.keys()])
      if (known === path || known.startsWith(`${path}/`)) this.#files.delete(known);
    for (const folder of [...this.#folders])
      if (folder === this.pathOf(path) || folder.startsWith(`${this.pathOf(path)}/`)) this.#folders.delete(folder);
  }

  /** Makes everything durable and then the folder a backup. Returns its files. */
  async finish(startedAt: Date, endedAt: Date): Promise<readonly BackupFile[]> {
    this.#signal?.throwIfAborted();
    for (const folder of this.#folders) await syncFolder(folder);
    const files = [...this.#files].map(([path, sum]) => ({ path, ...sum }));
    await writeFileList(this.#target, {
      version: BACKUP_VERSION,
      startedAt: startedAt.toISOString(),
      endedAt: endedAt.toISOString(),
      files,
    });
    await rm(unfinishedBackupPath(this.#target));
    await syncFolder(this.#target);
    return files;
  }

  /** Empties the folder again. */
  async abort(): Promise<void> {
    await emptyFolder(this.#target, basename(unfinishedBackupPath(this.#target)));
  }

  async #take(path: string, take: typeof linkFileHashed): Promise<FileSum | undefined> {
    this.#signal?.throwIfAborted();
    const known = this.#files.get(path);
    if (known) return known;
    const target = this.pathOf(path);
    try {
      await this.#makeFolder(dirname(target));
      const sum = await take(join(this.#data, path), target);
      this.#files.set(path, sum);
      return sum;
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      const message = `The file ${path} could not be taken into the backup: ${describeFault(error)}.`;
      throw new AppError('backup_failed', message, { cause: error });
    }
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (let made = folder; !this.#folders.has(made); made = dirname(made)) this.#folders.add(made);
  }
}
