/**
 * Sorts rows by send time within their groups. Rows come in order of (visitor, session, time), and 1.0 wants (visitor, session, send
 * time): so a group, all rows of one visitor and session, is one piece of the stream, and only its own order changes.
 *
 * Rows are gathered in one buffer, many groups together, and given out sorted when it is full. A group that is larger than the buffer
 * (all server events without a visitor are one group) goes into a spill file in sorted chunks, which are merged when it ends. Rows
 * of equal send time keep the order in which they came. Memory: the buffer, and as much again while a large group is merged.
 */
import type { LineEnds } from '../package-writer.ts';
import { SpillFile, type SpilledLine } from './spill-file.ts';

const DEFAULT_BUFFER_BYTES = 8 * 1024 * 1024;
const MAX_ROWS = 65_536;

/** Sorted lines, good until the generator that gave them goes on. */
export type SortedLines = { readonly lines: Buffer; readonly lineEnds: LineEnds; readonly count: number };

export class SendTimeSorter {
  readonly #spillFolder: string;
  readonly #bufferBytes: number;
  #buffer: Buffer;
  readonly #ends: number[] = [];
  readonly #times: number[] = [];
  /** The row that each group of the buffer begins with; the first is always 0. */
  readonly #groupStarts: number[] = [0];
  #spill: SpillFile | undefined;

  constructor(options: {
    /** Where spill files are made. */
    readonly spillFolder: string;
    /** Default: 8 MiB. */
    readonly bufferBytes?: number;
  }) {
    this.#spillFolder = options.spillFolder;
    this.#bufferBytes = options.bufferBytes ?? DEFAULT_BUFFER_BYTES;
    this.#buffer = Buffer.allocUnsafeSlow(this.#bufferBytes);
  }

  /** Takes a row, which is copied, and gives what is sorted by then. `startsGroup`: of another group than the row before. */
  *add(line: Buffer, sendTimeMs: number, startsGroup: boolean): Generator<SortedLines> {
    if (startsGroup && this.#isSpilling) yield* this.#endSpilledGroup();
    if (startsGroup && this.#ends.length > 0) this.#groupStarts.push(this.#ends.length);
    while (!this.#hasRoomFor(line)) yield* this.#makeRoom();
    this.#append(line);
    this.#times.push(sendTimeMs);
  }

  /** Gives the rest. */
  *finish(): Generator<SortedLines> {
    if (this.#isSpilling) yield* this.#endSpilledGroup();
    else yield* this.#take(this.#ends.length);
  }

  /** Frees the spill file; may be called at any time. */
  close(): void {
    this.#spill?.close();
    this.#spill = undefined;
  }

  get #isSpilling(): boolean {
    return this.#spill !== undefined && this.#spill.chunks > 0;
  }

  #append(line: Buffer): void {
    const from = this.#ends.at(-1) ?? 0;
    if (from === 0 && line.length > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(line.length);
    line.copy(this.#buffer, from);
    this.#ends.push(from + line.length);
  }

  #hasRoomFor(line: Buffer): boolean {
    const rows = this.#ends.length;
    return rows === 0 || (rows < MAX_ROWS && this.#ends[rows - 1]! + line.length <= this.#bufferBytes);
  }

  /** Gives out the groups that are whole; when there is none, the buffer is all of one group and goes into the spill file. */
  *#makeRoom(): Generator<SortedLines> {
    const lastGroup = this.#groupStarts.at(-1)!;
    if (lastGroup > 0) yield* this.#take(lastGroup);
    else this.#spillChunk();
  }

  /** Gives out the first rows, which are whole groups, sorted. */
  *#take(rows: number): Generator<SortedLines> {
    if (rows > 0) {
      const order = this.#sortedOrder(rows);
      yield order ? this.#reordered(order) : { lines: this.#buffer, lineEnds: this.#ends, count: rows };
    }
    const bytes = rows === 0 ? 0 : this.#ends[rows - 1]!;
    this.#buffer.copyWithin(0, bytes, this.#ends.at(-1) ?? 0);
    this.#ends.splice(0, rows);
    for (let row = 0; row < this.#ends.length; row += 1) this.#ends[row]! -= bytes;
    this.#times.splice(0, rows);
    this.#groupStarts.length = 1;
  }

  /** Gives the order of the first rows by group and send time; undefined when they are in it. */
  #sortedOrder(rows: number): Uint32Array | undefined {
    let order: Uint32Array | undefined;
    const starts = this.#groupStarts;
    for (let group = 0; group < starts.length && starts[group]! < rows; group += 1) {
      const from = starts[group]!;
      const until = Math.min(starts[group + 1] ?? rows, rows);
      if (this.#isSorted(from, until)) continue;
      order ??= Uint32Array.from({ length: rows }, (_, row) => row);
      order.subarray(from, until).sort((a, b) => this.#times[a]! - this.#times[b]! || a - b);
    }
    return order;
  }

  #isSorted(from: number, until: number): boolean {
    for (let row = from + 1; row < until; row += 1) if (this.#times[row]! < this.#times[row - 1]!) return false;
    return true;
  }

  #reordered(order: Uint32Array): SortedLines {
    const lines = Buffer.allocUnsafeSlow(this.#ends[order.length - 1]!);
    const lineEnds = new Uint32Array(order.length);
    let at = 0;
    order.forEach((row, place) => {
      at += this.#lineOf(row).copy(lines, at);
      lineEnds[place] = at;
    });
    return { lines, lineEnds, count: order.length };
  }

  #lineOf(row: number): Buffer {
    return this.#buffer.subarray(row === 0 ? 0 : this.#ends[row - 1]!, this.#ends[row]);
  }

  #spillChunk(): void {
    this.#spill ??= new SpillFile(this.#spillFolder);
    this.#spill.add(this.#sortedChunk());
    this.#ends.length = 0;
    this.#times.length = 0;
    this.#groupStarts.length = 1;
  }

  *#sortedChunk(): Generator<SpilledLine> {
    const order = this.#sortedOrder(this.#ends.length);
    for (let place = 0; place < this.#ends.length; place += 1) {
      const row = order ? order[place]! : place;
      yield { sendTimeMs: this.#times[row]!, line: this.#lineOf(row) };
    }
  }

  *#endSpilledGroup(): Generator<SortedLines> {
    if (this.#ends.length > 0) this.#spillChunk();
    for (const { line } of this.#spill!.merge(this.#bufferBytes)) {
      if (!this.#hasRoomFor(line)) yield* this.#giveMerged();
      this.#append(line);
    }
    yield* this.#giveMerged();
  }

  *#giveMerged(): Generator<SortedLines> {
    if (this.#ends.length > 0) yield { lines: this.#buffer, lineEnds: this.#ends, count: this.#ends.length };
    this.#ends.length = 0;
  }
}
