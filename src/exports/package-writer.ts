/**
 * Cuts the sorted rows of one project, data type, hour and revision into packages.
 *
 * Rows are gathered into blocks of whole rows, and a block is compressed in one piece while the next are gathered. Where a whole block
 * might not fit behind those that are under way, they are waited for: then the size of the package so far is known exactly. A block is never larger than what, compressed at worst, still fits; so blocks become smaller towards
 * the end of a package, and it is finished when not even the next row surely fits. Every package begins with the header line.
 *
 * Invariants: no package is larger than `maxPackageBytes`, but one whose only row is too large for any. Where blocks end
 * depends on the rows alone and not on how they came in batches, so the same rows give the same bytes on one codec. Without rows
 * there is no package.
 *
 * An error aborts the package being written and ends the writer. Packages finished before stay in the store, unpublished: they
 * may not be deleted here, because a worker that has lost its lease must not delete what the next one has published under the
 * same names. The retry replaces them.
 *
 * Cost: three blocks, the compressed forms of two and the codec's state, about 3 MiB; no more for a larger hour.
 */
import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import type { PackageEntry } from '../catalog/catalog.ts';
import { headerLine } from '../events/data-types.ts';
import type { DataType } from '../events/data-types.ts';
import { exportedColumnsOf } from '../events/extended-columns.ts';
import { legacyHeaderLine, type LegacyTable } from '../events/legacy-tables.ts';
import type { Hour } from '../events/hour.ts';
import type { PackageCreator } from '../packages/package-store.ts';
import { largestChunkBytes } from './gzip/compressed-size.ts';
import type { GzipCodec } from './gzip/gzip-codec.ts';
import { PackageFile } from './package-file.ts';
import { packageKey, packageName } from './package-name.ts';
import type { PackageSet } from './package-name.ts';
import { hashHere, type HashOpener } from './stream-hash.ts';

/** The largest package that readers are promised. */
export const MAX_PACKAGE_BYTES = 64 * 1024 * 1024;

// Part of the bytes' definition, as the codec is: another size cuts deflate blocks elsewhere.
const BLOCK_BYTES = 512 * 1024;
/** One that is filled, and two for `PackageFile`. */
const BLOCKS = 3;

/** Whose rows the packages hold: a data type's, or those of a table of the 1.0 API. */
export type PackagedTable =
  { readonly api?: undefined; readonly dataType: DataType } | { readonly api: '1.0'; readonly dataType: LegacyTable };

export type PackageWriterOptions<Table extends PackagedTable = PackagedTable> = Table & {
  readonly codec: GzipCodec;
  readonly store: PackageCreator;
  readonly ai: string;
  readonly hour: Hour;
  readonly revision: number;
  /** From what the rows were read; a part of the packages' names. */
  readonly source?: string | undefined;
  /** Default: 64 MiB. */
  readonly maxPackageBytes?: number;
  /** Begins the SHA-256 of a package's CSV. Default: in this thread. */
  readonly openHash?: HashOpener | undefined;
  /** Whether the lines have the extended columns. Default: false. */
  readonly extendedColumns?: boolean;
};

export class PackageWriter<Table extends PackagedTable = PackagedTable> {
  readonly #codec: GzipCodec;
  readonly #store: PackageCreator;
  readonly #openHash: HashOpener;
  readonly #set: PackageSet;
  readonly #dataType: Table['dataType'];
  readonly #header: Buffer;
  readonly #maxPackageBytes: number;
  /** One is filled while two are compressed, hashed and stored. */
  #block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  readonly #otherBlocks: Buffer<ArrayBuffer>[] = [];
  readonly #finished: PackageEntry<Table['dataType']>[] = [];
  #file: PackageFile | undefined;
  /** Rows of the current package, those of the block included. */
  #rows = 0;
  #blockBytes = 0;
  /** How large the current block may become. */
  #blockRoomBytes = 0;
  #isClosed = false;

