/**
 * Where rows live from their arrival until retention. Implementations: `hour-log/` (files on one machine).
 *
 * Life of an hour: open (rows come in) → sealed (none can come in any more) → prepared (sorted, completed, ready to read) →
 * dropped. Hours are decided by the send time that `append` gives.
 *
 * Invariants, which the conformance suite (test/conformance/) checks on every implementation:
 * S1 A row is durable when `append` returns, and readable after a crash at any later moment.
 * S2 A batch is stored whole or not at all.
 * S3 Send time never lies in a sealed hour, whatever the clock does.
 * S4 After `seal(until)` returned, what `readSorted` gives for an hour before `until` never changes, but by `import` and erasure.
 * S5 `readSorted` gives rows in order of (visitor, session, time, row id, send time), so equal row ids are neighbours.
 * S6 A row id that hour H stored in its last ten minutes stands, flagged `published`, before the rows of H + 1 with the same id.
 * S7 An hour is readable after `drop` to those who are reading it, and to no one else.
 */
import type { EventBatch, RecordKind } from '../events/event-row.ts';
import type { ExtendedColumn } from '../events/extended-columns.ts';
import type { Hour } from '../events/hour.ts';

/**
 * Sorted rows, many at a time. Row i's line is `lines[lineEnds[i - 1] ?? 0 .. lineEnds[i])`, its send time included. Its memory
 * is used again for the third batch after it.
 */
export type RowBatch = {
  readonly count: number;
  readonly lines: Buffer;
  readonly lineEnds: Uint32Array;
  /** 16 bytes a row. */
  readonly rowIds: Buffer;
  /** ROW_FLAGS of each row. */
  readonly flags: Uint8Array;
};

/** What an hour holds of one project and kind. */
export type KindCount = {
  readonly ai: string;
  readonly kind: RecordKind;
  readonly rows: number;
  readonly events: number;
};

/** What came in for a project under one ledger line; see Receipt. */
export type ReceiptCount = {
  readonly ai: string;
  readonly line: string;
  readonly received: number;
  readonly ignored: number;
  readonly rows: number;
};

/** What was erased of a project under one ledger line: events that count no more, and rows of its data type. */
export type ErasedCount = {
  readonly ai: string;
  readonly line: string;
  readonly events: number;
  readonly rows: number;
};

export type HourCounts = {
  readonly kinds: readonly KindCount[];
  readonly receipts: readonly ReceiptCount[];
  /** Absent where nothing was. */
  readonly erased?: readonly ErasedCount[];
};

/** Reads prepared hours. Synchronous underneath: made for worker threads. */
export interface HourReader {
  /**
   * Streams the rows of one project, hour and kind, duplicates included. Among them stand, without a line and flagged
   * `published`, the row ids that the hour before stored in its last ten minutes: a row behind one of the same id is a resend
   * across the end of the hour. With `columns` their fields, from the records' extras, stand at the end of each line.
   * @throws AppError store_corrupt
   */
  readSorted(hour: Hour, ai: string, kind: RecordKind, columns?: readonly ExtendedColumn[]): Iterable<RowBatch>;
  /** Counts what the prepared hour holds of a project. */
  counts(hour: Hour, ai: string): HourCounts;
  /** Names what `readSorted` reads an hour from: another text when rows have come or gone, and never an earlier one again. */
  sourceOf(hour: Hour): string;
}

export interface HourStore {
  /**
   * Stores a batch and returns its send time. Many calls share one sync.
   * @throws AppError store_unavailable when the disk refuses, overloaded when too much waits; then nothing of it is acknowledged.
   */
  append(batch: EventBatch): Promise<{ readonly sendTimeMs: number }>;
  /** Seals every hour before `until`, for all collectors on this data directory. For good. */
  seal(until: Hour): Promise<void>;
  /** The end of the last sealed hour, as an hour: all before it are sealed. */
  readonly sealedUntil: Hour;
  /** Makes a sealed hour ready to read. Idempotent; several processes may do it at once. @throws AppError store_corrupt */
  prepare(hour: Hour): Promise<void>;
  /** Deletes what is kept of the sealed hours before this one, but for these hours. */
  dropBefore(hour: Hour, kept: ReadonlySet<Hour>): Promise<void>;
  /** Says why rows cannot be taken; undefined while they can. */
  fault(): string | undefined;
  /** Finishes running appends, stops what prepares hours, and closes. */
  close(): Promise<void>;
}
