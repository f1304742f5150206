/**
 * The bytes of records, batches and frames in a segment (docs/storage-format.md). Little-endian unless said otherwise.
 *
 *   frame   = u32 body length, u32 crc32 of body, body
 *   body    = f64 send time, u32 batch count, batches
 *   batch   = u32 batch length, u8 ai length, ai, u8 receipt count, receipts, u32 record count, records
 *   receipt = u8 ledger code, u32 received, u32 ignored, u32 rows
 *   record  = u32 record length, u8 kind, u8 flags, u16 key length, u32 line length, u32 send-time offset, key, line, extras
 *   key     = visitor, NUL, session, NUL, time as i64 big-endian with the sign bit flipped, row id
 *   extras  = (u8 name length, name, u32 value length, value)…
 *
 * Keys compare as bytes. The line holds 13 zeros where the send time belongs: a frame that has to be written again in a later
 * hour changes in its header only. Lengths count what follows them.
 */
import { DATA_TYPES } from '../../events/data-types.ts';
import { LEDGER_CODES } from '../../events/event-types.ts';
import type { EventBatch, EventRow, RecordKind } from '../../events/event-row.ts';
import { ROW_ID_BYTES } from '../../events/ids.ts';

export const FRAME_HEADER_BYTES = 8;
export const BODY_HEADER_BYTES = 12;
export const RECEIPT_BYTES = 13;
export const RECORD_HEADER_BYTES = 16;
export const SEND_TIME_DIGITS = 13;
export const KEY_TIME_BYTES = 8;
const SEND_TIME_HOLE = '0'.repeat(SEND_TIME_DIGITS);
const TIME_SIGN = 1n << 63n;

/** Codes of record kinds on disk: `rejected` is 0, data types count from 1. */
export const KINDS: readonly RecordKind[] = ['rejected', ...DATA_TYPES];
const KIND_CODES: ReadonlyMap<RecordKind, number> = new Map(KINDS.map((kind, code) => [kind, code]));
const LEDGER_LINE_OF = new Map([...LEDGER_CODES].map(([line, code]) => [code, line]));

/** Finds the ledger line of a code; codes of later versions are `other`. */
export function ledgerLineOfCode(code: number): string {
  return LEDGER_LINE_OF.get(code) ?? 'other';
}

/** Writes a time so that bytes compare as times do. */
export function writeKeyTime(target: Buffer, timeMs: number, offset: number): void {
  target.writeBigUInt64BE(BigInt.asUintN(64, BigInt(timeMs) ^ TIME_SIGN), offset);
}

/** Reads a time that `writeKeyTime` wrote. */
export function readKeyTime(bytes: Buffer, offset: number): number {
  return Number(BigInt.asIntN(64, bytes.readBigUInt64BE(offset) ^ TIME_SIGN));
}

/** Raised while encoding when a batch would grow past the bound. */
export class BatchTooLargeError extends Error {}

/**
 * Encodes batches. One encoder a collector; not to be shared between threads. Keeps one scratch buffer, which grows to the
 * largest batch seen and never past the bound.
 */
