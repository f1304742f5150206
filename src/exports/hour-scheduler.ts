/**
 * Follows the wall clock: seals each hour as it ends, makes the export tasks of every project, and sweeps what is past retention.
 *
 * It looks at the clock at least once a second instead of sleeping until the hour's end, so that a stepped clock, a machine that
 * slept, and the hours of a long stop are all caught up with at once. Everything it does may be done twice.
 */
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import { hourEndMs, hourOf, type Hour, type HourRange } from '../events/hour.ts';
import type { RetentionSweep } from './retention-sweep.ts';
import { waitFor, type Clock } from '../lib/clock.ts';
import { describeFault } from '../lib/system-error.ts';
import type { HourStore } from '../store/hour-store.ts';

export type HourSchedulerOptions = {
  readonly catalog: Catalog;
  readonly store: HourStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly retentionDays: number;
  readonly sweep: RetentionSweep;
  /** Called when tasks were made. */
  readonly onTasks: () => void;
};

const TICK_MS = 1_000;

export class HourScheduler {
  readonly #options: HourSchedulerOptions;
  /** The hours for which each project has its tasks, so that a quiet second asks nothing of the catalog. */
  readonly #ensured = new Map<string, HourRange>();
  #fault: string | undefined;

  constructor(options: HourSchedulerOptions) {
    this.#options = options;
  }

  /** Says why hours cannot be closed; undefined while they can. */
  fault(): string | undefined {
    return this.#fault;
  }

  /** Follows the clock until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.closeEndedHours();
        this.#fault = undefined;
      } catch (error) {
        this.#fault = `An hour that has ended cannot be closed: ${describeFault(error)}. This is tried again every second.`;
        this.#options.logger.error({ err: error }, 'An ended hour could not be closed; trying again.');
      }
      const nowMs = this.#options.clock.nowMs();
      await waitFor(Math.min(TICK_MS, Math.max(1, hourEndMs(hourOf(nowMs)) - nowMs)), signal);
    }
  }

  /** Seals every hour that has ended and makes the tasks that are missing. Returns the end of the sealed hours. */
  async closeEndedHours(): Promise<Hour> {
    const { catalog, store, clock, retentionDays, onTasks, sweep } = this.#options;
    const nowMs = clock.nowMs();
    const now = hourOf(nowMs);
    if (store.sealedUntil < now) await store.seal(now);
    const until = store.sealedUntil;
    let made = 0;
    for (const { ai } of await catalog.projects.list()) {
      const settings = catalog.settings.of(ai);
      const keptFrom = settings.keptFrom(nowMs, retentionDays);
      let ensured = this.#ensured.get(ai);
      if (ensured && keptFrom < ensured.from) ensured = undefined; // retention was made longer, and hours without a task came back
      if (ensured && ensured.until >= until) continue;
      const from = ensured && ensured.until > keptFrom ? ensured.until : keptFrom;
      for (const hours of settings.exportedRanges({ from, until }))
        made += await catalog.tasks.ensure(ai, hours, nowMs);
      this.#ensured.set(ai, { from: keptFrom, until });
    }
    if (made > 0) onTasks();
    await sweep.sweepOnce(now);
    return until;
  }
}
