/**
 * Works on export tasks: claim → prepare the hour → write packages → publish. Several runners, also of several processes, share
 * the tasks through their leases.
 *
 * A try that fails is given back with a growing pause; after the last one, or when trying again cannot help (damaged files), the
 * task fails for good and says why. A full disk, or whatever else passes when somebody makes room, never fails a task: it is
 * tried again until then. A lease that was lost stops the publication, not the files: another try writes the same, or, where the hour
 * was changed meanwhile, others beside them.
 */
import type { Logger } from 'pino';
import type { Catalog, ClaimedTask, Manifest } from '../catalog/catalog.ts';
import type { Hour } from '../events/hour.ts';
import { waitFor, type Clock } from '../lib/clock.ts';
import { describeFault } from '../lib/system-error.ts';
import { untilAborted } from '../lib/until-aborted.ts';
import type { PackageStore } from '../packages/package-store.ts';
import type { HourStore } from '../store/hour-store.ts';
import type { ExportHourJob, ExportJobs } from './export-jobs.ts';
import { judgeFailedTry } from './failed-try.ts';
import { deleteUnpublished, type HourRevision } from './delete-unpublished.ts';
import { HourGate } from './hour-gate.ts';

export type TaskRunnerOptions = {
  readonly catalog: Catalog;
  readonly store: HourStore;
  readonly jobs: ExportJobs;
  readonly packages: Pick<PackageStore, 'deleteUnder'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What every export job of this runner has in common. */
  readonly job: Pick<ExportHourJob, 'storeRoot' | 'packagesRoot' | 'gzip'>;
  /** Largest package of a project that has no setting of its own. */
  readonly packageBytes: number;
  /** Tries before a task fails for good. */
  readonly maxAttempts: number;
  /** Tasks worked on at once. */
  readonly concurrency: number;
  /** How long a claimed task is this runner's without a heartbeat, which comes every 2.5 s. Default: 10 s. */
  readonly leaseMs?: number | undefined;
  /** How long tasks that run may take to end when the runner stops. Default: 10 s. */
  readonly stopWaitMs?: number;
  /** Shared with whoever changes hours in this process. Default: one of its own. */
  readonly gate?: HourGate | undefined;
  /**
   * Called before a task's hour is read, which nobody of this process changes until the export has ended. `keepTask` begins its lease
   * anew, and says whether the task is still this runner's.
   */
  readonly beforeExport?: ((ai: string, hour: Hour, keepTask: () => Promise<boolean>) => Promise<void>) | undefined;
  /** Called after each publication of this runner. Must not throw. */
  readonly onPublished?: ((manifest: Manifest) => void) | undefined;
  /** Called with the code of the last error, if it has one, when a task has failed for good. Must not throw. */
  readonly onFailed?: ((code: string | undefined) => void) | undefined;
};

/** What may be worked on; everything when empty. */
export type TaskScope = { readonly ai?: string; readonly hours?: readonly Hour[] };

/**
 * What an hour waits for when the server that exports it is killed. So short that a server killed again and again still has it
 * FINISHED within a minute; four heartbeats long, and a lease that is lost all the same costs work and nothing else.
 */
export const EXPORT_LEASE_MS = 10_000;
const HEARTBEAT_MS = 2_500;
const STOP_WAIT_MS = 10_000;
/** How often tasks that another process made are looked for. */
const POLL_MS = 500;

export class TaskRunner {
  readonly #options: TaskRunnerOptions;
  readonly #gate: HourGate;
  readonly #idling = new Set<AbortController>();

  constructor(options: TaskRunnerOptions) {
    this.#options = options;
    this.#gate = options.gate ?? new HourGate();
  }

