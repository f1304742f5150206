/**
 * Carries erasures out: goes through the hours of the log, oldest first, then waits until what was erased is published anew, and
 * at last deletes the ids themselves and signs the certificate.
 *
 * All erasures that are there when a pass begins are worked on together, so a hundred cost one reading of the log. Hours that are open when an
 * erasure is asked for are looked into at once: where they hold nothing, nobody waits for them; else they are erased as soon as
 * they are sealed, before they are exported (`beforeExport`). An hour that cannot be read holds up no other; it is tried again once a minute.
 *
 * Clicks name no visitor. The devices that his rows tell of are recorded with the erasure before those rows go; a pass that has found
 * any is followed by another over all hours, for clicks alone, until one finds no more.
 *
 * An import or a back-fill that runs may have read rows before they were erased, and make new ones of them. So hours are looked through
 * again when it has ended, and an erasure does not end before.
 *
 * Everything is done twice to no effect, so it goes on after a crash, and several processes may do it at once.
 *
 * Memory: a block of a run, and the ids of the erasures that are not done, of visitors and of devices.
 */
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import { signCertificate, type CertificateFacts } from '../catalog/erasure-certificate.ts';
import type { ErasureHour, PendingErasure } from '../catalog/erasures.ts';
import { addHours, formatBeijingHour, hourOf, hourStartMs, type Hour } from '../events/hour.ts';
import { deleteUnpublished } from '../exports/delete-unpublished.ts';
import type { HourGate } from '../exports/hour-gate.ts';
import { legacyFolder, revisionFolder } from '../exports/package-name.ts';
import { waitFor, type Clock } from '../lib/clock.ts';
import { describeFault } from '../lib/system-error.ts';
import type { PackageStore } from '../packages/package-store.ts';
import type { HourStore } from '../store/hour-store.ts';
import type { VisitorEraser } from '../store/visitor-eraser.ts';
import type { ErasureParticipant } from './erasure-participant.ts';
import { describeErased, HourErasure, isDue } from './hour-erasure.ts';

export type ErasureRunnerOptions = {
  readonly catalog: Catalog;
  readonly store: HourStore;
  readonly eraser: VisitorEraser;
  readonly packages: PackageStore;
  readonly gate: HourGate;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly participants: readonly ErasureParticipant[];
};

/** What going through the hours has shown. `faults` says why hours could not be erased. */
type Pass = { readonly until: Hour; readonly faults: ReadonlyMap<Hour, string>; readonly isRetry: boolean };

const POLL_MS = 500;
/** How long hours that could not be read are left alone. */
const RETRY_MS = 60_000;

export class ErasureRunner {
  readonly #options: ErasureRunnerOptions;
  readonly #hourErasure: HourErasure;
  /** Erasures whose open hours this process has looked into, and for how many owners of clicks. */
  readonly #lookedAhead = new Map<string, number>();
  /** Erasures for which the hours were looked through while an import ran, and which wait for its end. */
  readonly #waitingForImport = new Set<string>();
  #retriedAtMs = -Infinity;
  /** How many erasures were done when this process looked last. */
  #done: number | undefined;

  constructor(options: ErasureRunnerOptions) {
    this.#options = options;
    this.#hourErasure = new HourErasure(options);
  }

  /** Carries erasures out until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.runDue(signal).catch((error: unknown) => {
        if (!signal.aborted)
          this.#options.logger.error({ err: error }, 'Erasures cannot be carried out; trying again.');
      });
      await waitFor(POLL_MS, signal);
    }
  }

  /** Takes what is due out of an hour that is about to be exported under a task. For whoever has its gate. */
  beforeExport(ai: string, hour: Hour, keepTask: () => Promise<boolean>): Promise<void> {
    return this.#hourErasure.run({ ai, hour, keepTask });
  }

