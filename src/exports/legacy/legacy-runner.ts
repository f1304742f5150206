/**
 * Works on the tasks of the 1.0 API, one hour at a time: claim → clean up → make in a worker thread → publish. Several processes share
 * the tasks through their leases, so that no hour is made twice at once.
 *
 * A try that fails is given back with a growing pause; after the last one, or when trying again cannot help (damaged files), the task
 * is failed, which answers say as ERROR, and it is tried again when somebody asks after the pause. The reason is in the log.
 *
 * Lease: a heartbeat extends it; when it is lost, the making is stopped and its files are deleted, unless a task of another process
 * may be writing the same ones. What a crash leaves is deleted before the next making of that hour.
 */
import type { Logger } from 'pino';
import type { Catalog, Manifest } from '../../catalog/catalog.ts';
import type { ClaimedLegacyTask } from '../../catalog/legacy-export.ts';
import { LEGACY_DATA_TYPES } from '../../events/legacy-tables.ts';
import { waitFor, type Clock } from '../../lib/clock.ts';
import { describeFault } from '../../lib/system-error.ts';
import type { PackageStore } from '../../packages/package-store.ts';
import type { LegacyHourJob, LegacyJobs } from '../export-jobs.ts';
import { judgeFailedTry, MAX_PAUSE_MS } from '../failed-try.ts';
import { legacyFolder, revisionFolder } from '../package-name.ts';

export type LegacyRunnerOptions = {
  readonly catalog: Catalog;
  readonly packages: PackageStore;
  readonly jobs: LegacyJobs;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What every job of this runner has in common. */
  readonly job: Pick<LegacyHourJob, 'packagesRoot' | 'gzip'>;
  /** Largest package of an hour whose manifest does not say it. */
  readonly packageBytes: number;
  /** Tries before a task is failed. */
  readonly maxAttempts: number;
  /** How long a claimed task is this runner's without a heartbeat. Default: 10 s. */
  readonly leaseMs?: number | undefined;
};

const LEASE_MS = 10_000;
const HEARTBEAT_MS = 2_500;
const POLL_MS = 500;

/** The reason of a job that was stopped because its task is another's. */
class LeaseLostError extends Error {}

export class LegacyRunner {
  readonly #options: LegacyRunnerOptions;

  constructor(options: LegacyRunnerOptions) {
    this.#options = options;
  }

  /** Works on tasks until the signal; the one that runs then is given back. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const worked = await this.work(signal).catch((error: unknown) => {
        this.#options.logger.error({ err: error }, 'The tasks of the 1.0 API cannot be worked on; trying again.');
        return false;
      });
      if (!worked) await waitFor(POLL_MS, signal);
    }
  }

  /** Claims the task that has waited longest and ends it, one way or the other. False when none is due. */
  async work(signal?: AbortSignal): Promise<boolean> {
    const { catalog, clock, leaseMs = LEASE_MS } = this.#options;
    const task = await catalog.legacy.claim({ nowMs: clock.nowMs(), leaseMs });
    if (!task) return false;
    const stopping = new AbortController();
    const heartbeat = setInterval(() => {
      catalog.legacy.extend(task, clock.nowMs() + leaseMs).then(
        (isOurs) => {
          if (!isOurs) stopping.abort(new LeaseLostError('the lease of a task of the 1.0 API was lost'));
        },
        (error: unknown) => {
          const { ai, hour } = task;
          this.#options.logger.warn({ err: error, ai, hour }, 'The lease of a 1.0 task could not be extended.');
        },
      );
    }, HEARTBEAT_MS);
    try {
      await this.#make(task, signal ? AbortSignal.any([signal, stopping.signal]) : stopping.signal);
    } catch (error) {
      if (signal?.aborted) await catalog.legacy.release(task, clock.nowMs());
      else if (!(error instanceof LeaseLostError)) await this.#giveBack(task, error);
    } finally {
      clearInterval(heartbeat);
    }
    return true;
  }

  async #make(task: ClaimedLegacyTask, signal: AbortSignal): Promise<void> {
    const { catalog, packages, jobs, job, logger, packageBytes, clock, leaseMs = LEASE_MS } = this.#options;
    const { ai, hour } = task;
    const manifest = await catalog.manifests.newest(ai, hour);
    if (!manifest) return catalog.legacy.forget(task); // past retention
    const { revision, facts } = manifest;
    const settings = facts.settings ?? catalog.settings.of(ai).packageSettings(hour, { packageBytes });
    const sources = manifest.packages.filter(({ dataType }) => LEGACY_DATA_TYPES.has(dataType));
    const kept = await catalog.legacy.listKept(ai, hour);
    await packages.deleteUnder(legacyFolder(ai, hour), new Set(kept.map((entry) => revisionFolder(entry.revision))));
    if (!(await catalog.legacy.extend(task, clock.nowMs() + leaseMs))) {
      await catalog.legacy.restart(ai, hour, clock.nowMs()); // what was deleted late may be what another has made meanwhile
      throw new LeaseLostError('the lease of a task of the 1.0 API was lost');
    }
    let isPublished = false;
    try {
      const made = await jobs.makeLegacyHour({ ...job, ai, hour, revision, sources, settings }, signal);
      isPublished = await catalog.legacy.publish(task, revision, made);
      if (isPublished && made.length > 0)
        logger.info({ ai, hour, revision, packages: made.length }, 'The 1.0 packages of an hour were made.');
    } finally {
      if (!isPublished) await this.#deleteOutdated(manifest);
    }
  }

  /** Deletes what was made of a revision that is not the newest any more. Of the newest, another process may be making the same. */
  async #deleteOutdated({ ai, hour, revision }: Manifest): Promise<void> {
    const { catalog, packages } = this.#options;
    const newest = await catalog.manifests.newest(ai, hour);
    if (newest?.revision === revision) return;
    const kept = await catalog.legacy.listKept(ai, hour);
    if (kept.some((entry) => entry.revision === revision)) return; // made before, and still linked to
    await packages.deleteUnder(`${legacyFolder(ai, hour)}/${revisionFolder(revision)}`);
  }

  async #giveBack(task: ClaimedLegacyTask, error: unknown): Promise<void> {
    const { catalog, clock, maxAttempts, logger } = this.#options;
    const { ai, hour, attempts } = task;
    const { isFinal, pauseMs } = judgeFailedTry(error, { attempts, maxAttempts });
    logger.error(
      { err: error, ai, hour, attempts },
      isFinal
        ? 'Making the 1.0 packages of an hour failed; they are tried again when somebody asks for them.'
        : 'Making the 1.0 packages of an hour failed; it will be tried again.',
    );
    const reason = describeFault(error);
    if (isFinal) await catalog.legacy.fail(task, clock.nowMs() + MAX_PAUSE_MS, reason);
    else await catalog.legacy.retryLater(task, clock.nowMs() + pauseMs, reason);
  }
}