  constructor(options: PackageWriterOptions<Table>) {
    const { ai, api, dataType, hour, revision, codec, source } = options;
    this.#codec = codec;
    this.#store = options.store;
    this.#openHash = options.openHash ?? hashHere;
    this.#set = { ai, api, dataType, hour, revision, codecName: codec.name, source };
    this.#dataType = dataType;
    this.#header = Buffer.from(
      options.api
        ? legacyHeaderLine(options.dataType)
        : headerLine(options.dataType, exportedColumnsOf(options.dataType, options.extendedColumns ?? false)),
    );
    this.#maxPackageBytes = options.maxPackageBytes ?? MAX_PACKAGE_BYTES;
  }

  /**
   * Adds rows [from, until) of a batch, in order. Row i is `lines[lineEnds[i - 1] ?? 0 .. lineEnds[i])`, its `\n` included.
   * The batch belongs to the caller again when this returns.
   *
   * @throws the error of the store or the codec, after aborting
   */
  async write(lines: Buffer, lineEnds: LineEnds, from: number, until: number): Promise<void> {
    await this.#orAbort(async () => {
      if (this.#file?.isBusy) await eventLoopTurn(); // the pool waits for what is next
      for (let row = from; row < until;) row += await this.#take(lines, lineEnds, row, until);
    });
  }

  /** Finishes the last package and gives all of them, in order. @throws the error of the store or the codec, after aborting */
  async finish(): Promise<readonly PackageEntry<Table['dataType']>[]> {
    await this.#orAbort(async () => {
      if (this.#file !== undefined) await this.#finishFile(this.#file);
    });
    this.#isClosed = true;
    this.#giveBackBlocks();
    return this.#finished;
  }

  /** Forgets the package being written. May be called at any time between other calls, also after `finish`. */
  async abort(): Promise<void> {
    this.#isClosed = true;
    const file = this.#file;
    this.#file = undefined;
    await file?.abort();
    this.#giveBackBlocks();
  }

  /** At once, and not when somebody collects garbage: an hour may have hundreds of small packages. */
  #giveBackBlocks(): void {
    for (const block of [this.#block, ...this.#otherBlocks.splice(0)]) if (block.length > 0) block.buffer.transfer(0);
    this.#block = Buffer.alloc(0);
  }

  /** Moves at least one step on with the rows from `row`; returns how many rows were taken, which may be none. */
  async #take(lines: Buffer, lineEnds: LineEnds, row: number, until: number): Promise<number> {
    const file = this.#file ?? (await this.#createFile());
    const start = row === 0 ? 0 : lineEnds[row - 1]!;
    const lastEnd = start + this.#blockRoomBytes - this.#blockBytes;
    let next = row;
    while (next < until && lineEnds[next]! <= lastEnd) next += 1;
    const end = next === 0 ? 0 : lineEnds[next - 1]!;
    const isBlockFull = next < until;
    this.#rows += next - row;
    if (next > row || this.#blockBytes > 0) {
      lines.copy(this.#block, this.#blockBytes, start, end);
      this.#blockBytes += end - start;
      if (isBlockFull) await this.#flushBlock(file);
    } else {
      // Not even one row fits in an empty block.
      return this.#takeLargeRow(file, lines.subarray(start, lineEnds[row]));
    }
    return next - row;
  }

  /** Writes a row that is larger than a block, or ends the package when the row may not fit in it and others are there. */
  async #takeLargeRow(file: PackageFile, line: Buffer): Promise<number> {
    await file.settle();
    if (this.#rows > 0 && line.byteLength > largestChunkBytes(this.#maxPackageBytes - file.mostBytes)) {
      await this.#finishFile(file);
      return 0;
    }
    this.#rows += 1;
    await file.write(line);
    await file.settle(); // the line belongs to the batch
    this.#makeRoom(file);
    return 1;
  }

  async #createFile(): Promise<PackageFile> {
    const key = packageKey(this.#set, packageName(this.#set, this.#finished.length));
    this.#file = await PackageFile.create({ store: this.#store, key, codec: this.#codec, openHash: this.#openHash });
    this.#rows = 0;
    this.#blockBytes = this.#header.copy(this.#block);
    this.#makeRoom(this.#file);
    return this.#file;
  }

  async #finishFile(file: PackageFile): Promise<void> {
    if (this.#blockBytes > 0) await this.#flushBlock(file);
    const sums = await file.finish();
    if (sums.bytes > this.#maxPackageBytes && this.#rows > 1) {
      throw new Error(`a package of ${sums.bytes} bytes was written where ${this.#maxPackageBytes} is the limit`);
    }
    const dataType = this.#dataType;
    const part = this.#finished.length;
    const name = packageName(this.#set, part);
    this.#finished.push({ dataType, part, name, key: packageKey(this.#set, name), rows: this.#rows, ...sums });
    this.#file = undefined;
  }

  async #flushBlock(file: PackageFile): Promise<void> {
    const block = this.#block.subarray(0, this.#blockBytes);
    await file.write(block);
    this.#otherBlocks.push(this.#block);
    this.#block = this.#otherBlocks.length < BLOCKS ? Buffer.allocUnsafeSlow(BLOCK_BYTES) : this.#otherBlocks.shift()!;
    this.#blockBytes = 0;
    const hasRoom = largestChunkBytes(this.#maxPackageBytes - file.mostBytes) >= BLOCK_BYTES;
    if (!hasRoom) await file.settle(); // near the end of the package the next block goes by the size of those before
    this.#makeRoom(file);
  }

  #makeRoom(file: PackageFile): void {
    this.#blockRoomBytes = Math.min(BLOCK_BYTES, largestChunkBytes(this.#maxPackageBytes - file.mostBytes));
  }

  async #orAbort(action: () => Promise<void>): Promise<void> {
    if (this.#isClosed) throw new Error('the package writer is closed');
    try {
      await action();
    } catch (error) {
      await this.abort().catch(() => undefined); // the first error says what went wrong
      throw error;
    }
  }
}

/** Where the lines of a batch end. */
export type LineEnds = Uint32Array | readonly number[];
