/**
 * One package being read from disk, for `LocalPackageStore`.
 *
 * Reads through one open file, so that a deletion takes the name away but not the bytes (P3). Whoever ends first closes the
 * file: the stream at its end or when it is destroyed, or `close`. Memory: at most two chunks of 256 KiB.
 */
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { AppError } from '../errors/app-error.ts';
import type { OpenPackage } from './package-store.ts';

const CHUNK_BYTES = 256 * 1024;

export class LocalOpenPackage implements OpenPackage {
  readonly bytes: number;
  readonly #file: FileHandle;
  readonly #key: string;

  constructor(options: { readonly file: FileHandle; readonly bytes: number; readonly key: string }) {
    this.bytes = options.bytes;
    this.#file = options.file;
    this.#key = options.key;
  }

  async read(into: Uint8Array, from: number): Promise<number> {
    const { bytesRead } = await this.#file.read(into, 0, into.length, from);
    return bytesRead;
  }

  /** See OpenPackage. May be called once. @throws RangeError when the range does not lie in the package */
  stream({ from, until }: { readonly from: number; readonly until: number }): Readable {
    if (!(from >= 0 && from <= until && until <= this.bytes)) {
      throw new RangeError(`bytes ${from} to ${until} do not lie in a package of ${this.bytes}`);
    }
    return streamRange(this.#file, from, until, this.#key);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** A stream of its own and not an async generator: a generator destroyed before its first read never runs its `finally`. */
function streamRange(file: FileHandle, from: number, until: number, key: string): Readable {
  let at = from;
  return new Readable({
    highWaterMark: CHUNK_BYTES,
    read() {
      const wantedBytes = Math.min(CHUNK_BYTES, until - at);
      if (wantedBytes === 0) {
        this.push(null);
        return;
      }
      file.read(Buffer.allocUnsafeSlow(wantedBytes), 0, wantedBytes, at).then(
        ({ bytesRead, buffer }) => {
          at += bytesRead;
          if (bytesRead > 0) this.push(buffer.subarray(0, bytesRead));
          else this.destroy(new AppError('store_corrupt', `The package ${key} is shorter than it was when opened.`));
        },
        (error: unknown) => this.destroy(error as Error),
      );
    },
    destroy(error, done) {
      file.close().then(
        () => done(error),
        (closeError: unknown) => done(error ?? (closeError as Error)),
      );
    },
  });
}
