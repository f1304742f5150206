/**
 * Keeps a rejected event with its reason, as a record beside the rows: a line of NDJSON with the send time first.
 *
 *   {"sendTime":…,"reason":"…","line":"page","platform":"web","ip":"…","userAgent":"…","event":{…}}
 *
 * `line` is the ledger line that counts it. An event too large to be kept has the beginning of its text as `eventHead` instead.
 * Rejected events are never duplicates of each other, because the ledger counts each; so the place of a row id holds the ledger
 * line's code, by which an export counts them without reading the lines.
 */
import type { EventRow } from './event-row.ts';
import { ROW_FLAGS } from './event-row.ts';
import { LEDGER_CODES, type LedgerLine } from './event-types.ts';
import { ROW_ID_BYTES } from './ids.ts';

export type RejectedEvent = { readonly reason: string; readonly line: LedgerLine } & (
  { readonly event: unknown } | { readonly eventHead: string }
);

/** Builds the record of a rejected event. */
export function buildRejectedRow(
  {
    pathWord,
    ip,
    userAgent,
  }: { readonly pathWord: string; readonly ip: string | null; readonly userAgent: string | null },
  rejected: RejectedEvent,
): EventRow {
  const { reason, line, ...event } = rejected;
  const rowId = Buffer.alloc(ROW_ID_BYTES);
  rowId[0] = LEDGER_CODES.get(line) ?? 0;
  return {
    kind: 'rejected',
    visitor: '',
    session: '',
    timeMs: 0,
    rowId,
    flags: ROW_FLAGS.firstOfEvent,
    lineHead: '{"sendTime":',
    lineTail: `,${JSON.stringify({ reason, line, platform: pathWord, ip, userAgent, ...event }).slice(1)}\n`,
    extras: {},
  };
}
