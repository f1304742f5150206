/**
 * The bytes of records, batches and frames in a segment (docs/storage-format.md). Little-endian unless said otherwise.
 *
 *   frame   = u32 body length, u32 crc32 of body, body
 *   body    = f64 send time, u32 batch count, batches
 *   batch   = u32 batch length, u8 ai length, ai, u8 receipt count, receipts, u32 record count, records
 *   receipt = u8 ledger code, u32 received, u32 ignored, u32 rows
 *   record  = see src/events/record-writer.ts
 *
 * A record's line holds 13 zeros where the send time belongs: a frame that has to be written again in a later hour changes in its
 * header only. Lengths count what follows them.
 */
import { LEDGER_CODES } from '../../events/event-types.ts';
import type { EventBatch } from '../../events/event-row.ts';
import { BatchTooLargeError, RecordWriter } from '../../events/record-writer.ts';

export {
  BatchTooLargeError,
  KEY_TIME_BYTES,
  KINDS,
  readKeyTime,
  RECORD_HEADER_BYTES,
  SEND_TIME_DIGITS,
  writeKeyTime,
} from '../../events/record-writer.ts';

export const FRAME_HEADER_BYTES = 8;
export const BODY_HEADER_BYTES = 12;
export const RECEIPT_BYTES = 13;
const SLAB_BYTES = 1024 * 1024;
const LEDGER_LINE_OF = new Map([...LEDGER_CODES].map(([line, code]) => [code, line]));

/** Finds the ledger line of a code; codes of later versions are `other`. */
export function ledgerLineOfCode(code: number): string {
  return LEDGER_LINE_OF.get(code) ?? 'other';
}

/** Encodes batches. One encoder a collector; not to be shared between threads. */
export class BatchEncoder {
  readonly #maxBytes: number;
  readonly #writer: RecordWriter;
  #slab = Buffer.alloc(0);
  #slabAt = SLAB_BYTES;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#writer = new RecordWriter(maxBytes);
  }

  /** Encodes a batch into a buffer of its own. @throws BatchTooLargeError when it would be larger than the bound */
  encode(batch: EventBatch): Buffer {
    const { records } = batch;
    const writer = this.#writer;
    writer.clear();
    writer.at = 4;
    writer.reserve(16 + 3 * batch.ai.length + RECEIPT_BYTES * batch.receipts.length);
    writer.text8(batch.ai);
    writer.bytes[writer.at++] = batch.receipts.length;
    for (const receipt of batch.receipts) {
      writer.bytes[writer.at++] = LEDGER_CODES.get(receipt.line) ?? 0;
      for (const count of [receipt.received, receipt.ignored, receipt.rows]) {
        writer.u32At(writer.at, count);
        writer.at += 4;
      }
    }
    writer.u32At(writer.at, batch.rows.length + (records?.count ?? 0));
    writer.at += 4;
    for (const row of batch.rows) writer.row(row);
    const recordBytes = records?.bytes.length ?? 0;
    const bytes = writer.at + recordBytes;
    if (recordBytes > 0 && bytes > this.#maxBytes)
      throw new BatchTooLargeError(`a batch grew past ${this.#maxBytes} bytes`);
    const encoded = this.#allocate(bytes);
    writer.u32At(0, bytes - 4);
    writer.bytes.copy(encoded, 0, 0, writer.at);
    records?.bytes.copy(encoded, writer.at);
    return encoded;
  }

  /** Cuts memory for small batches from a slab: fresh memory for each would have V8 collect garbage all the time. */
  #allocate(bytes: number): Buffer {
    if (bytes > SLAB_BYTES / 4) return Buffer.allocUnsafeSlow(bytes);
    if (this.#slabAt + bytes > SLAB_BYTES) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#slabAt = 0;
    }
    this.#slabAt += bytes;
    return this.#slab.subarray(this.#slabAt - bytes, this.#slabAt);
  }
}

/** Builds the header of a frame that holds this many batches, which lie in these pieces: frame header and body header together. */
export function buildFrameHeader(
  pieces: readonly Buffer[],
  batchCount: number,
  sendTimeMs: number,
  crc32: (data: Buffer, crc?: number) => number,
): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES + BODY_HEADER_BYTES);
  let bodyBytes = BODY_HEADER_BYTES;
  for (const piece of pieces) bodyBytes += piece.length;
  header.writeUInt32LE(bodyBytes, 0);
  header.writeDoubleLE(sendTimeMs, FRAME_HEADER_BYTES);
  header.writeUInt32LE(batchCount, FRAME_HEADER_BYTES + 8);
  let crc = crc32(header.subarray(FRAME_HEADER_BYTES));
  for (const piece of pieces) crc = crc32(piece, crc);
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
