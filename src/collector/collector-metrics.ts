/** What the collector counts for /metrics. */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { EventBatch } from '../events/event-row.ts';

export class CollectorMetrics {
  readonly requests: Counter<'status'>;
  readonly #events: Counter<'line' | 'outcome'>;
  readonly cutValues: Counter<'data_type' | 'column'>;
  readonly bodies: Counter<'coding'>;
  readonly seconds: Histogram;

  constructor(registry: Registry) {
    const registers = [registry];
    this.requests = new Counter({
      name: 'tidegate_collector_requests_total',
      help: 'Requests to the collector, by HTTP status.',
      labelNames: ['status'],
      registers,
    });
    this.#events = new Counter({
      name: 'tidegate_collector_events_total',
      help: 'Events stored, by ledger line and outcome (received, rejected, ignored). Accepted is what is left.',
      labelNames: ['line', 'outcome'],
      registers,
    });
    this.cutValues = new Counter({
      name: 'tidegate_collector_cut_values_total',
      help: 'Values that were cut to their documented width, or could not be read in their type.',
      labelNames: ['data_type', 'column'],
      registers,
    });
    this.bodies = new Counter({
      name: 'tidegate_collector_bodies_total',
      help: 'Bodies decoded, by coding.',
      labelNames: ['coding'],
      registers,
    });
    this.seconds = new Histogram({
      name: 'tidegate_collector_request_seconds',
      help: 'Time from a request to its answer, its rows durable.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers,
    });
  }

  /** Counts a batch that was stored. */
  countBatch(batch: EventBatch, rejected: number): void {
    for (const { line, received, ignored } of batch.receipts) {
      if (received > 0) this.#events.inc({ line, outcome: 'received' }, received);
      if (ignored > 0) this.#events.inc({ line, outcome: 'ignored' }, ignored);
    }
    if (rejected > 0) this.#events.inc({ line: 'all', outcome: 'rejected' }, rejected);
  }
}
