/**
 * Says whether a segment of an open hour holds records of visitors, or clicks of their devices. A worker job; holds the segment in memory, as sorting does.
 *
 * Sees every frame that was acknowledged before it began; what its collector writes meanwhile may be missed.
 */
import { readFileSync } from 'node:fs';
import { KINDS, RECEIPT_BYTES, RECORD_HEADER_BYTES } from './record-codec.ts';
import { batchesOf, validLengthOf } from './segment.ts';
import { VisitorMatcher, type Erased } from './visitor-matcher.ts';

export type FindInSegmentJob = {
  readonly segmentPath: string;
  readonly ai: string;
  readonly erased: readonly Erased[];
};

/** Looks through a segment's whole frames. @throws the system error ENOENT when it has become a run; AppError store_corrupt */
export function findInSegment({ segmentPath, ai, erased }: FindInSegmentJob): boolean {
  const matcher = new VisitorMatcher(erased);
  const bytes = readFileSync(segmentPath);
  for (const batch of batchesOf(bytes, validLengthOf(bytes), segmentPath)) {
    let at = batch.start;
    const aiEnd = at + 1 + bytes[at]!;
    if (bytes.toString('utf8', at + 1, aiEnd) !== ai) continue;
    at = aiEnd + 1 + bytes[aiEnd]! * RECEIPT_BYTES + 4;
    while (at < batch.end) {
      const keyStart = at + RECORD_HEADER_BYTES;
      const lineStart = keyStart + bytes.readUInt16LE(at + 6);
      const end = at + 4 + bytes.readUInt32LE(at);
      const record = {
        bytes,
        sendTimeMs: batch.sendTimeMs,
        keyStart,
        lineStart,
        extrasStart: lineStart + bytes.readUInt32LE(at + 8),
        end,
      };
      if (matcher.match(KINDS[bytes[at + 4]!] ?? 'rejected', record) !== undefined) return true;
      at = end;
    }
  }
  return false;
}