export class BatchEncoder {
  readonly #maxBytes: number;
  #bytes = Buffer.allocUnsafeSlow(256 * 1024);
  #at = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Encodes a batch into a buffer of its own. @throws BatchTooLargeError when it would be larger than the bound */
  encode(batch: EventBatch): Buffer {
    this.#at = 4;
    this.#reserve(16 + 3 * batch.ai.length + RECEIPT_BYTES * batch.receipts.length);
    this.#text8(batch.ai);
    this.#bytes[this.#at++] = batch.receipts.length;
    for (const receipt of batch.receipts) {
      this.#bytes[this.#at++] = LEDGER_CODES.get(receipt.line) ?? 0;
      this.#u32(receipt.received);
      this.#u32(receipt.ignored);
      this.#u32(receipt.rows);
    }
    this.#u32(batch.rows.length);
    for (const row of batch.rows) this.#record(row);
    this.#bytes.writeUInt32LE(this.#at - 4, 0);
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  #record(row: EventRow): void {
    const extras = Object.entries(row.extras);
    let units = row.visitor.length + row.session.length + row.lineHead.length + row.lineTail.length;
    for (const [name, value] of extras) units += name.length + value.length + 2;
    this.#reserve(3 * units + 64);
    const start = this.#at;
    this.#at += RECORD_HEADER_BYTES;
    const keyStart = this.#at;
    this.#utf8(row.visitor);
    this.#bytes[this.#at++] = 0;
    this.#utf8(row.session);
    this.#bytes[this.#at++] = 0;
    writeKeyTime(this.#bytes, row.timeMs, this.#at);
    this.#at += KEY_TIME_BYTES;
    row.rowId.copy(this.#bytes, this.#at);
    this.#at += ROW_ID_BYTES;
    const lineStart = this.#at;
    this.#utf8(row.lineHead);
    const holeAt = this.#at;
    this.#at += this.#bytes.write(SEND_TIME_HOLE, holeAt, 'latin1');
    this.#utf8(row.lineTail);
    const lineEnd = this.#at;
    for (const [name, value] of extras) {
      this.#text8(name);
      const valueAt = this.#at;
      this.#at += 4;
      this.#utf8(value);
      this.#bytes.writeUInt32LE(this.#at - valueAt - 4, valueAt);
    }
    this.#bytes.writeUInt32LE(this.#at - start - 4, start);
    this.#bytes[start + 4] = KIND_CODES.get(row.kind) ?? 0;
    this.#bytes[start + 5] = row.flags;
    this.#bytes.writeUInt16LE(lineStart - keyStart, start + 6);
    this.#bytes.writeUInt32LE(lineEnd - lineStart, start + 8);
    this.#bytes.writeUInt32LE(holeAt - lineStart, start + 12);
  }

  #utf8(text: string): void {
    this.#at += this.#bytes.write(text, this.#at);
  }

  #text8(text: string): void {
    const lengthAt = this.#at++;
    this.#utf8(text);
    this.#bytes[lengthAt] = this.#at - lengthAt - 1;
  }

  #u32(value: number): void {
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#bytes.length) return;
    if (this.#at > this.#maxBytes) throw new BatchTooLargeError(`a batch grew past ${this.#maxBytes} bytes`);
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

/** Builds the header of a frame that holds these batches: frame header and body header together. */
export function buildFrameHeader(
  batches: readonly Buffer[],
  sendTimeMs: number,
  crc32: (data: Buffer, crc?: number) => number,
): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES + BODY_HEADER_BYTES);
  let bodyBytes = BODY_HEADER_BYTES;
  for (const batch of batches) bodyBytes += batch.length;
  header.writeUInt32LE(bodyBytes, 0);
  header.writeDoubleLE(sendTimeMs, FRAME_HEADER_BYTES);
  header.writeUInt32LE(batches.length, FRAME_HEADER_BYTES + 8);
  let crc = crc32(header.subarray(FRAME_HEADER_BYTES));
  for (const batch of batches) crc = crc32(batch, crc);
  header.writeUInt32LE(crc, 4);
  return header;
}

/** Builds the bytes of extras. */
export function encodeExtras(extras: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(extras)) {
    const nameBytes = Buffer.from(name);
    const valueBytes = Buffer.from(value);
    const lengths = Buffer.alloc(5);
    lengths[0] = nameBytes.length;
    lengths.writeUInt32LE(valueBytes.length, 1);
    parts.push(lengths.subarray(0, 1), nameBytes, lengths.subarray(1), valueBytes);
  }
  return Buffer.concat(parts);
}

/** Reads extras back. */
export function decodeExtras(bytes: Buffer): Record<string, string> {
  const extras: Record<string, string> = {};
  for (let at = 0; at < bytes.length;) {
    const nameEnd = at + 1 + bytes[at]!;
    const valueStart = nameEnd + 4;
    const valueEnd = valueStart + bytes.readUInt32LE(nameEnd);
    extras[bytes.toString('utf8', at + 1, nameEnd)] = bytes.toString('utf8', valueStart, valueEnd);
    at = valueEnd;
  }
  return extras;
}

/** Finds one of the extras in the bytes [start, end), without reading the others; undefined when it is not there. */
export function findExtra(
  bytes: Buffer,
  start: number,
  end: number,
  name: string,
): { readonly start: number; readonly end: number } | undefined {
  for (let at = start; at < end;) {
    const nameEnd = at + 1 + bytes[at]!;
    const valueStart = nameEnd + 4;
    const valueEnd = valueStart + bytes.readUInt32LE(nameEnd);
    if (nameEnd - at - 1 === name.length && bytes.toString('latin1', at + 1, nameEnd) === name)
      return { start: valueStart, end: valueEnd };
    at = valueEnd;
  }
  return undefined;
}
