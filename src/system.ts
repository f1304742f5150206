/**
 * The composition root: builds the parts of a process in order and closes them in reverse.
 *
 * `openWorkshop` is what the CLI's import and the server share: catalog, store, worker threads, task runner. `openServer` adds
 * what serves. Nothing else in src/ makes parts of its own.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { forgetActivations, forgetClicks, forgetOwners } from './ads/forget-erased.ts';
import { ClickIndex, CLICK_INDEX_FILE } from './ads/click-index.ts';
import { DeviceKeys } from './ads/device-keys.ts';
import type { Catalog } from './catalog/catalog.ts';
import { openDataCatalog } from './catalog/data-catalog.ts';
import type { ExportHourJob, ExportJobResult, ExportJobs, LegacyJobs } from './exports/export-jobs.ts';
import { ExportMetrics } from './exports/export-metrics.ts';
import { openGzipCodec, type GzipCodecChoice } from './exports/gzip/open-gzip-codec.ts';
import { useIsaLCrc32 } from './exports/gzip/use-isa-l-crc32.ts';
import { HourGate } from './exports/hour-gate.ts';
import { HourScheduler } from './exports/hour-scheduler.ts';
import { LegacyRunner } from './exports/legacy/legacy-runner.ts';
import { removeLegacyHour } from './exports/legacy/remove-legacy-hour.ts';
import { RetentionSweep } from './exports/retention-sweep.ts';
import { TaskRunner, type TaskRunnerOptions } from './exports/task-runner.ts';
import { CallLimit } from './http/call-limit.ts';
import type { TaggedHour, TagJobs } from './imports/tag-hour.ts';
import { ImportRecovery } from './imports/recover-imports.ts';
import { HOUR_MS, hourOf } from './events/hour.ts';
import { inDataDirectory } from './errors/data-directory.ts';
import { Closers } from './lib/closers.ts';
import type { Clock } from './lib/clock.ts';
import type { ErasureParticipant } from './erasure/erasure-participant.ts';
import { ErasureRunner } from './erasure/erasure-runner.ts';
import { openCollectorProcesses } from './collector-processes.ts';
import { openWorkerPool, type WorkerPool } from './lib/worker-pool.ts';
import { openServing, type ServingConfig } from './serving.ts';
import { LocalPackageStore } from './packages/local-package-store.ts';
import { HourLogReader } from './store/hour-log/hour-log-reader.ts';
import { HourLog } from './store/hour-log/hour-log.ts';
import type { CompletedRuns } from './store/hour-log/complete-runs.ts';
import { HourLogEraser, type EraseJobs } from './store/hour-log/hour-log-eraser.ts';
import type { LinkedRuns } from './store/hour-log/link-server-events.ts';
import { SegmentSorts, type RunSort } from './store/hour-log/segment-sorts.ts';
import type { StoreJobs } from './store/hour-log/store-jobs.ts';

export type WorkshopConfig = {
  /** The data directory. */
  readonly data: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly packageBytes: number;
  readonly gzip: GzipCodecChoice;
  /** 0: one for each core. */
  readonly exportThreads: number;
  readonly exportAttempts: number;
  /** How long an export task belongs to who claimed it, unless extended. Default: see task-runner.ts; a test whose clock runs fast gives more. */
  readonly exportLeaseMs?: number;
  readonly segmentBytes: number;
  readonly syncs: boolean;
};

export type ServerConfig = WorkshopConfig &
  ServingConfig & {
    /** Processes that collect; 1: this one. */
    readonly collectors: number;
    /** How long a clock that jumped ahead is doubted before retention follows it. Default: an hour. */
    readonly retentionDoubtMs?: number;
    /** What a collector process runs. Default: collector-process-entry.ts; a test gives one with its own clock. */
    readonly collectorEntry?: URL;
  };

/** What works on the data directory. */
export type Workshop = {
  readonly catalog: Catalog;
  readonly store: HourLog;
  readonly reader: HourLogReader;
  readonly jobs: StoreJobs & TagJobs;
  readonly runner: TaskRunner;
  readonly erasures: ErasureRunner;
  readonly packages: LocalPackageStore;
  readonly clickIndex: ClickIndex;
  readonly clickIndexPath: string;
  readonly storeRoot: string;
  readonly packagesRoot: string;
  close(): Promise<void>;
};

