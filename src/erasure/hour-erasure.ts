/**
 * Takes the visitors of all erasures that are due out of one project's hour: out of its rows, and of what was published of them.
 *
 * Steps: the hour is prepared and looked through → devices that his rows tell of are recorded, and their clicks looked for, too → where it holds something, sealed hours
 * behind it are prepared, since his rows tell which of their server events are his → under the lock of all processes: its export task is made
 * pending again, so that an export that runs publishes nothing → what goes is recorded → its manifests and packages are deleted,
 * and from now on old links answer 410 → its runs are rewritten → the record is marked. The export that follows publishes the
 * next revision.
 *
 * Crash: after any step the next try finds the record and no mark, and does all of it again; what was done is done once more to no
 * effect. Nothing is published of the hour before, because an export asks here first.
 */
import { AppError } from '../errors/app-error.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ErasedRows, PendingErasure, PublishedRevision } from '../catalog/erasures.ts';
import { addHours, formatUtcHour, type Hour } from '../events/hour.ts';
import type { Clock } from '../lib/clock.ts';
import type { PackageStore } from '../packages/package-store.ts';
import type { FoundVisitors } from '../store/hour-log/erase-runs.ts';
import { isLastingDamage } from '../store/hour-log/lasting-damage.ts';
import { LINK_HOURS } from '../store/hour-log/link-server-events.ts';
import type { HourStore } from '../store/hour-store.ts';
import type { Erased } from '../store/hour-log/visitor-matcher.ts';
import type { VisitorEraser } from '../store/visitor-eraser.ts';
import type { ErasureParticipant } from './erasure-participant.ts';

export type HourErasureOptions = {
  readonly catalog: Catalog;
  readonly store: Pick<HourStore, 'prepare' | 'sealedUntil'>;
  readonly eraser: VisitorEraser;
  readonly packages: Pick<PackageStore, 'deleteUnder'>;
  readonly participants: readonly ErasureParticipant[];
  readonly clock: Clock;
};

/** What was found in an hour, and for whom. */
type Search = { readonly due: readonly PendingErasure[]; readonly found: FoundVisitors; readonly isBegun: boolean };

/** Says whether an erasure has still to look at an hour: for rows of the visitors, or for clicks of devices that were found since. */
export function isDue(erasure: PendingErasure, hour: Hour): boolean {
  const { status, lastHour, owners, searchedOwners } = erasure;
  return status === 'pending' && hour <= lastHour && (areRowsDue(erasure, hour) || owners.length > searchedOwners);
}

function areRowsDue({ nextHour, failedHours }: PendingErasure, hour: Hour): boolean {
  return hour >= nextHour || failedHours.includes(hour);
}

export class HourErasure {
  readonly #options: HourErasureOptions;

  constructor(options: HourErasureOptions) {
    this.#options = options;
  }

  /**
   * Erases whatever is due in a sealed hour of a project. For whoever has its gate. With `keepTask` the caller exports the hour next,
   * under a task that it holds; else the task is made pending. A caller that has lost its task may not go on: another has published
   * the hour meanwhile, or is about to, from the rows of before, and nobody would publish it again.
   * @throws AppError store_corrupt, store_unavailable
   */
  async run({ ai, hour, keepTask }: { ai: string; hour: Hour; keepTask?: () => Promise<boolean> }): Promise<void> {
    const { catalog, store, eraser } = this.#options;
    if (!(await catalog.erasures.listUnfinished(ai)).some((erasure) => isDue(erasure, hour))) return;
    await store.prepare(hour);
    let first = await this.#search(ai, hour);
    if (await this.#learn(first)) first = await this.#search(ai, hour);
    if (!needsWork(first) && !(await eraser.holdsUncounted(hour))) return;
    await this.#prepareLater(hour);
    await using _lock = await eraser.lock();
    const search = await this.#search(ai, hour); // anew: who had the lock before may have changed the hour
    await this.#learn(search); // before the rows go that tell it
    if (needsWork(search)) {
      if (!keepTask) await this.#restartTask(ai, hour);
      else if (!(await keepTask())) throw new AppError('store_unavailable', 'Another process exports the hour now.');
      await this.#record(ai, hour, search);
      await this.#withdraw(ai, hour, search);
    }
    await eraser.erase(hour, ai, erasedOf(search.due, hour), search.found);
    for (const { id } of search.due) await catalog.erasures.markErased(id, hour);
  }

  /** Server events of the hours behind are told to be the visitor's by rows that go. Damage there is that hour's own error. */
  async #prepareLater(hour: Hour): Promise<void> {
    const { store, eraser } = this.#options;
    const isLinked = (later: Hour): boolean =>
      later > hour && later <= addHours(hour, LINK_HOURS) && later < store.sealedUntil;
    for (const later of (await eraser.hours()).filter(isLinked))
      await store.prepare(later).catch((error: unknown) => {
        if (!isLastingDamage(error)) throw error;
      });
  }