  /** Does what can be done now. */
  async runDue(signal?: AbortSignal): Promise<void> {
    const { catalog, store, eraser } = this.#options;
    await this.#followOthers();
    const isRetry = performance.now() - this.#retriedAtMs >= RETRY_MS;
    if (isRetry) this.#retriedAtMs = performance.now();
    const pending: PendingErasure[] = [];
    for (const erasure of await catalog.erasures.listUnfinished())
      pending.push(erasure.status === 'pending' ? await this.#lookAhead(erasure) : erasure);
    if (pending.length === 0) return;
    const until = store.sealedUntil;
    const imports = await eraser.followImports();
    if (!imports.isRunning) this.#waitingForImport.clear();
    const faults = new Map<Hour, string>();
    for (const hour of (await eraser.hours()).filter((candidate) => candidate < until)) {
      const due = pending.filter(
        (erasure) =>
          isDue(erasure, hour) &&
          (isRetry || !erasure.failedHours.includes(hour)) &&
          !this.#waitingForImport.has(erasure.id),
      );
      for (const ai of new Set(due.map((erasure) => erasure.ai))) {
        if (signal?.aborted) return;
        const fault = await this.#eraseHour(ai, hour);
        if (fault !== undefined) faults.set(hour, fault);
      }
    }
    const isSettled = !imports.isRunning && JSON.stringify(await eraser.followImports()) === JSON.stringify(imports);
    for (const erasure of pending) {
      if (erasure.status !== 'pending') continue;
      if (isSettled) await this.#advance(erasure, { until, faults, isRetry });
      else if (imports.isRunning) this.#waitingForImport.add(erasure.id);
    }
    const unfinished = await catalog.erasures.listUnfinished();
    for (const [place, erasure] of unfinished.entries())
      if (!unfinished.slice(0, place).some((earlier) => sharesVisitor(earlier, erasure)))
        await this.#tryFinish(erasure, until);
  }

  /** Forgets what this process remembers when another one, such as a command, has ended an erasure. */
  async #followOthers(): Promise<void> {
    const { catalog, participants } = this.#options;
    const done = await catalog.erasures.countDone();
    if (this.#done !== undefined && this.#done !== done)
      for (const participant of participants) await participant.forgetAll?.();
    this.#done = done;
  }

  /** Learns up to where an erasure goes: once, and again when more owners of clicks are known. */
  async #lookAhead(erasure: PendingErasure): Promise<PendingErasure> {
    const { catalog, store, eraser, clock } = this.#options;
    const { id, ai, owners } = erasure;
    if (this.#lookedAhead.get(id) === owners.length) return erasure;
    let { untilMs } = erasure;
    let lastHour = hourOf(untilMs);
    const sealedUntil = store.sealedUntil;
    // A clock that was set back: what came in before the request has the send time at which its hour began.
    if (clock.nowMs() < hourStartMs(sealedUntil) && untilMs < hourStartMs(sealedUntil)) {
      untilMs = hourStartMs(sealedUntil);
      lastHour = sealedUntil;
    }
    if (lastHour >= sealedUntil) {
      const erased = describeErased({ ...erasure, untilMs }, 0, true);
      let mayHold = false;
      for (let hour = sealedUntil; hour <= lastHour && !mayHold; hour = addHours(hour, 1))
        mayHold = await eraser.mayHold(hour, ai, erased);
      if (!mayHold) lastHour = addHours(sealedUntil, -1);
    }
    if (untilMs !== erasure.untilMs || lastHour !== erasure.lastHour)
      await catalog.erasures.update(id, { untilMs, lastHour });
    this.#lookedAhead.set(id, owners.length);
    return { ...erasure, untilMs, lastHour };
  }

  /** Returns in a sentence why an hour could not be erased; undefined when it was. */
  async #eraseHour(ai: string, hour: Hour): Promise<string | undefined> {
    const { gate, logger } = this.#options;
    try {
      await gate.run(ai, hour, () => this.#hourErasure.run({ ai, hour }));
      return undefined;
    } catch (error) {
      logger.error({ err: error, ai, hour }, 'Visitors could not be erased from an hour; it is tried again.');
      return `Hour ${formatBeijingHour(hour)} (Beijing time) could not be erased: ${describeFault(error)}.`;
    }
  }

  /** Records how far an erasure has come: all sealed hours were looked through, also those that hold nothing at all. */
  async #advance(erasure: PendingErasure, { until, faults, isRetry }: Pass): Promise<void> {
    const { nextHour, failedHours, lastHour, owners } = erasure;
    const stillFailed = isRetry ? [] : failedHours;
    const newlyFailed = [...faults.keys()].filter((hour) => hour <= lastHour && isDue(erasure, hour));
    const failed = [...new Set([...stillFailed, ...newlyFailed])];
    const change = {
      nextHour: Math.max(nextHour, until) as Hour,
      failedHours: failed,
      searchedOwners: owners.length,
      error: newlyFailed.length > 0 ? faults.get(newlyFailed[0]!)! : failed.length > 0 ? erasure.error : null,
    };
    const isNews = Object.entries(change).some(
      ([name, value]) => JSON.stringify(value) !== JSON.stringify(erasure[name as keyof typeof change]),
    );
    if (isNews) await this.#options.catalog.erasures.update(erasure.id, change);
  }

