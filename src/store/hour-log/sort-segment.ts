/**
 * Sorts one segment into a run. A worker job: takes about 0.15 s for 32 MiB and holds the segment in memory.
 *
 * Here each record gets its send time written into its line, which came in with a hole. Two threads or processes may sort the
 * same segment at once: both make the same bytes, and the last rename wins.
 */
import { accessSync, closeSync, fstatSync, openSync, readSync, unlinkSync } from 'node:fs';
import { ROW_FLAGS, type RecordKind } from '../../events/event-row.ts';
import { hourFromInteger } from '../../events/hour.ts';
import type { ReceiptCount } from '../hour-store.ts';
import { KINDS, ledgerLineOfCode, RECEIPT_BYTES, RECORD_HEADER_BYTES, SEND_TIME_DIGITS } from './record-codec.ts';
import { viewOf } from '../../lib/key-bytes.ts';
import { RunWriter, type RunRecord } from './run-writer.ts';
import { sortKeys } from './sort-keys.ts';
import { batchesOf, SEGMENT_HOUR_OFFSET } from './segment.ts';
import { TailKeys } from './tail-keys.ts';

export type SortSegmentJob = {
  readonly segmentPath: string;
  /** How many bytes of the segment count. */
  readonly bytes: number;
  readonly runPath: string;
};

/** The instant of a frame, and its digits as they stand in lines. */
type Instant = { readonly ms: number; readonly digits: Buffer };

/** The records of one group: where each begins in the segment, and the number of its instant. */
type Group = {
  readonly ai: string;
  readonly kind: RecordKind;
  readonly isIncomplete: boolean;
  readonly records: Uint32Array;
  readonly sentAt: Uint32Array;
};

/** A group while its records are counted. */
type GroupCount = {
  readonly ai: string;
  readonly kind: number;
  readonly isIncomplete: boolean;
  readonly number: number;
};

type Collected = {
  readonly groups: readonly Group[];
  readonly instants: readonly Instant[];
  readonly receipts: ReceiptCount[];
};

