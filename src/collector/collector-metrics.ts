/** What the collector counts for /metrics. */
import { Histogram, type Registry } from 'prom-client';
import type { EventBatch } from '../events/event-row.ts';
import { TalliedCounter } from '../lib/tallied-counter.ts';

export class CollectorMetrics {
  readonly #requests: TalliedCounter;
  readonly #events: TalliedCounter;
  readonly #cutValues: TalliedCounter;
  readonly #bodies: TalliedCounter;
  readonly #seconds: Histogram;

  constructor(registry: Registry) {
    this.#requests = new TalliedCounter({
      name: 'tidegate_collector_requests_total',
      help: 'Requests to the collector, by HTTP status; none where the client left before its answer.',
      labelNames: ['status'],
      registry,
    });
    this.#events = new TalliedCounter({
      name: 'tidegate_collector_events_total',
      help: 'Events stored, by ledger line and outcome (received, rejected, ignored). Accepted is what is left.',
      labelNames: ['line', 'outcome'],
      registry,
    });
    this.#cutValues = new TalliedCounter({
      name: 'tidegate_collector_cut_values_total',
      help: 'Values that were cut to their documented width, or could not be read in their type.',
      labelNames: ['data_type', 'column'],
      registry,
    });
    this.#bodies = new TalliedCounter({
      name: 'tidegate_collector_bodies_total',
      help: 'Bodies decoded, by coding.',
      labelNames: ['coding'],
      registry,
    });
    this.#seconds = new Histogram({
      name: 'tidegate_collector_request_seconds',
      help: 'Time from a request to its answer, its rows durable.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers: [registry],
    });
  }

  /** Counts a request that has ended, and how long it took; `none` where the client did not wait for the answer. */
  countRequest(status: number | 'none', tookMs: number): void {
    this.#requests.add(String(status));
    this.#seconds.observe(tookMs / 1000);
  }

  /** Counts a body that was decoded. */
  countBody(coding: string): void {
    this.#bodies.add(coding);
  }

  /** Counts a value that was cut, or could not be read. */
  countCut(dataType: string, column: string): void {
    this.#cutValues.add(`${dataType}\n${column}`);
  }

  /** Counts a batch that was stored. */
  countBatch(batch: EventBatch, rejected: number): void {
    for (const { line, received, ignored } of batch.receipts) {
      if (received > 0) this.#events.add(`${line}\nreceived`, received);
      if (ignored > 0) this.#events.add(`${line}\nignored`, ignored);
    }
    if (rejected > 0) this.#events.add('all\nrejected', rejected);
  }
}
