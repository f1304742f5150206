/**
 * What the exporter counts for /metrics: the ledgers of the hours that this server has published since it started.
 *
 * Each publication counts, so an hour that an import has filled counts with both its revisions; the first of them had no rows.
 */
import { Counter, type Registry } from 'prom-client';
import type { Manifest } from '../catalog/catalog.ts';

export class ExportMetrics {
  readonly #events: Counter<'line' | 'outcome'>;
  readonly #rows: Counter<'data_type' | 'outcome'>;
  readonly #unbalanced: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#events = new Counter({
      name: 'tidegate_ledger_events_total',
      help: 'Events of published hours, by ledger line and outcome: received = accepted + rejected + ignored + erased.',
      labelNames: ['line', 'outcome'],
      registers,
    });
    this.#rows = new Counter({
      name: 'tidegate_ledger_rows_total',
      help: 'Rows of published hours, by data type and outcome: made = exported + duplicate + erased.',
      labelNames: ['data_type', 'outcome'],
      registers,
    });
    this.#unbalanced = new Counter({
      name: 'tidegate_export_ledger_unbalanced_total',
      help: 'Exports that failed because the ledger of their hour did not balance. Any is a loss on disk.',
      registers,
    });
  }

  /** Counts a publication. */
  countPublished({ facts: { ledger } }: Manifest): void {
    for (const [line, { received, accepted, rejected, ignored, erased = 0 }] of Object.entries(ledger.events)) {
      this.#events.inc({ line, outcome: 'received' }, received);
      this.#events.inc({ line, outcome: 'accepted' }, accepted);
      this.#events.inc({ line, outcome: 'rejected' }, rejected);
      this.#events.inc({ line, outcome: 'ignored' }, ignored);
      if (erased > 0) this.#events.inc({ line, outcome: 'erased' }, erased);
    }
    for (const [dataType, { made, exported, duplicates, erased = 0 }] of Object.entries(ledger.rows)) {
      this.#rows.inc({ data_type: dataType, outcome: 'made' }, made);
      this.#rows.inc({ data_type: dataType, outcome: 'exported' }, exported);
      this.#rows.inc({ data_type: dataType, outcome: 'duplicate' }, duplicates);
      if (erased > 0) this.#rows.inc({ data_type: dataType, outcome: 'erased' }, erased);
    }
  }

  /** Counts an export that failed for good, by the code of its last error. */
  countFailed(code: string | undefined): void {
    if (code === 'ledger_unbalanced') this.#unbalanced.inc();
  }
}
