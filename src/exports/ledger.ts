/**
 * The ledger of one project's hour: two balances that hold only if nothing was lost or made up.
 *
 *   events received = accepted + rejected + ignored + erased      by ledger line
 *   rows made       = exported + duplicates + erased              by data type
 *
 * The left sides were counted as requests came in, before and beside the mapping, and lie in the frames' headers. The right sides
 * are recounted here from the records themselves as they are exported (ignored events leave no record, so theirs is the
 * collector's count). A record that vanished on the way is missed by one side. What an erasure took is counted by the erasure, in the
 * runs that it wrote; where nothing was erased, the ledger says nothing of it.
 *
 * Tags are made here and received by nobody: action_tag has a line among the rows only. Its left side is what the rules found.
 */
import { DATA_TYPES, type DataType } from '../events/data-types.ts';
import { LEDGER_CODES } from '../events/event-types.ts';
import { ROW_ID_BYTES } from '../events/ids.ts';
import { AppError } from '../errors/app-error.ts';
import type { ErasedCount, HourReader, ReceiptCount } from '../store/hour-store.ts';
import type { Hour } from '../events/hour.ts';
import type { Ledger } from '../catalog/catalog.ts';

/** What was recounted of one data type's records. */
export type DataTypeCount = { readonly events: number; readonly exported: number; readonly duplicates: number };

/** Counts an hour's rejected records by ledger line; reads each record. */
export function countRejected(reader: HourReader, hour: Hour, ai: string): ReadonlyMap<string, number> {
  const lineOf = new Map([...LEDGER_CODES].map(([line, code]) => [code, line]));
  const counts = new Map<string, number>();
  for (const batch of reader.readSorted(hour, ai, 'rejected')) {
    for (let row = 0; row < batch.count; row += 1) {
      const line = lineOf.get(batch.rowIds[row * ROW_ID_BYTES]!) ?? 'unknown';
      counts.set(line, (counts.get(line) ?? 0) + 1);
    }
  }
  return counts;
}

/** Puts both sides together. */
export function buildLedger(
  receipts: readonly ReceiptCount[],
  counted: ReadonlyMap<DataType, DataTypeCount>,
  rejected: ReadonlyMap<string, number>,
  erasedCounts: readonly ErasedCount[] = [],
): Ledger {
  const received = new Map(receipts.map((receipt) => [receipt.line, receipt]));
  const erased = sumErased(erasedCounts);
  // Tags are rows of no event, so action_tag has no line among the events unless some were counted, which is a fault.
  const lines = [...LEDGER_CODES.keys()].filter(
    (line) =>
      line !== 'import' &&
      line !== 'replay' &&
      ((received.get(line)?.received ?? 0) > 0 ||
        rejected.has(line) ||
        (counted.has(line as DataType) && (line !== 'action_tag' || counted.get(line)!.events > 0))),
  );
  const rowTypes = DATA_TYPES.filter((dataType) => counted.has(dataType) || (received.get(dataType)?.rows ?? 0) > 0);
  return {
    events: Object.fromEntries(
      lines.map((line) => [
        line,
        {
          received: received.get(line)?.received ?? 0,
          accepted: counted.get(line as DataType)?.events ?? 0,
          rejected: rejected.get(line) ?? 0,
          ignored: received.get(line)?.ignored ?? 0,
          ...erasedOf(erased.get(line)?.events),
        },
      ]),
    ),
    rows: Object.fromEntries(
      rowTypes.map((dataType) => {
        const { exported = 0, duplicates = 0 } = counted.get(dataType) ?? {};
        const made = received.get(dataType)?.rows ?? 0;
        return [dataType, { made, exported, duplicates, ...erasedOf(erased.get(dataType)?.rows) }];
      }),
    ),
    imported: received.get('import')?.received ?? 0,
    ...(received.has('replay') && { replayed: received.get('replay')!.received }),
  };
}

function sumErased(counts: readonly ErasedCount[]): ReadonlyMap<string, Pick<ErasedCount, 'events' | 'rows'>> {
  const sums = new Map<string, { events: number; rows: number }>();
  for (const { line, events, rows } of counts) {
    const sum = sums.get(line) ?? { events: 0, rows: 0 };
    sums.set(line, { events: sum.events + events, rows: sum.rows + rows });
  }
  return sums;
}

function erasedOf(count = 0): { readonly erased?: number } {
  return count === 0 ? {} : { erased: count };
}

/** Checks both balances. @throws AppError ledger_unbalanced, naming the numbers that differ */
export function checkLedger(ledger: Ledger): void {
  const faults = findLedgerFaults(ledger);
  if (faults.length > 0)
    throw new AppError('ledger_unbalanced', `The hour's ledger does not balance: ${faults.join('; ')}.`);
}

/** Finds what does not balance: one part of a sentence for each line and data type whose numbers differ. */
export function findLedgerFaults(ledger: Ledger): readonly string[] {
  return [
    ...Object.entries(ledger.events).flatMap(([line, { received, accepted, rejected, ignored, erased }]) =>
      received === accepted + rejected + ignored + (erased ?? 0)
        ? []
        : [
            `${line}: ${received} events received, but ${accepted} accepted + ${rejected} rejected + ${ignored} ignored${plusErased(erased)}`,
          ],
    ),
    ...Object.entries(ledger.rows).flatMap(([dataType, { made, exported, duplicates, erased }]) =>
      made === exported + duplicates + (erased ?? 0)
        ? []
        : [`${dataType}: ${made} rows made, but ${exported} exported + ${duplicates} duplicates${plusErased(erased)}`],
    ),
  ];
}

function plusErased(count: number | undefined): string {
  return count === undefined ? '' : ` + ${count} erased`;
}