/** Sorts a segment and, when the run is durable, deletes it. @throws AppError store_corrupt */
export function sortSegment({ segmentPath, bytes: confirmedBytes, runPath }: SortSegmentJob): void {
  const bytes = readWhole(segmentPath);
  const { groups, instants, receipts } = collect(bytes, confirmedBytes, segmentPath);
  const writer = new RunWriter(runPath);
  try {
    const tail = new TailKeys(hourFromInteger(bytes.readUInt32LE(SEGMENT_HOUR_OFFSET)));
    for (const group of groups) {
      const { ai, kind } = group;
      writer.beginGroup(ai, kind, group.isIncomplete ? 'incomplete' : 'rows');
      writeSorted(writer, bytes, group, instants, (record) => tail.add(ai, kind, record));
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

/** Memory for the segment: kept for the next one, because to get it anew costs more than to read into it. */
let kept = Buffer.alloc(0);
const MIB = 1024 * 1024;
/** A larger segment than most gets memory of its own. */
const MAX_KEPT_BYTES = 40 * MIB;
/** Within this time the next segment comes, or the thread has other work. */
const KEPT_MS = 500;
let release: NodeJS.Timeout | undefined;

/** Gives back the memory that is kept between segments, at once: nobody holds a piece of it then. */
export function releaseSortMemory(): void {
  clearTimeout(release);
  if (kept.length > 0) kept.buffer.transfer(0);
  kept = Buffer.alloc(0);
}

function keptMemory(size: number): Buffer {
  if (size > kept.length) {
    releaseSortMemory();
    kept = Buffer.allocUnsafeSlow(Math.ceil(size / MIB) * MIB); // segments differ a little in size
  }
  clearTimeout(release);
  release = setTimeout(releaseSortMemory, KEPT_MS).unref();
  return kept;
}

function readWhole(path: string): Buffer {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const memory = size <= MAX_KEPT_BYTES ? keptMemory(size) : Buffer.allocUnsafeSlow(size);
    let got = 0;
    while (got < size) {
      const count = readSync(fd, memory, got, size - got, got);
      if (count === 0) break; // cut short since: what is missing is found by whoever looks for it
      got += count;
    }
    return memory.subarray(0, got);
  } finally {
    closeSync(fd);
  }
}

/** Finds the records of each group, and adds up the receipts. */
function collect(bytes: Buffer, confirmedBytes: number, path: string): Collected {
  const view = viewOf(bytes);
  const groups = new Map<string, GroupCount>();
  const receipts = new Map<string, { ai: string; line: string; received: number; ignored: number; rows: number }>();
  const instants: Instant[] = [];
  const all = new RecordList();
  for (const batch of batchesOf(bytes, confirmedBytes, path)) {
    const { sendTimeMs } = batch;
    if (instants.at(-1)?.ms !== sendTimeMs) instants.push({ ms: sendTimeMs, digits: Buffer.from(String(sendTimeMs)) });
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
    const ofBatch = new Map<number, GroupCount>();
    while (at < batch.end) {
      const kind = bytes[at + 4]!;
      const isIncomplete = (bytes[at + 5]! & ROW_FLAGS.incomplete) !== 0;
      const code = kind * 2 + (isIncomplete ? 1 : 0);
      let group = ofBatch.get(code);
      if (!group) {
        const name = `${ai} ${code}`;
        group = groups.get(name) ?? { ai, kind, isIncomplete, number: groups.size };
        groups.set(name, group);
        ofBatch.set(code, group);
      }
      all.add(at, instants.length - 1, group.number);
      at += 4 + view.getUint32(at, true);
    }
  }
  const parts = all.byGroup(groups.size);
  const sorted = [...groups.values()]
    .sort((a, b) => (a.ai < b.ai ? -1 : a.ai > b.ai ? 1 : a.kind - b.kind || (a.isIncomplete ? 1 : -1)))
    .map(({ ai, kind, isIncomplete, number }) => ({
      ai,
      kind: KINDS[kind] ?? 'rejected',
      isIncomplete,
      ...parts[number]!,
    }));
  return { groups: sorted, instants, receipts: [...receipts.values()] };
}

const FIRST_RECORDS = 64 * 1024;

/** Records in the order in which they were found, to be told apart by their groups. */
class RecordList {
  #places = new Uint32Array(FIRST_RECORDS);
  #sentAt = new Uint32Array(FIRST_RECORDS);
  #groups = new Uint32Array(FIRST_RECORDS);
  #count = 0;

  add(place: number, instant: number, group: number): void {
    if (this.#count === this.#places.length) this.#grow();
    this.#places[this.#count] = place;
    this.#sentAt[this.#count] = instant;
    this.#groups[this.#count] = group;
    this.#count += 1;
  }

  #grow(): void {
    const doubled = (old: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
      const grown = new Uint32Array(2 * old.length);
      grown.set(old);
      return grown;
    };
    this.#places = doubled(this.#places);
    this.#sentAt = doubled(this.#sentAt);
    this.#groups = doubled(this.#groups);
  }

  /** Gives the records of each group. */
  byGroup(groups: number): readonly Pick<Group, 'records' | 'sentAt'>[] {
    const counts = new Uint32Array(groups);
    for (let i = 0; i < this.#count; i += 1) counts[this.#groups[i]!]! += 1;
    const parts = Array.from(counts, (count) => ({ records: new Uint32Array(count), sentAt: new Uint32Array(count) }));
    counts.fill(0);
    for (let i = 0; i < this.#count; i += 1) {
      const group = this.#groups[i]!;
      const place = counts[group]!++;
      parts[group]!.records[place] = this.#places[i]!;
      parts[group]!.sentAt[place] = this.#sentAt[i]!;
    }
    return parts;
  }
}

function writeSorted(
  writer: RunWriter,
  bytes: Buffer,
  { records, sentAt }: Group,
  instants: readonly Instant[],
  onRecord: (record: RunRecord) => void,
): void {
  const view = viewOf(bytes);
  const keyEnd = (record: number): number => {
    const at = records[record]!;
    return at + RECORD_HEADER_BYTES + view.getUint16(at + 6, true);
  };
  // One object for all: a fresh one for each would be half of the garbage.
  const record: Mutable<RunRecord> = {
    bytes,
    flags: 0,
    sendTimeMs: 0,
    keyStart: 0,
    lineStart: 0,
    extrasStart: 0,
    end: 0,
  };
  const keys = {
    view,
    count: records.length,
    keyStart: (record: number) => records[record]! + RECORD_HEADER_BYTES,
    keyEnd,
    compareEqual: (a: number, b: number) => instants[sentAt[a]!]!.ms - instants[sentAt[b]!]!.ms,
  };
  sortKeys(keys, (i) => {
    const at = records[i]!;
    const { ms, digits } = instants[sentAt[i]!]!;
    const lineStart = keyEnd(i);
    const holeAt = lineStart + view.getUint32(at + 12, true);
    for (let place = 0; place < SEND_TIME_DIGITS; place += 1) bytes[holeAt + place] = digits[place]!;
    record.flags = bytes[at + 5]!;
    record.sendTimeMs = ms;
    record.keyStart = at + RECORD_HEADER_BYTES;
    record.lineStart = lineStart;
    record.extrasStart = lineStart + view.getUint32(at + 8, true);
    record.end = at + 4 + view.getUint32(at, true);
    writer.add(record);
    onRecord(record);
  });
}

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] };
