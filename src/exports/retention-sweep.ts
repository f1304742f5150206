/**
 * Deletes what is past retention: manifests and packages, rows, tasks; and from the click index what no activation looks for any
 * more. The publication log stays.
 *
 * The API says NOT_EXISTS for such hours by the clock alone, so nothing depends on when this runs. An hour whose export is still
 * to be done keeps its rows; one that failed for good keeps them for as long again, for a person to act, and is then given up.
 * Every step may be done twice, so a crash between any two is mended by the next sweep. Downloads that run go on.
 */
import type { Logger } from 'pino';
import { ATTRIBUTION_MS } from '../ads/click-index-file.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { addHours, formatBeijingHour, HOURS_PER_DAY, type Hour } from '../events/hour.ts';
import { retainedFrom } from '../events/retention.ts';
import type { Clock } from '../lib/clock.ts';
import type { PackageStore } from '../packages/package-store.ts';
import type { HourStore } from '../store/hour-store.ts';

export type RetentionSweepOptions = {
  readonly catalog: Catalog;
  readonly store: HourStore;
  readonly packages: PackageStore;
  /** What is kept of clicks to find them again. */
  readonly clicks?: { deleteBefore(limitMs: number): Promise<void> | undefined };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly retentionDays: number;
  /** How long a limit that is far ahead of the last one must hold before it is believed. */
  readonly doubtMs: number;
  readonly monotonicMs: () => number;
};

export class RetentionSweep {
  readonly #options: RetentionSweepOptions;
  #sweptAt: Hour | undefined;
  #limit: Hour | undefined;
  /** A limit far ahead of the last one, and since when the clock has said so, on the monotonic clock. */
  #doubted: { readonly limit: Hour; readonly sinceMs: number } | undefined;

  constructor(options: RetentionSweepOptions) {
    this.#options = options;
  }

  /** Sweeps if no sweep was done in this hour yet, and if the clock can be believed. */
  async sweepOnce(now: Hour): Promise<void> {
    const { clock, retentionDays } = this.#options;
    if (this.#sweptAt === now || !this.#isCredible(retainedFrom(clock.nowMs(), retentionDays))) return;
    await this.sweep();
    this.#sweptAt = now;
  }

  /**
   * Says whether hours before this one may be deleted. A clock that jumped ahead must not delete everything at once: a limit more
   * than a day ahead of the last one, or the first after a start, has to hold for an hour of real time.
   */
  #isCredible(limit: Hour): boolean {
    const { doubtMs, monotonicMs } = this.#options;
    if (this.#limit !== undefined && limit <= this.#limit + HOURS_PER_DAY) {
      this.#limit = limit;
      this.#doubted = undefined;
      return true;
    }
    if (!this.#doubted || limit < this.#doubted.limit) this.#doubted = { limit, sinceMs: monotonicMs() };
    if (monotonicMs() - this.#doubted.sinceMs < doubtMs) return false;
    this.#limit = limit;
    return true;
  }

  /** Deletes what is past retention now. */
  async sweep(): Promise<void> {
    const { catalog, store, packages, clicks, clock, logger, retentionDays } = this.#options;
    const limit = retainedFrom(clock.nowMs(), retentionDays);
    const givenUp = retainedFrom(clock.nowMs(), 2 * retentionDays);
    const kept: Hour[] = [];
    for (const { hour, isFailed } of await catalog.tasks.listUnfinishedBefore(limit)) {
      if (isFailed && hour < givenUp)
        logger.error({ hour: formatBeijingHour(hour) }, 'An hour that could never be exported is deleted.');
      else kept.push(hour);
    }
    // The manifest first, so that no link is given to a package that is going; then the bytes.
    await catalog.manifests.deletePackagesBefore(limit);
    await packages.deleteBefore(limit);
    await store.dropBefore(limit, new Set(kept.flatMap((hour) => [hour, addHours(hour, -1)])));
    await catalog.tasks.deleteBefore(limit, kept);
    // A click index that is damaged or locked must hold up no hour; the next sweep tries again.
    try {
      await clicks?.deleteBefore(clock.nowMs() - ATTRIBUTION_MS);
    } catch (error) {
      logger.error({ err: error }, 'What is past in the click index could not be deleted.');
    }
  }
}
