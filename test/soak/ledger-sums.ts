/** Adds up the ledgers of a soak's hours and says where one does not balance. */
import type { Ledger } from '../../src/catalog/catalog.ts';

/** Over all hours. */
export type LedgerSums = {
  received: number;
  rejected: number;
  ignored: number;
  exported: number;
  duplicates: number;
};

export const LEDGER_SUMS: Readonly<LedgerSums> = { received: 0, rejected: 0, ignored: 0, exported: 0, duplicates: 0 };

/** Adds what `tidegate ledger --json` printed. Returns a sentence for each balance that does not hold. */
export function sumLedger(name: string, json: string, sums: LedgerSums): readonly string[] {
  const { ledger } = JSON.parse(json) as { readonly ledger: Ledger };
  const faults: string[] = [];
  for (const [line, { received, accepted, rejected, ignored }] of Object.entries(ledger.events)) {
    if (received !== accepted + rejected + ignored) faults.push(`the events of ${line} in hour ${name} do not balance`);
    sums.received += received;
    sums.rejected += rejected;
    sums.ignored += ignored;
  }
  for (const [dataType, { made, exported, duplicates }] of Object.entries(ledger.rows)) {
    if (made !== exported + duplicates) faults.push(`the rows of ${dataType} in hour ${name} do not balance`);
    sums.exported += exported;
    sums.duplicates += duplicates;
  }
  return faults;
}
