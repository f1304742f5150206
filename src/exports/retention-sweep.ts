/**
 * Deletes what is past retention: manifests and packages, rows, tasks; and from the click index what no activation looks for any
 * more. The publication log stays.
 *
 * Each project has its own retention. Manifests, packages and tasks go with it; the rows of all projects lie in the same files, so
 * they go with the longest. What is deleted is remembered first, because a retention that is made longer brings nothing back.
 *
 * The API says NOT_EXISTS for such hours by the clock alone, so nothing depends on when this runs. An hour whose export is still
 * to be done keeps its rows; one that failed for good keeps them for as long again, for a person to act, and is then given up.
 * Every step may be done twice, so a crash between any two is mended by the next sweep. Downloads that run go on.
 */
import type { Logger } from 'pino';
import { ATTRIBUTION_MS } from '../events/click-owner.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { addHours, beijingDayOf, hourOf, HOURS_PER_DAY, type Hour } from '../events/hour.ts';
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
  /** Up to where projects are swept for good, so that an hour in which nothing expired asks little of the catalog. */
  readonly #sweptUntil = new Map<string, Hour>();
  #limit: Hour | undefined;
  /** A limit far ahead of the last one, and since when the clock has said so, on the monotonic clock. */
  #doubted: { readonly limit: Hour; readonly sinceMs: number } | undefined;

  constructor(options: RetentionSweepOptions) {
    this.#options = options;
  }

  /** Sweeps if no sweep was done in this hour yet, and if the clock can be believed. */
  async sweepOnce(now: Hour): Promise<void> {
    const today = beijingDayOf(hourOf(this.#options.clock.nowMs())).from; // limits are as credible as the day they follow from
    if (this.#sweptAt === now || !this.#isCredible(today)) return;
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
    const { catalog, store, clicks, clock, logger, retentionDays } = this.#options;
    const nowMs = clock.nowMs();
    const unfinished = Map.groupBy(await catalog.tasks.listUnfinishedBefore(hourOf(nowMs)), ({ ai }) => ai);
    const limits: Hour[] = [];
    const kept: Hour[] = [];
    for (const { ai } of await catalog.projects.list()) {
      const limit = catalog.settings.of(ai).keptFrom(nowMs, retentionDays);
      limits.push(limit);
      kept.push(...(await this.#sweepProject({ ai, limit, nowMs, unfinished: unfinished.get(ai) ?? [] })));
    }
    const oldest = limits.length === 0 ? retainedFrom(nowMs, retentionDays) : (Math.min(...limits) as Hour);
    await store.dropBefore(oldest, new Set(kept.flatMap((hour) => [hour, addHours(hour, -1)])));
    // A click index that is damaged or locked must hold up no hour; the next sweep tries again.
    try {
      await clicks?.deleteBefore(nowMs - ATTRIBUTION_MS);
    } catch (error) {
      logger.error({ err: error }, 'What is past in the click index could not be deleted.');
    }
  }

  /** Deletes what of a project is past its retention, but for its rows. Returns the hours whose rows must stay all the same. */
  async #sweepProject({ ai, limit, nowMs, unfinished }: SweptProject): Promise<readonly Hour[]> {
    const { catalog, packages, logger, retentionDays } = this.#options;
    if (this.#sweptUntil.get(ai) === limit) return [];
    const givenUp = retainedFrom(nowMs, 2 * catalog.settings.of(ai).retentionDays(nowMs, retentionDays));
    const kept: Hour[] = [];
    for (const { hour, isFailed } of unfinished.filter((task) => task.hour < limit)) {
      if (isFailed && hour < givenUp) logger.error({ ai, hour }, 'An hour that could never be exported is deleted.');
      else kept.push(hour);
    }
    await catalog.settings.markDeletedBefore(ai, limit);
    // The manifest first, so that no link is given to a package that is going; then the bytes.
    await catalog.manifests.deletePackagesBefore(limit, ai);
    await catalog.legacy.deleteBefore(ai, limit);
    await packages.deleteBefore(ai, limit);
    await catalog.tasks.deleteBefore(limit, kept, ai);
    await catalog.replays.deleteBefore(ai, limit);
    if (kept.length === 0) this.#sweptUntil.set(ai, limit);
    return kept;
  }
}

type SweptProject = {
  readonly ai: string;
  /** The first hour that is kept. */
  readonly limit: Hour;
  readonly nowMs: number;
  readonly unfinished: readonly { readonly hour: Hour; readonly isFailed: boolean }[];
};
