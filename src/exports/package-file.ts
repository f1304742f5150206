/**
 * One package on its way into the package store: CSV in, gzip out, with the three checksums that its manifest records.
 *
 * Two threads share the work. A block is compressed and its CSV hashed in libuv's pool, one after the other; this thread gathers
 * the next blocks, and hashes and stores what came of each. Both have about as much to do, so that two cores are busy. With two
 * steps in the pool at once the system gave them this thread's core in turn, and the other one stood idle.
 */
import { createHash } from 'node:crypto';
import type { PackageSink, PackageCreator } from '../packages/package-store.ts';
import { maxCompressedBytes } from './gzip/compressed-size.ts';
import type { GzipCodec, GzipStream } from './gzip/gzip-codec.ts';
import type { HashOpener, StreamHash } from './stream-hash.ts';

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
  readonly #csvSha256: StreamHash;
  readonly #md5 = createHash('md5');
  readonly #sha256 = createHash('sha256');
  #bytes = 0;
  /** Blocks that are not done, and the most that those of them which are not compressed may come to. */
  #waitingBlocks = 0;
  #waitingBytes = 0;
  /** Blocks whose CSV nobody has begun to hash, in order, and whether one is being hashed in the pool. */
  readonly #unhashed: Uint8Array[] = [];
  #isHashing = false;
  /** Until when the last block is compressed, hashed and stored, and until when the one before it is. */
  #last: Promise<void> = Promise.resolve();
  #before: Promise<void> = Promise.resolve();

  private constructor(sink: PackageSink, gzip: GzipStream, openHash: HashOpener) {
    this.#sink = sink;
    this.#gzip = gzip;
    this.#csvSha256 = openHash();
  }

  /** Creates the package in the store; nothing is visible under the key before `finish`. */
  static async create({ store, key, codec, openHash }: PackageFileOptions): Promise<PackageFile> {
    return new PackageFile(await store.create(key), codec.open(), openHash);
  }

  /** Compressed bytes so far; when blocks are still being compressed, the most it can be. */
  get mostBytes(): number {
    return this.#bytes + this.#waitingBytes;
  }

  /** Whether something is left to be done for the blocks so far, which goes on when this thread's event loop turns. */
  get isBusy(): boolean {
    return this.#waitingBlocks > 0;
  }

  /**
   * Begins to compress a block of CSV. The caller leaves its memory alone until the next call but one has returned.
   * @throws the error of an earlier block, too
   */
  async write(csv: Uint8Array): Promise<void> {
    await this.#before;
    this.#before = this.#last;
    this.#last = this.#add(csv, this.#last);
    this.#last.catch(() => undefined); // thrown by a later call
    if (!this.#csvSha256.isInPool) this.#hashHere();
  }

  /** Waits until every block has been compressed, so that `mostBytes` is exact, and their memory is the caller's again. */
  async settle(): Promise<void> {
    this.#hashHere();
    await this.#last;
  }

  /** Ends the gzip stream and makes the package durable and visible. */
  async finish(): Promise<PackageSums> {
    await this.settle();
    await this.#store(await this.#gzip.finish());
    await this.#sink.finish();
    return {
      bytes: this.#bytes,
      md5: this.#md5.digest('hex'),
      sha256: this.#sha256.digest('hex'),
      csvSha256: this.#csvSha256.digest(),
    };
  }

  /** Forgets the package. */
  async abort(): Promise<void> {
    await this.settle().catch(() => undefined); // what runs uses memory that is given back
    this.#csvSha256.close();
    await this.#sink.abort();
  }

  async #add(csv: Uint8Array, before: Promise<void>): Promise<void> {
    const mostBytes = maxCompressedBytes(csv.byteLength);
    this.#waitingBytes += mostBytes;
    this.#waitingBlocks += 1;
    this.#unhashed.push(csv);
    await before;
    const compressed = await this.#gzip.write(csv);
    this.#waitingBytes -= mostBytes;
    const hashing = this.#hashInPool(csv);
    // Both, before an error of one is thrown: they use the same memory.
    const ended = await Promise.allSettled([hashing, this.#store(compressed)]);
    for (const step of ended) if (step.status === 'rejected') throw step.reason;
    this.#waitingBlocks -= 1;
  }

  async #hashInPool(csv: Uint8Array): Promise<void> {
    if (this.#unhashed[0] !== csv) return; // hashed here
    this.#unhashed.shift();
    this.#isHashing = true;
    await this.#csvSha256.update(csv);
    this.#isHashing = false;
  }

  /** Hashes in this thread what the pool has not begun with: now there is nothing else to do here. */
  #hashHere(): void {
    if (this.#isHashing) return; // not its turn yet
    for (const csv of this.#unhashed.splice(0)) this.#csvSha256.updateHere(csv);
  }

  async #store(compressed: Uint8Array): Promise<void> {
    this.#bytes += compressed.byteLength;
    const writing = this.#sink.write(compressed);
    this.#md5.update(compressed);
    this.#sha256.update(compressed);
    await writing;
  }
}

export type PackageFileOptions = {
  readonly store: PackageCreator;
  readonly key: string;
  readonly codec: GzipCodec;
  readonly openHash: HashOpener;
};
