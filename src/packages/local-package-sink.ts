/**
 * One package being written to disk, for `LocalPackageStore`.
 *
 * Steps: written as a temporary file in its own folder → file synced → renamed → every folder from its own up to the root
 * synced. All the folders, each time: a new one is an entry of its parent, a folder that another writer has just made is not
 * durable yet, and an unchanged one costs next to nothing.
 */
import { writeSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../lib/atomic-file.ts';
import type { PackageSink } from './package-store.ts';

export type LocalPackageSinkOptions = {
  readonly file: FileHandle;
  readonly temporaryPath: string;
  /** Final name. */
  readonly path: string;
  readonly rootPath: string;
};

export class LocalPackageSink implements PackageSink {
  readonly #options: LocalPackageSinkOptions;
  #state: 'open' | 'failed' | 'finished' | 'aborted' = 'open';

  constructor(options: LocalPackageSinkOptions) {
    this.#options = options;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#step(() => {
      const { fd } = this.#options.file;
      for (let at = 0; at < bytes.byteLength;) at += writeSync(fd, bytes, at, bytes.byteLength - at);
    });
  }

  async finish(): Promise<void> {
    await this.#step(async () => {
      const { file, temporaryPath, path, rootPath } = this.#options;
      await file.sync();
      await file.close();
      await rename(temporaryPath, path);
      for (let folder = dirname(path); ; folder = dirname(folder)) {
        await syncFolder(folder);
        if (folder === rootPath) break;
      }
    });
    this.#state = 'finished';
  }

  async abort(): Promise<void> {
    if (this.#state === 'finished' || this.#state === 'aborted') return;
    this.#state = 'aborted';
    await this.#options.file.close().catch(() => undefined); // what it would say was said by the write or sync that failed
    await rm(this.#options.temporaryPath, { force: true });
  }

  /** After a failed step only `abort` is left: a second fsync may report success although the pages are lost. */
  async #step(action: () => Promise<void> | void): Promise<void> {
    if (this.#state !== 'open') throw new Error(`the package ${this.#options.path} is ${this.#state}`);
    try {
      await action();
    } catch (error) {
      this.#state = 'failed';
      throw error;
    }
  }
}
