/**
 * Reads segments: walks their frames and checks every checksum.
 *
 * A segment's valid length is the end of its last whole frame. What lies behind it is the torn tail of a crash or frames that a
 * fence made void, and was never acknowledged.
 */
import { crc32 } from '../../lib/crc32.ts';
import { refuseNewerFile } from './file-version.ts';
import { shortPath } from './layout.ts';
import { AppError } from '../../errors/app-error.ts';
import { hourEndMs, hourOf, hourStartMs, type Hour } from '../../events/hour.ts';
import { BODY_HEADER_BYTES, FRAME_HEADER_BYTES } from './record-codec.ts';

/** Eight bytes that begin every segment: what it is and the version of its format. */
export const SEGMENT_MAGIC = 'TGSEG\0\0\u0001';
export const SEGMENT_HEADER_BYTES = 16;
/** Where the header says the segment's hour, as u32. */
export const SEGMENT_HOUR_OFFSET = 8;

/** Builds the first bytes of a segment of this hour. */
export function buildSegmentHeader(hour: Hour): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  header.write(SEGMENT_MAGIC, 'latin1');
  header.writeUInt32LE(hour, SEGMENT_HOUR_OFFSET);
  return header;
}

/** Finds the end of the last whole frame of a segment in memory; 0 when not even the header is whole. */
export function validLengthOf(bytes: Buffer): number {
  if (bytes.length < SEGMENT_HEADER_BYTES || bytes.toString('latin1', 0, 8) !== SEGMENT_MAGIC) return 0;
  let at = SEGMENT_HEADER_BYTES;
  for (;;) {
    const end = frameEnd(bytes, at);
    if (end === undefined) return at;
    at = end;
  }
}

/** One batch of a frame: its bytes within the segment, and the frame's send time. */
export type BatchView = { readonly start: number; readonly end: number; readonly sendTimeMs: number };

/**
 * Says whether a whole frame stands behind this place, which is the end of the valid length. Nothing is ever written behind a
 * frame that is not whole, so then it was whole once: it is damaged, and not a torn tail. Only looked for where a tail is torn.
 */
export function hasFrameBehind(bytes: Buffer, validLength: number, hour: Hour): boolean {
  const [fromMs, untilMs] = [hourStartMs(hour), hourEndMs(hour)];
  for (let at = validLength + 1; at + FRAME_HEADER_BYTES + BODY_HEADER_BYTES <= bytes.length; at += 1) {
    const sendTimeMs = bytes.readDoubleLE(at + FRAME_HEADER_BYTES);
    if (sendTimeMs >= fromMs && sendTimeMs < untilMs && frameEnd(bytes, at) !== undefined) return true;
  }
  return false;
}

/** Gives the end of the frame at this place; undefined when there is no whole one. */
function frameEnd(bytes: Buffer, at: number): number | undefined {
  if (at + FRAME_HEADER_BYTES + BODY_HEADER_BYTES > bytes.length) return undefined;
  const end = at + FRAME_HEADER_BYTES + bytes.readUInt32LE(at);
  if (end > bytes.length || end < at + FRAME_HEADER_BYTES + BODY_HEADER_BYTES) return undefined;
  return crc32(bytes.subarray(at + FRAME_HEADER_BYTES, end)) === bytes.readUInt32LE(at + 4) ? end : undefined;
}

/**
 * Walks the batches of a segment's confirmed bytes.
 * @throws AppError store_corrupt when a frame within them is not whole: something changed bytes that were acknowledged;
 *   format_too_new
 */
export function* batchesOf(bytes: Buffer, confirmedBytes: number, path: string): Generator<BatchView> {
  const confirmed = bytes.subarray(0, confirmedBytes);
  refuseNewerFile(confirmed, SEGMENT_MAGIC, path);
  if (confirmedBytes > 0 && confirmed.toString('latin1', 0, 8) !== SEGMENT_MAGIC) throw corrupt(path, 0);
  for (let at = SEGMENT_HEADER_BYTES; at < confirmedBytes;) {
    const end = frameEnd(confirmed, at);
    if (end === undefined) throw corrupt(path, at);
    const sendTimeMs = bytes.readDoubleLE(at + FRAME_HEADER_BYTES);
    // No checksum covers the hour of the header, and by it the keys for the next hour are chosen.
    if (hourOf(sendTimeMs) !== bytes.readUInt32LE(SEGMENT_HOUR_OFFSET))
      throw corrupt(path, SEGMENT_HOUR_OFFSET, 'its hour');
    for (let start = at + FRAME_HEADER_BYTES + BODY_HEADER_BYTES; start < end;) {
      const batchEnd = start + 4 + bytes.readUInt32LE(start);
      if (batchEnd > end) throw corrupt(path, start);
      yield { start: start + 4, end: batchEnd, sendTimeMs };
      start = batchEnd;
    }
    at = end;
  }
}

function corrupt(path: string, at: number, what = 'its checksum'): AppError {
  return new AppError(
    'store_corrupt',
    `The segment ${shortPath(path)} is damaged at byte ${at}: ${what} does not fit.`,
  );
}
