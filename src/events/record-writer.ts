/**
 * Writes rows in the form in which they are stored: a row is written once, on arrival, and from then on only copied.
 *
 *   record = u32 record length, u8 kind, u8 flags, u16 key length, u32 line length, u32 send-time offset, key, line, extras
 *   key    = visitor, NUL, session, NUL, time as i64 big-endian with the sign bit flipped, row id
 *   extras = (u8 name length, name, u32 value length, value)…
 *
 * Little-endian unless said otherwise; a length counts what follows it. Keys compare as bytes. The line holds 13 zeros where the send
 * time belongs, which is known when the row is stored. One buffer, used again for the next request; it grows with the
 * request, never past its bound, and what a far larger request than others needed is given back with the next one.
 */
import { viewOf } from '../lib/key-bytes.ts';
import { DATA_TYPES } from './data-types.ts';
import type { EventRow, RecordKind } from './event-row.ts';
import { ROW_ID_BYTES } from './ids.ts';

export const RECORD_HEADER_BYTES = 16;
export const SEND_TIME_DIGITS = 13;
export const KEY_TIME_BYTES = 8;
/** What a line holds where its send time belongs. */
export const SEND_TIME_HOLE = '0'.repeat(SEND_TIME_DIGITS);
const TIME_SIGN = 1n << 63n;
const FIRST_BYTES = 256 * 1024;
/** What the rows of a body of a megabyte need, with room to spare. A hundred times as much for ever would be one sender's choice. */
const KEPT_BYTES = 16 * 1024 * 1024;

/** Codes of record kinds on disk: `rejected` is 0, data types count from 1. */
export const KINDS: readonly RecordKind[] = ['rejected', ...DATA_TYPES];
const KIND_CODES: ReadonlyMap<RecordKind, number> = new Map(KINDS.map((kind, code) => [kind, code]));

/** Gives the code of a kind on disk. */
export function codeOfKind(kind: RecordKind): number {
  return KIND_CODES.get(kind) ?? 0;
}

/** Writes a time so that bytes compare as times do. */
export function writeKeyTime(target: Buffer, timeMs: number, offset: number): void {
  target.writeBigUInt64BE(BigInt.asUintN(64, BigInt(timeMs) ^ TIME_SIGN), offset);
}

/** Reads a time that `writeKeyTime` wrote. */
export function readKeyTime(bytes: Buffer, offset: number): number {
  return Number(BigInt.asIntN(64, bytes.readBigUInt64BE(offset) ^ TIME_SIGN));
}

/** Raised when records would grow past the bound. */
export class BatchTooLargeError extends Error {}

export class RecordWriter {
  readonly #maxBytes: number;
  /** What is written, up to `at`. Changes when the writer grows. */
  bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** The same bytes. */
  view = viewOf(this.bytes);
  at = 0;
  /** Records written since `clear`. */
  count = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Begins anew. */
  clear(): void {
    if (this.bytes.length > KEPT_BYTES) this.#use(Buffer.allocUnsafeSlow(FIRST_BYTES));
    this.at = 0;
    this.count = 0;
  }

  /**
   * Begins anew behind these bytes, which are copied to the front: so rows are copied from them within one buffer, which costs less than
   * half of what a copy between two does. They are moved along when the writer grows.
   */
  clearBehind(source: Uint8Array): void {
    this.clear();
    this.reserve(source.length);
    this.bytes.set(source);
    this.at = source.length;
  }

  /** Writes a row. @throws BatchTooLargeError */
  row(row: EventRow): void {
    const extras = Object.entries(row.extras);
    let units = row.visitor.length + row.session.length + row.lineHead.length + row.lineTail.length;
    for (const [name, value] of extras) units += name.length + value.length + 2;
    this.reserve(3 * units + 64);
    const start = this.at;
    this.at += RECORD_HEADER_BYTES;
    this.utf8(row.visitor);
    this.bytes[this.at++] = 0;
    this.utf8(row.session);
    this.bytes[this.at++] = 0;
    writeKeyTime(this.bytes, row.timeMs, this.at);
    this.at += KEY_TIME_BYTES;
    row.rowId.copy(this.bytes, this.at);
    this.at += ROW_ID_BYTES;
    const lineStart = this.at;
    this.utf8(row.lineHead);
    const holeAt = this.at;
    this.at += this.bytes.write(SEND_TIME_HOLE, holeAt, 'latin1');
    this.utf8(row.lineTail);
    const lineEnd = this.at;
    for (const [name, value] of extras) {
      this.text8(name);
      const valueAt = this.at;
      this.at += 4;
      this.utf8(value);
      this.bytes.writeUInt32LE(this.at - valueAt - 4, valueAt);
    }
    this.header({ start, code: codeOfKind(row.kind), flags: row.flags, lineStart, holeAt, lineEnd });
  }

  /** Writes the header of the record that begins at `start` and ends here, which finishes it. */
  header(record: {
    readonly start: number;
    readonly code: number;
    readonly flags: number;
    readonly lineStart: number;
    readonly holeAt: number;
    readonly lineEnd: number;
  }): void {
    const { start, lineStart } = record;
    this.u32At(start, this.at - start - 4);
    this.bytes[start + 4] = record.code;
    this.bytes[start + 5] = record.flags;
    const keyBytes = lineStart - start - RECORD_HEADER_BYTES;
    this.bytes[start + 6] = keyBytes;
    this.bytes[start + 7] = keyBytes >>> 8;
    this.u32At(start + 8, record.lineEnd - lineStart);
    this.u32At(start + 12, record.holeAt - lineStart);
    this.count += 1;
  }

  /** Writes a text. Room for three bytes a character must be reserved. */
  utf8(text: string): void {
    this.at += this.bytes.write(text, this.at);
  }

  /** Writes a text behind its length in one byte. */
  text8(text: string): void {
    const lengthAt = this.at++;
    this.utf8(text);
    this.bytes[lengthAt] = this.at - lengthAt - 1;
  }

  /** Writes a u32 at a place that is reserved. Bytes, because this is called several times for each row. */
  u32At(at: number, value: number): void {
    const { bytes } = this;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
  }

  /** Makes room for so many bytes more. @throws BatchTooLargeError when the bound is passed */
  reserve(bytes: number): void {
    if (this.at > this.#maxBytes) throw new BatchTooLargeError(`a batch grew past ${this.#maxBytes} bytes`);
    const needed = this.at + bytes;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(grown, 0, 0, this.at);
    this.#use(grown);
  }

  #use(bytes: Buffer<ArrayBuffer>): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }
}
