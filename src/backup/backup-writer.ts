/**
 * The folder that a backup is made in: takes files of a data directory, and forgets them all when the backup fails.
 *
 * A crash leaves a folder without backup.json, which no restore takes.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import { syncFile, syncFolder } from '../lib/atomic-file.ts';
import { copyFileHashed, hashFile, linkFileHashed, type FileSum } from '../lib/file-copy.ts';
import { isSystemError } from '../lib/system-error.ts';
import { BACKUP_VERSION, writeFileList, type BackupFile } from './backup-file-list.ts';

export class BackupWriter {
  readonly #data: string;
  readonly #target: string;
  readonly #signal: AbortSignal | undefined;
  readonly #files = new Map<string, FileSum>();
  readonly #folders = new Set<string>();

  private constructor(data: string, target: string, signal: AbortSignal | undefined) {
    this.#data = data;
    this.#target = target;
    this.#signal = signal;
  }

  /** Begins a backup in a folder that is empty or not there yet. @throws AppError folder_not_empty, backup_failed */
  static async begin(options: {
    readonly data: string;
    readonly target: string;
    readonly signal?: AbortSignal | undefined;
  }): Promise<BackupWriter> {
    const { data, target, signal } = options;
    const firstMade = await mkdir(target, { recursive: true, mode: 0o700 });
    if (firstMade !== undefined) await syncFolder(dirname(firstMade));
    if ((await readdir(target)).length > 0)
      throw new AppError('folder_not_empty', `The folder ${target} is not empty, so no backup is made in it.`);
    // Not recursive: of two backups that begin at once in one folder, the second fails here.
    await mkdir(join(target, 'hour-log'), { mode: 0o700 });
    const writer = new BackupWriter(data, target, signal);
    writer.#folders.add(target).add(join(target, 'hour-log'));
    return writer;
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
    for (const folder of this.#folders) await syncFolder(folder);
    const files = [...this.#files].map(([path, sum]) => ({ path, ...sum }));
    await writeFileList(this.#target, {
      version: BACKUP_VERSION,
      startedAt: startedAt.toISOString(),
      endedAt: endedAt.toISOString(),
      files,
    });
    return files;
  }

  /** Empties the folder again. */
  async abort(): Promise<void> {
    for (const name of await readdir(this.#target))
      await rm(join(this.#target, name), { recursive: true, force: true });
  }

  async #take(path: string, take: typeof linkFileHashed): Promise<FileSum | undefined> {
    this.#signal?.throwIfAborted();
    const known = this.#files.get(path);
    if (known) return known;
    const target = this.pathOf(path);
    await this.#makeFolder(dirname(target));
    try {
      const sum = await take(join(this.#data, path), target);
      this.#files.set(path, sum);
      return sum;
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (let made = folder; !this.#folders.has(made); made = dirname(made)) this.#folders.add(made);
  }
}