  /** Looks for tasks at once; called when some were made in this process. */
  wake(): void {
    for (const idling of this.#idling) idling.abort();
  }

  /**
   * Works on tasks until the signal. Those that run have `stopWaitMs` to end; then they are given back as if they had not been
   * claimed, so that the next server goes on with them at once.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { concurrency, stopWaitMs = STOP_WAIT_MS } = this.#options;
    const abandoning = new AbortController();
    const ended = new AbortController();
    const running = Promise.all(Array.from({ length: concurrency }, () => this.#runOne(signal, abandoning.signal)));
    void running.then(() => ended.abort());
    const stopped = Promise.withResolvers<undefined>();
    signal.addEventListener('abort', () => stopped.resolve(undefined), { once: true });
    if (!signal.aborted) await stopped.promise;
    await waitFor(stopWaitMs, ended.signal);
    abandoning.abort();
    await running;
  }

  /** Works on due tasks of this scope until none is left that is due now. Returns how many it ended. */
  async runDue(scope: TaskScope = {}): Promise<number> {
    const counts = await Promise.all(
      Array.from({ length: this.#options.concurrency }, async () => {
        let count = 0;
        while (await this.#work(scope)) count += 1;
        return count;
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async #runOne(signal: AbortSignal, abandoning: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const worked = await this.#work({}, abandoning).catch((error: unknown) => {
        this.#options.logger.error({ err: error }, 'The export tasks cannot be read; trying again.');
        return false;
      });
      if (!worked) await this.#idle(signal);
    }
  }

  async #idle(signal: AbortSignal): Promise<void> {
    const idling = new AbortController();
    this.#idling.add(idling);
    await waitFor(POLL_MS, AbortSignal.any([signal, idling.signal]));
    this.#idling.delete(idling);
  }

  /** Claims one task and ends it, one way or the other. False when none is due. */
  async #work(scope: TaskScope, abandoning?: AbortSignal): Promise<boolean> {
    const { catalog, clock, leaseMs = EXPORT_LEASE_MS } = this.#options;
    const task = await catalog.tasks.claim({ nowMs: clock.nowMs(), leaseMs, ...scope });
    if (!task) return false;
    const heartbeat = setInterval(() => {
      this.#keep(task).catch((error: unknown) => {
        this.#options.logger.warn(
          { err: error, ai: task.ai, hour: task.hour },
          'The lease of an export task could not be extended.',
        );
      });
    }, HEARTBEAT_MS);
    try {
      await this.#gate.run(task.ai, task.hour, () => this.#export(task, abandoning));
    } catch (error) {
      if (abandoning?.aborted) await catalog.tasks.release(task, clock.nowMs());
      else await this.#giveBack(task, error);
    } finally {
      clearInterval(heartbeat);
    }
    return true;
  }

  /** Begins the lease anew; false when another has the task. */
  #keep(task: ClaimedTask): Promise<boolean> {
    const { catalog, clock, leaseMs = EXPORT_LEASE_MS } = this.#options;
    return catalog.tasks.extend(task, clock.nowMs() + leaseMs);
  }

  async #export(task: ClaimedTask, abandoning: AbortSignal | undefined): Promise<Manifest | undefined> {
    const { catalog, store, jobs, clock, job, logger, packageBytes } = this.#options;
    const { ai, hour } = task;
    abandoning?.throwIfAborted(); // while it waited at the gate
    const settings = catalog.settings.of(ai).packageSettings(hour, { packageBytes });
    await untilAborted(store.prepare(hour), abandoning);
    const keepTask = (): Promise<boolean> => this.#keep(task);
    if (this.#options.beforeExport) await untilAborted(this.#options.beforeExport(ai, hour, keepTask), abandoning);
    const revision = await catalog.manifests.nextRevision(ai, hour);
    let manifest: Manifest | undefined;
    try {
      const { packages, ledger, codec, warnings } = await jobs.exportHour(
        { ...job, ai, hour, revision, settings },
        abandoning,
      );
      manifest = await catalog.manifests.publish(task, {
        revision,
        facts: { schemaVersion: 2, codec, settings, ledger },
        packages,
        nowMs: clock.nowMs(),
      });
      if (manifest && warnings.length > 0)
        logger.warn(
          { ai, hour, revision, warnings },
          'Hour exported without all keys of the hour before: what was sent again across its start may be exported twice.',
        );
    } finally {
      if (!manifest || task.attempts > 1) await this.#deleteUnpublished({ ai, hour, revision });
    }
    if (manifest) this.#options.onPublished?.(manifest);
    if (manifest && manifest.packages.length > 0)
      logger.info({ ai, hour, revision, packages: manifest.packages.length }, 'Hour exported.');
    return manifest;
  }

  /**
   * Deletes what is written of a revision that was published without it: by a try that came too late, which nobody else will delete, or by
   * one before, which was killed.
   */
  async #deleteUnpublished(revision: HourRevision): Promise<void> {
    const { catalog, packages, logger } = this.#options;
    await deleteUnpublished(catalog, packages, revision).catch((error: unknown) => {
      logger.warn({ err: error, ...revision }, 'Packages that will not be published could not be deleted.');
    });
  }

  async #giveBack(task: ClaimedTask, error: unknown): Promise<void> {
    const { catalog, clock, maxAttempts, logger } = this.#options;
    const { ai, hour, attempts } = task;
    if (!(await this.#keep(task).catch(() => true))) {
      logger.warn({ err: error, ai, hour }, 'An export was left off, because another process has its task now.');
      return;
    }
    const { code, isFinal, pauseMs } = judgeFailedTry(error, { attempts, maxAttempts });
    logger.error(
      { err: error, ai, hour, attempts },
      isFinal ? 'Export failed for good.' : 'Export failed; it will be tried again.',
    );
    const message = sentenceOf(describeFault(error));
    if (isFinal) {
      await catalog.tasks.fail(task, message);
      this.#options.onFailed?.(code);
    } else await catalog.tasks.retryLater(task, clock.nowMs() + pauseMs, message);
  }
}

function sentenceOf(fault: string): string {
  return `${fault.charAt(0).toUpperCase()}${fault.slice(1)}.`;
}