  async #search(ai: string, hour: Hour): Promise<Search> {
    const { catalog, eraser } = this.#options;
    const due = (await catalog.erasures.listUnfinished(ai)).filter((erasure) => isDue(erasure, hour));
    const begun = await Promise.all(due.map(({ id }) => catalog.erasures.isBegun(id, hour)));
    return { due, found: await eraser.find(hour, ai, erasedOf(due, hour)), isBegun: begun.includes(true) };
  }

  /** Records by what clicks of the visitors are known. Says whether any of it is new: then there may be more to be found. */
  async #learn({ due, found }: Search): Promise<boolean> {
    let isNew = false;
    for (const [place, { id }] of due.entries()) {
      const owners = found.owners.filter(({ erasure }) => erasure === place).map(({ owner }) => owner);
      if (owners.length > 0 && (await this.#options.catalog.erasures.addOwners(id, owners))) isNew = true;
    }
    return isNew;
  }

  /** An hour that has no task was never to be exported. */
  async #restartTask(ai: string, hour: Hour): Promise<void> {
    const { catalog, clock } = this.#options;
    const tasks = await catalog.tasks.list(ai, { from: hour, until: addHours(hour, 1) });
    if (tasks.length > 0) await catalog.tasks.restart(ai, [hour], clock.nowMs());
  }

  async #record(ai: string, hour: Hour, { due, found }: Search): Promise<void> {
    const { catalog } = this.#options;
    const published = await catalog.manifests.newestPublication(ai, hour);
    const before: PublishedRevision | null = published ? { revision: published.revision, hash: published.hash } : null;
    for (const [place, { id }] of due.entries()) {
      const counts = found.counts.filter(({ erasure }) => erasure === place);
      const rows: ErasedRows = Object.fromEntries(counts.map((count) => [count.kind, count.rows]));
      if (counts.length > 0) await catalog.erasures.recordHour(id, { hour, rows, before });
    }
  }

  async #withdraw(ai: string, hour: Hour, { due, found }: Search): Promise<void> {
    const { catalog, packages, participants } = this.#options;
    await catalog.manifests.withdraw(ai, hour);
    await packages.deleteUnder(`${ai}/${formatUtcHour(hour)}`);
    const visitorIds = due.flatMap((erasure) => erasure.visitorIds);
    const untilMs = Math.max(...due.map((erasure) => erasure.untilMs));
    const { activations, clicks } = found;
    for (const participant of participants)
      await participant.eraseHour?.({ ai, hour, visitorIds, activations, clicks, untilMs });
  }
}

function needsWork({ found, isBegun }: Search): boolean {
  return isBegun || found.runPaths.length > 0;
}

/** What is to be looked for in an hour; in one that was looked through before, clicks only. */
function erasedOf(due: readonly PendingErasure[], hour: Hour): readonly Erased[] {
  return due.flatMap((erasure, place) => describeErased(erasure, place, areRowsDue(erasure, hour)));
}

/** Says for the store what an erasure takes. `place` counts the erasures of one call. */
export function describeErased(
  { visitorIds, owners, untilMs }: PendingErasure,
  place: number,
  areRowsDue: boolean,
): readonly Erased[] {
  const clicks = owners.map((owner) => ({ owner, untilMs, erasure: place }));
  return areRowsDue ? [...visitorIds.map((visitor) => ({ visitor, untilMs, erasure: place })), ...clicks] : clicks;
}
