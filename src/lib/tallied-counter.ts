/**
 * A counter for /metrics that costs next to nothing where it counts: it adds up numbers by a text, and makes labels of them when
 * somebody reads the metrics. prom-client's own `inc` sorts and joins the labels at each call, which takes a microsecond.
 */
import { Counter, type Registry } from 'prom-client';

export type TalliedCounterOptions = {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly registry: Registry;
};

export class TalliedCounter {
  readonly #counts = new Map<string, number>();

  constructor({ name, help, labelNames, registry }: TalliedCounterOptions) {
    const takeCounts = (): ReadonlyMap<string, number> => {
      const counts = new Map(this.#counts);
      this.#counts.clear();
      return counts;
    };
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        for (const [values, count] of takeCounts()) this.labels(...values.split('\n')).inc(count);
      },
    });
  }

  /** Adds to the count of these label values, one a line. */
  add(values: string, count = 1): void {
    this.#counts.set(values, (this.#counts.get(values) ?? 0) + count);
  }
}
