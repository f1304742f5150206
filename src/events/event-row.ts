/**
 * What the mapping makes of one request: rows for the store, and counts for the ledger.
 */
import type { DataType } from './data-types.ts';
import type { LedgerLine } from './event-types.ts';

/** What a stored record holds: a row of a data type, or a rejected event with its reason. */
export type RecordKind = DataType | 'rejected';

/** Bits of a record's flags on disk. */
export const ROW_FLAGS = {
  /** The first row of its event; counting these recounts the events. */
  firstOfEvent: 1,
  /** The domain is missing, or a server event's visitor, and may be found among pages after the seal. */
  incomplete: 2,
  /** No row of this hour: the hour before has one with this id, near its end. It stands here to reveal a resend. */
  published: 4,
} as const;

/**
 * One row, ready for the store.
 *
 * The line is encoded once, on arrival, but for its send time, which the store decides when it writes: `lineHead`, then 13
 * digits of send time, then `lineTail` (which ends with a line feed) are the line.
 */
export type EventRow = {
  readonly kind: RecordKind;
  /** Sort key: visitor, session, time, row id. Cut like their columns; empty where null. */
  readonly visitor: string;
  readonly session: string;
  /**
   * The client's time. For a row without a domain: the time of its page, so that it lies beside its page. For a visit: 0, because a
   * session has one visit whatever times its copies carry, and copies must be neighbours.
   */
  readonly timeMs: number;
  readonly rowId: Buffer;
  readonly flags: number;
  readonly lineHead: string;
  readonly lineTail: string;
  /** Named values that are kept but not exported. */
  readonly extras: Extras;
};

/**
 * Values kept beside the line. Names are short because each row carries them: x xpath, q query, oaid, iv, link, and for
 * incomplete rows pid (the page's pageRequestId) and tm (the row's own time). login: hash of a login user that was cut.
 */
export type Extras = Readonly<Record<string, string>>;

/**
 * How many events of one ledger line came in, how many of them were ignored, and how many rows the others were to make. Counted
 * from what came in and not from the rows, so that a row that is lost later is missed.
 */
export type Receipt = {
  readonly line: LedgerLine;
  readonly received: number;
  readonly ignored: number;
  readonly rows: number;
};

/** Rows in the form in which they are stored (record-writer.ts). The bytes are the writer's: they hold until the next request is mapped. */
export type EncodedRows = { readonly bytes: Buffer; readonly count: number };

/** Everything one request stores, all or nothing. */
export type EventBatch = {
  readonly ai: string;
  readonly rows: readonly EventRow[];
  /** Rows besides `rows` that are encoded already; a store has copied them when `append` has returned its promise. */
  readonly records?: EncodedRows;
  readonly receipts: readonly Receipt[];
  /** Why events were rejected, one entry each. */
  readonly rejections: readonly string[];
};
