/**
 * One package on its way into the package store: CSV in, gzip out, with the three checksums that its manifest records.
 *
 * While a block is compressed on a thread of libuv's pool, this thread hashes its CSV, hashes and stores what came of the block
 * before, and then goes on to whatever its caller does. In a row, the same steps take nearly twice as long.
 */
import { createHash } from 'node:crypto';
import type { PackageSink, PackageCreator } from '../packages/package-store.ts';
import type { GzipCodec, GzipStream } from './gzip/gzip-codec.ts';

/** Size and checksums of a finished package, as `PackageEntry` has them. */
export type PackageSums = {
  readonly bytes: number;
  readonly md5: string;
  readonly sha256: string;
  readonly csvSha256: string;
};

export class PackageFile {
  readonly #sink: PackageSink;
  readonly #gzip: GzipStream;
  readonly #csvSha256 = createHash('sha256');
  readonly #md5 = createHash('md5');
  readonly #sha256 = createHash('sha256');
  #bytes = 0;
  /** The block that is being compressed. */
  #compressing: Promise<Uint8Array> | undefined;
  /** What came of the block before that, on its way to the store. */
  #storing: Promise<void> | undefined;

  private constructor(sink: PackageSink, gzip: GzipStream) {
    this.#sink = sink;
    this.#gzip = gzip;
  }

  /** Creates the package in the store; nothing is visible under the key before `finish`. */
  static async create({ store, key, codec }: PackageFileOptions): Promise<PackageFile> {
    return new PackageFile(await store.create(key), codec.open());
  }

  /** Compressed bytes so far, those of a block that is still being compressed left out. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Begins to compress a block of CSV. The caller leaves its memory alone until the next call has returned.
   * @throws the error of an earlier block, too
   */
  async write(csv: Uint8Array): Promise<void> {
    const before = await this.#compressing;
    await this.#storing;
    this.#compressing = this.#gzip.write(csv);
    this.#compressing.catch(() => undefined); // thrown by the next call
    this.#csvSha256.update(csv);
    if (before) this.#storeLater(before);
  }

  /** Waits until every block has been compressed, so that `bytes` is exact. */
  async settle(): Promise<void> {
    const last = await this.#compressing;
    this.#compressing = undefined;
    await this.#storing;
    if (last) this.#storeLater(last);
  }

  /** Ends the gzip stream and makes the package durable and visible. */
  async finish(): Promise<PackageSums> {
    await this.settle();
    await this.#storing;
    await this.#store(await this.#gzip.finish());
    await this.#sink.finish();
    return {
      bytes: this.#bytes,
      md5: this.#md5.digest('hex'),
      sha256: this.#sha256.digest('hex'),
      csvSha256: this.#csvSha256.digest('hex'),
    };
  }

  /** Forgets the package. */
  async abort(): Promise<void> {
    await this.#sink.abort();
  }

  #storeLater(compressed: Uint8Array): void {
    this.#storing = this.#store(compressed);
    this.#storing.catch(() => undefined); // thrown by the next call
  }

  async #store(compressed: Uint8Array): Promise<void> {
    const writing = this.#sink.write(compressed);
    this.#md5.update(compressed);
    this.#sha256.update(compressed);
    this.#bytes += compressed.byteLength;
    await writing;
  }
}

export type PackageFileOptions = {
  readonly store: PackageCreator;
  readonly key: string;
  readonly codec: GzipCodec;
};
