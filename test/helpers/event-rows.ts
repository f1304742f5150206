/** Makes rows and batches for tests of the store and the export. */
import { createHash } from 'node:crypto';
import { ROW_FLAGS, type EventBatch, type EventRow } from '../../src/events/event-row.ts';
import type { DataType } from '../../src/events/data-types.ts';

export type RowSpec = {
  readonly kind?: DataType;
  readonly visitor?: string;
  readonly session?: string;
  readonly timeMs?: number;
  /** Rows with the same name have the same row id. */
  readonly id: string;
};

/** Makes an evar-shaped row whose line is `visitor,session,time,{send time},id`. */
export function eventRow({ kind = 'evar', visitor = 'u-1', session = 's-1', timeMs = 1, id }: RowSpec): EventRow {
  return {
    kind,
    visitor,
    session,
    timeMs,
    rowId: createHash('sha256').update(id).digest().subarray(0, 16),
    flags: ROW_FLAGS.firstOfEvent,
    lineHead: `${visitor},${session},${timeMs},`,
    lineTail: `,${id}\n`,
    extras: {},
  };
}

/** Makes a batch of such rows, with receipts that balance. */
export function eventBatch(ai: string, rows: readonly RowSpec[]): EventBatch {
  return {
    ai,
    rows: rows.map(eventRow),
    receipts: [...new Set(rows.map(({ kind = 'evar' }) => kind))].map((line) => {
      const count = rows.filter(({ kind = 'evar' }) => kind === line).length;
      return { line, received: count, ignored: 0, rows: count };
    }),
    rejections: [],
  };
}

/** The instant 2026-11-23T04:00:00Z, the first of an hour, from which tests count. */
export const HOUR_START_MS = Date.UTC(2026, 10, 23, 4);