/** A running server. */
export type Server = {
  readonly host: string;
  readonly port: number;
  /** Whether there was any when it was opened; without one every event is refused. */
  readonly hadProjects: boolean;
  close(): Promise<void>;
};

/** Opens what imports and exports need; whoever counts exports gives its callbacks. */
export async function openWorkshop(
  config: WorkshopConfig,
  options: Pick<TaskRunnerOptions, 'onPublished' | 'onFailed'> & Pick<ErasureParticipant, 'forgetAll'> = {},
): Promise<Workshop> {
  const { data, clock, logger } = config;
  const closers = new Closers();
  try {
    const catalog = closers.add(await openDataCatalog(data, clock));
    const codec = await openGzipCodec({ choice: config.gzip }); // a codec that is not there is told now, not at the first export
    logger.info({ codec: codec.codec.name }, codec.reason);
    await useIsaLCrc32(config.gzip);
    const threads = config.exportThreads || availableParallelism();
    const workers = { file: neighbourFile('worker'), threads, data: { gzip: config.gzip } };
    const pool = closers.add(openWorkerPool(workers));
    const jobs = poolJobs(pool, closers.add(openWorkerPool({ ...workers, isBackground: true })));
    const storeRoot = join(data, 'hour-log');
    const packagesRoot = join(data, 'packages');
    const { segmentBytes, syncs } = config;
    const store = closers.add(
      await inDataDirectory('The hour log', storeRoot, () =>
        HourLog.open({
          root: storeRoot,
          clock,
          jobs,
          segmentBytes,
          syncs,
          onWarning: (message) => logger.warn(message),
        }),
      ),
    );
    const packages = await inDataDirectory('The packages folder', packagesRoot, () =>
      LocalPackageStore.open(packagesRoot),
    );
    const clickIndexPath = join(data, CLICK_INDEX_FILE);
    const clickIndex = closers.add(new ClickIndex({ path: clickIndexPath, syncs }));
    const forgetting = { index: clickIndex, keys: new DeviceKeys(catalog.serverKeys.linkKey) };
    const eraseDevices: ErasureParticipant = {
      eraseHour: async ({ ai, activations, clicks, untilMs }) => {
        if (!existsSync(clickIndexPath)) return;
        await forgetActivations(forgetting, ai, { activations, untilMs });
        await forgetClicks(forgetting, ai, clicks);
      },
      forget: async ({ ai, owners, untilMs }) => {
        if (existsSync(clickIndexPath)) await forgetOwners(forgetting, ai, { owners, untilMs });
      },
      wipe: async () => !existsSync(clickIndexPath) || (await clickIndex.wipe()),
    };
    const eraseLegacy: ErasureParticipant = {
      hourPublished: ({ ai, hour }) => removeLegacyHour({ catalog, packages, ai, hour, nowMs: clock.nowMs() }),
    };
    const gate = new HourGate();
    const erasures = new ErasureRunner({
      catalog,
      store,
      eraser: new HourLogEraser({ root: storeRoot, jobs: eraseJobs(pool) }),
      packages,
      gate,
      clock,
      logger,
      participants: [eraseDevices, eraseLegacy, { forgetAll: () => options.forgetAll?.() ?? Promise.resolve() }],
    });
    const runner = new TaskRunner({
      catalog,
      gate,
      beforeExport: (ai, hour, keepTask) => erasures.beforeExport(ai, hour, keepTask),
      store,
      jobs,
      packages,
      clock,
      logger,
      job: { storeRoot, packagesRoot, gzip: config.gzip },
      packageBytes: config.packageBytes,
      maxAttempts: config.exportAttempts,
      leaseMs: config.exportLeaseMs,
      concurrency: threads,
      onPublished: options.onPublished,
      onFailed: options.onFailed,
    });
    const reader = new HourLogReader(storeRoot);
    return {
      catalog,
      store,
      reader,
      jobs,
      runner,
      erasures,
      packages,
      clickIndex,
      clickIndexPath,
      storeRoot,
      packagesRoot,
      close: () => closers.close(),
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** Opens a server; it takes requests when this returns. @throws AppError, ConfigurationError */
export async function openServer(config: ServerConfig): Promise<Server> {
  const { clock, logger, data, segmentBytes, syncs } = config;
  const closers = new Closers();
  try {
    const registry = new Registry();
    const exportMetrics = new ExportMetrics(registry);
    let forgetAll = (): Promise<void> => Promise.resolve();
    const workshop = closers.add(
      await openWorkshop(config, {
        onPublished: (manifest) => exportMetrics.countPublished(manifest),
        onFailed: (code) => exportMetrics.countFailed(code),
        forgetAll: () => forgetAll(),
      }),
    );
    const { catalog, store, runner, erasures, reader, jobs, packages, storeRoot, packagesRoot } = workshop;
    const { clickIndex, clickIndexPath } = workshop;
    const hadProjects = (await catalog.projects.list()).length > 0;
    const imports = new ImportRecovery({ catalog, reader, clock, logger });
    await imports.recoverAll();
    addServerMetrics(registry, catalog);
    addErasureMetrics(registry, catalog);
    const onTasks = (): void => runner.wake();
    const { retentionDays } = config;
    const clicks = {
      deleteBefore: (ms: number) => (existsSync(clickIndexPath) ? clickIndex.deleteBefore(ms) : undefined),
    };
    const doubtMs = config.retentionDoubtMs ?? HOUR_MS;
    const monotonicMs = (): number => performance.now();
    const sweep = new RetentionSweep({
      catalog,
      store,
      packages,
      clicks,
      clock,
      logger,
      retentionDays,
      doubtMs,
      monotonicMs,
    });
    const scheduler = new HourScheduler({ catalog, store, clock, logger, retentionDays, sweep, onTasks });
    const legacyRunner = new LegacyRunner({
      catalog,
      packages,
      jobs: legacyJobs(
        closers.add(openWorkerPool({ file: neighbourFile('worker'), threads: 1, data: { gzip: config.gzip } })),
      ),
      clock,
      logger,
      job: { packagesRoot, gzip: config.gzip },
      packageBytes: config.packageBytes,
      maxAttempts: config.exportAttempts,
      leaseMs: config.exportLeaseMs,
    });
    const loops = closers.add(
      startLoops([
        (signal) => scheduler.run(signal),
        (signal) => runner.run(signal),
        (signal) => legacyRunner.run(signal),
        (signal) => imports.run(signal),
      ]),
    );
    const callLimit = new CallLimit({
      callsPerSecond: (ai) => catalog.settings.of(ai).find('callLimit', hourOf(clock.nowMs())) ?? config.callsPerSecond,
    });
    const schedulerFault = (): string | undefined => scheduler.fault();
    const serving = closers.add(
      config.collectors === 1
        ? await openServing({
            config,
            catalog,
            store,
            storeRoot,
            clickIndex,
            packagesRoot,
            clock,
            logger,
            registry,
            metrics: registry,
            callLimit,
            readinessChecks: [
              { name: 'store', check: () => store.fault() },
              { name: 'hours', check: schedulerFault },
            ],
          })
        : await openCollectorProcesses({
            count: config.collectors,
            config: {
              ...servingConfigOf(config),
              data,
              storeRoot,
              clickIndexPath,
              packagesRoot,
              segmentBytes,
              gzip: config.gzip,
              syncs,
              logLevel: logger.level,
            },
            entry: config.collectorEntry ?? neighbourFile('collector-process-entry'),
            jobs,
            callLimit,
            registry,
            schedulerFault,
            logger,
          }),
    );
    forgetAll = () => serving.forget();
    const erasing = closers.add(startLoops([(signal) => erasures.run(signal)]));
    const close = (): Promise<void> => {
      erasing.stop();
      loops.stop(); // now, so that exports and requests end side by side
      return closers.close();
    };
    return { host: serving.host, port: serving.port, hadProjects, close };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** Takes out what can be sent to another process; there are several, so each takes its share of what one project may send. */
function servingConfigOf(config: ServerConfig): ServingConfig {
  const {
    listen,
    publicUrl,
    retentionDays,
    packageBytes,
    callsPerSecond,
    ingestLimitBytesPerSecond,
    maxBodyBytes,
    maxDecodedBytes,
    maxHeldBytes,
    trustedProxies,
    linkSchemes,
  } = config;
  return {
    listen,
    publicUrl,
    retentionDays,
    packageBytes,
    callsPerSecond,
    ingestLimitBytesPerSecond,
    ingestShares: config.collectors,
    maxBodyBytes,
    maxDecodedBytes,
    maxHeldBytes: Math.ceil(maxHeldBytes / config.collectors),
    trustedProxies,
    linkSchemes,
  };
}

function addServerMetrics(registry: Registry, catalog: Catalog): void {
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'tidegate_export_tasks',
    help: 'Export tasks, by status. Failed ones need a person.',
    labelNames: ['status'],
    registers: [registry],
    async collect() {
      for (const [status, count] of Object.entries(await catalog.tasks.countByStatus())) this.set({ status }, count);
    },
  });
  new Gauge({
    name: 'tidegate_legacy_tasks',
    help: 'Tasks that make the packages of the 1.0 API, by status. Failed ones are tried again when somebody asks for them.',
    labelNames: ['status'],
    registers: [registry],
    async collect() {
      for (const [status, count] of Object.entries(await catalog.legacy.countByStatus())) this.set({ status }, count);
    },
  });
}

function addErasureMetrics(registry: Registry, catalog: Catalog): void {
  new Gauge({
    name: 'tidegate_erasures_unfinished',
    help: 'Erasures of visitors that are not done; each is, an hour and some minutes after it was asked for, or needs a person.',
    registers: [registry],
    async collect() {
      this.set((await catalog.erasures.listUnfinished()).length);
    },
  });
}

/** Runs loops until stopped. A loop ends only by its signal. */
function startLoops(loops: readonly ((signal: AbortSignal) => Promise<void>)[]): {
  stop(): void;
  close(): Promise<void>;
} {
  const stopping = new AbortController();
  const running = Promise.all(loops.map((loop) => loop(stopping.signal)));
  const stop = (): void => stopping.abort();
  return {
    stop,
    close: async () => {
      stop();
      await running;
    },
  };
}

function poolJobs(pool: WorkerPool, background: WorkerPool): StoreJobs & ExportJobs & TagJobs {
  const sortIn =
    (workers: WorkerPool): RunSort =>
    async (job, signal) => {
      await workers.run('sortSegment', job, signal);
    };
  const sorts = new SegmentSorts({ atOnce: sortIn(pool), inBackground: sortIn(background) });
  return {
    sortSegment: (job, signal) => sorts.atOnce(job, signal),
    sortEarly: (job, signal) => sorts.early(job, signal),
    completeRuns: (job, signal) => pool.run('completeRuns', job, signal) as Promise<CompletedRuns>,
    linkServerEvents: (job, signal) => pool.run('linkServerEvents', job, signal) as Promise<LinkedRuns>,
    tagHour: (job) => pool.run('tagHour', job) as Promise<TaggedHour>,
    exportHour: (job: ExportHourJob, signal) => pool.run('exportHour', job, signal) as Promise<ExportJobResult>,
  };
}

/** 1.0 packages are made in a thread of their own, so that the export of an hour that closes never waits behind them. */
function legacyJobs(pool: WorkerPool): LegacyJobs {
  return {
    makeLegacyHour: (job, signal) =>
      pool.run('makeLegacyHour', job, signal) as ReturnType<LegacyJobs['makeLegacyHour']>,
  };
}

function eraseJobs(pool: WorkerPool): EraseJobs {
  return {
    findVisitors: (job) => pool.run('findVisitors', job) as ReturnType<EraseJobs['findVisitors']>,
    rewriteRuns: async (job) => {
      await pool.run('rewriteRuns', job);
    },
    findInSegment: (job) => pool.run('findInSegment', job) as Promise<boolean>,
  };
}

/** Finds a file that stands beside this one, compiled or not. */
function neighbourFile(name: string): URL {
  return new URL(`./${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
}
