/**
 * Packages in a directory of this machine: the package store when there is no S3-compatible storage.
 *
 * A key is the path below the root. Several processes may use one root at the same time; an empty folder may vanish under a
 * writer at any moment, because every deletion takes the empty folders with it.
 *
 * Lost in a crash: packages not finished. Their temporary files go with their folder: see `deleteUnder`.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rm, rmdir, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { parseUtcHour, type Hour } from '../events/hour.ts';
import { syncFolder } from '../lib/atomic-file.ts';
import { isSystemError } from '../lib/system-error.ts';
import { LocalOpenPackage } from './local-open-package.ts';
import { LocalPackageSink } from './local-package-sink.ts';
import type { OpenPackage, PackageSink, PackageStore } from './package-store.ts';

// No leading dot, so a key is neither `..` nor a temporary file; 200 characters leave room for the temporary name's own.
const KEY = /^[0-9A-Za-z_-][0-9A-Za-z._-]{0,199}(\/[0-9A-Za-z_-][0-9A-Za-z._-]{0,199})*$/;
const CREATE_TRIES = 100;

export class LocalPackageStore implements PackageStore {
  readonly #rootPath: string;

  private constructor(rootPath: string) {
    this.#rootPath = rootPath;
  }

  /** Opens the store of a directory; makes the directory when it is not there. */
  static async open(path: string): Promise<LocalPackageStore> {
    const rootPath = resolve(path);
    const firstMade = await mkdir(rootPath, { recursive: true, mode: 0o700 });
    for (let made = rootPath; firstMade !== undefined; made = dirname(made)) {
      await syncFolder(dirname(made));
      if (made === firstMade) break;
    }
    return new LocalPackageStore(rootPath);
  }

  /** See PackageStore. @throws RangeError when the key is no relative path of safe names */
  async create(key: string): Promise<PackageSink> {
    const path = this.#pathOf(key);
    const temporaryPath = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
    const file = await createFile(temporaryPath);
    return new LocalPackageSink({ file, temporaryPath, path, rootPath: this.#rootPath });
  }

  /** See PackageStore. @throws RangeError when the key is no relative path of safe names */
  async open(key: string): Promise<OpenPackage | undefined> {
    const file = await ifThere(open(this.#pathOf(key), 'r'));
    if (file === undefined) return undefined;
    try {
      const found = await file.stat();
      if (found.isFile()) return new LocalOpenPackage({ file, bytes: found.size, key });
    } catch (error) {
      await file.close();
      throw error;
    }
    await file.close();
    return undefined;
  }

  /** See PackageStore. The deletion is durable when it returns. @throws RangeError when the key is no relative path of safe names */
  async delete(key: string): Promise<void> {
    const path = this.#pathOf(key);
    await ifThere(unlink(path));
    await this.#removeEmptyFolders(dirname(path));
  }

  /** See PackageStore. @throws RangeError when the folder is no relative path of safe names */
  async deleteUnder(folder: string, kept: ReadonlySet<string> = new Set()): Promise<void> {
    const path = this.#pathOf(folder);
    for (const name of (await ifThere(readdir(path))) ?? [])
      if (!kept.has(name)) await rm(join(path, name), { recursive: true, force: true });
    await this.#removeEmptyFolders(path);
  }

  async deleteBefore(ai: string, hour: Hour): Promise<void> {
    const folderPath = this.#pathOf(ai);
    const names = await ifThere(readdir(folderPath));
    if (names === undefined) return;
    for (const name of names) {
      const named = parseUtcHour(name);
      if (named !== undefined && named < hour) await rm(join(folderPath, name), { recursive: true, force: true });
    }
    await this.#removeEmptyFolders(folderPath);
  }

  /** Removes the folder and its parents below the root as long as they are empty, and syncs the first that stays. */
  async #removeEmptyFolders(folderPath: string): Promise<void> {
    let path = folderPath;
    while (path !== this.#rootPath) {
      try {
        await rmdir(path);
      } catch (error) {
        if (isSystemError(error, 'ENOTEMPTY') || isSystemError(error, 'EEXIST')) break;
        if (!isMissing(error)) throw error;
      }
      path = dirname(path);
    }
    await ifThere(syncFolder(path));
  }

  #pathOf(key: string): string {
    if (!KEY.test(key)) throw new RangeError(`${JSON.stringify(key)} is no package key`);
    return join(this.#rootPath, key);
  }
}

/** Creates a file and its folders. A deletion elsewhere may remove a folder as soon as it is made, so this tries again. */
async function createFile(path: string): Promise<FileHandle> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      return await open(path, 'wx', 0o600);
    } catch (error) {
      if (!isMissing(error) || attempt === CREATE_TRIES) throw error;
    }
  }
}

/** Waits for a file operation; gives undefined when the file or a folder above it is not there. */
async function ifThere<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return isSystemError(error, 'ENOENT') || isSystemError(error, 'ENOTDIR');
}
