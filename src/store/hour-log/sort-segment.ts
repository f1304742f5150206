/**
 * Sorts one segment into a run. A worker job: takes about 0.3 s for 64 MiB and holds the segment in memory.
 *
 * Here each record gets its send time written into its line, which came in with a hole. Two threads or processes may sort the
 * same segment at once: both make the same bytes, and the last rename wins.
 */
import { accessSync, readFileSync, unlinkSync } from 'node:fs';
import { ROW_FLAGS, type RecordKind } from '../../events/event-row.ts';
import { hourFromInteger } from '../../events/hour.ts';
import type { ReceiptCount } from '../hour-store.ts';
import { KINDS, ledgerLineOfCode, RECEIPT_BYTES, RECORD_HEADER_BYTES, SEND_TIME_DIGITS } from './record-codec.ts';
import { RunWriter, type RunRecord } from './run-writer.ts';
import { batchesOf, SEGMENT_HOUR_OFFSET } from './segment.ts';
import { TailKeys } from './tail-keys.ts';

export type SortSegmentJob = {
  readonly segmentPath: string;
  /** How many bytes of the segment count. */
  readonly bytes: number;
  readonly runPath: string;
};

/** The records of one group: where each begins in the segment, and the send time of its frame. */
type Group = {
  readonly ai: string;
  readonly kind: number;
  readonly isIncomplete: boolean;
  readonly records: number[];
  readonly sendTimesMs: number[];
};

/** Sorts a segment and, when the run is durable, deletes it. @throws AppError store_corrupt */
export function sortSegment({ segmentPath, bytes: confirmedBytes, runPath }: SortSegmentJob): void {
  const bytes = readFileSync(segmentPath);
  const { groups, receipts } = collect(bytes, confirmedBytes, segmentPath);
  const writer = new RunWriter(runPath);
  try {
    const tail = new TailKeys(hourFromInteger(bytes.readUInt32LE(SEGMENT_HOUR_OFFSET)));
    for (const group of groups) {
      writer.beginGroup(group.ai, kindOf(group), group.isIncomplete ? 'incomplete' : 'rows');
      writeSorted(writer, bytes, group, (record) => tail.add(group.ai, kindOf(group), record));
    }
    tail.writeTo(writer);
    // Gone: another has sorted it, and an erasure may have rewritten that run since. This one must not come back in its place.
    accessSync(segmentPath);
    writer.finish(receipts, { bytes: confirmedBytes });
  } catch (error) {
    writer.abort();
    throw error;
  }
  unlinkSync(segmentPath);
}

function collect(
  bytes: Buffer,
  confirmedBytes: number,
  path: string,
): { readonly groups: readonly Group[]; readonly receipts: ReceiptCount[] } {
  const groups = new Map<string, Group>();
  const receipts = new Map<string, { ai: string; line: string; received: number; ignored: number; rows: number }>();
  for (const batch of batchesOf(bytes, confirmedBytes, path)) {
    let at = batch.start;
    const ai = bytes.toString('utf8', at + 1, at + 1 + bytes[at]!);
    at += 1 + bytes[at]!;
    const receiptCount = bytes[at++]!;
    for (let i = 0; i < receiptCount; i += 1, at += RECEIPT_BYTES) {
      const line = ledgerLineOfCode(bytes[at]!);
      const total = receipts.get(`${ai} ${line}`) ?? { ai, line, received: 0, ignored: 0, rows: 0 };
      total.received += bytes.readUInt32LE(at + 1);
      total.ignored += bytes.readUInt32LE(at + 5);
      total.rows += bytes.readUInt32LE(at + 9);
      receipts.set(`${ai} ${line}`, total);
    }
    at += 4;
    const ofBatch = new Map<number, Group>();
    while (at < batch.end) {
      const kind = bytes[at + 4]!;
      const isIncomplete = (bytes[at + 5]! & ROW_FLAGS.incomplete) !== 0;
      const code = kind * 2 + (isIncomplete ? 1 : 0);
      let group = ofBatch.get(code);
      if (!group) {
        const name = `${ai} ${code}`;
        group = groups.get(name) ?? { ai, kind, isIncomplete, records: [], sendTimesMs: [] };
        groups.set(name, group);
        ofBatch.set(code, group);
      }
      group.records.push(at);
      group.sendTimesMs.push(batch.sendTimeMs);
      at += 4 + bytes.readUInt32LE(at);
    }
  }
  const sorted = [...groups.values()].sort((a, b) =>
    a.ai < b.ai ? -1 : a.ai > b.ai ? 1 : a.kind - b.kind || (a.isIncomplete ? 1 : -1),
  );
  return { groups: sorted, receipts: [...receipts.values()] };
}

function kindOf(group: Group): RecordKind {
  return KINDS[group.kind] ?? 'rejected';
}

function writeSorted(
  writer: RunWriter,
  bytes: Buffer,
  { records, sendTimesMs: times }: Group,
  onRecord: (record: RunRecord) => void,
): void {
  const count = records.length;
  const prefixes = new Float64Array(count);
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i += 1) {
    prefixes[i] = bytes.readUIntBE(records[i]! + RECORD_HEADER_BYTES, 6);
    order[i] = i;
  }
  order.sort((a, b) => {
    if (prefixes[a]! !== prefixes[b]!) return prefixes[a]! - prefixes[b]!;
    const aKey = records[a]! + RECORD_HEADER_BYTES;
    const bKey = records[b]! + RECORD_HEADER_BYTES;
    const aEnd = aKey + bytes.readUInt16LE(records[a]! + 6);
    const bEnd = bKey + bytes.readUInt16LE(records[b]! + 6);
    return bytes.compare(bytes, bKey, bEnd, aKey, aEnd) || times[a]! - times[b]! || a - b;
  });
  for (const i of order) {
    const at = records[i]!;
    const keyStart = at + RECORD_HEADER_BYTES;
    const lineStart = keyStart + bytes.readUInt16LE(at + 6);
    bytes.write(String(times[i]!), lineStart + bytes.readUInt32LE(at + 12), SEND_TIME_DIGITS, 'latin1');
    const record: RunRecord = {
      bytes,
      flags: bytes[at + 5]!,
      sendTimeMs: times[i]!,
      keyStart,
      lineStart,
      extrasStart: lineStart + bytes.readUInt32LE(at + 8),
      end: at + 4 + bytes.readUInt32LE(at),
    };
    writer.add(record);
    onRecord(record);
  }
}