  async #tryFinish(erasure: PendingErasure, until: Hour): Promise<void> {
    const { catalog, participants } = this.#options;
    const { id, ai, visitorIds, owners, searchedOwners, untilMs, lastHour, nextHour, failedHours } = erasure;
    const hours = await catalog.erasures.listHours(id);
    if (erasure.status === 'pending') {
      if (nextHour <= lastHour || lastHour >= until || failedHours.length > 0) return;
      if (owners.length > searchedOwners || this.#lookedAhead.get(id) !== owners.length) return;
      for (const { hour } of hours) if (!(await this.#isPublishedAnew(ai, hour))) return;
      for (const { hour } of hours) {
        for (const participant of participants) await participant.hourPublished?.({ ai, hour });
        await this.#deleteLeftovers(ai, hour);
      }
      for (const participant of participants) {
        await participant.forget?.({ ai, visitorIds, owners, untilMs });
        await participant.forgetAll?.();
      }
      await catalog.erasures.forgetVisitors(id);
    }
    for (const participant of participants) if ((await participant.wipe?.()) === false) return;
    if (!(await catalog.erasures.wipeDeleted())) return;
    await catalog.erasures.finish(id, await this.#certify(erasure, hours));
    this.#lookedAhead.delete(id);
    this.#options.logger.info({ ai, receiptId: id, hours: hours.length }, 'Visitors erased.');
  }

  /** An hour in ERROR is published later, or never; nothing of it is downloadable meanwhile. */
  async #isPublishedAnew(ai: string, hour: Hour): Promise<boolean> {
    const tasks = await this.#options.catalog.tasks.list(ai, { from: hour, until: addHours(hour, 1) });
    return tasks.every(({ status }) => status === 'finished' || status === 'failed');
  }

  /**
   * Deletes the files of exports that lost their lease to the erasure and wrote on for a moment. What has been published since it
   * took the hour back stays, whichever revision.
   */
  async #deleteLeftovers(ai: string, hour: Hour): Promise<void> {
    const { catalog, packages } = this.#options;
    const newest = await catalog.manifests.newest(ai, hour);
    if (!newest) return;
    const madeOf = new Set((await catalog.legacy.listKept(ai, hour)).map(({ revision }) => revision));
    // Nothing of a later revision: its export may be under way. Packages of the 1.0 API lie in folders of the same names.
    for (let revision = 1; revision <= newest.revision; revision += 1) {
      await deleteUnpublished(catalog, packages, { ai, hour, revision });
      if (revision < newest.revision && !madeOf.has(revision))
        await packages.deleteUnder(`${legacyFolder(ai, hour)}/${revisionFolder(revision)}`);
    }
  }

  async #certify(erasure: PendingErasure, hours: readonly ErasureHour[]) {
    const { catalog, clock } = this.#options;
    const { id, ai, requestedAtMs, untilMs, visitorHashes } = erasure;
    const certified: CertificateFacts['hours'] = [];
    for (const { hour, rows, before } of hours) {
      const newest = await catalog.manifests.newestPublication(ai, hour);
      const isNew = newest !== undefined && newest.revision > (before?.revision ?? 0);
      const after = isNew ? { revision: newest.revision, hash: newest.hash } : null;
      certified.push({ hour: formatBeijingHour(hour), rows: { ...rows }, before, after });
    }
    const facts: CertificateFacts = {
      version: 1,
      receiptId: id,
      ai,
      requestedAt: new Date(requestedAtMs).toISOString(),
      erasedUntil: new Date(untilMs).toISOString(),
      doneAt: new Date(Math.max(requestedAtMs, clock.nowMs())).toISOString(),
      visitors: [...visitorHashes],
      hours: certified,
    };
    return signCertificate(facts, catalog.serverKeys.signingKeyPem);
  }
}

/** An erasure of the same visitor that is not done keeps his id; to say of a later one that no file holds it would be untrue. */
function sharesVisitor(earlier: PendingErasure, { ai, visitorIds }: PendingErasure): boolean {
  return earlier.ai === ai && earlier.visitorIds.some((visitor) => visitorIds.includes(visitor));
}
