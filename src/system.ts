/**
 * The composition root: builds the parts of a process in order and closes them in reverse.
 *
 * `openWorkshop` is what the CLI's import and the server share: catalog, store, worker threads, task runner. `openServer` adds
 * what serves. Nothing else in src/ makes parts of its own.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Catalog } from './catalog/catalog.ts';
import { openDataCatalog } from './catalog/data-catalog.ts';
import { ClientAddresses } from './collector/client-address.ts';
import { CollectorMetrics } from './collector/collector-metrics.ts';
import { Collector } from './collector/collector.ts';
import { IngestLimit } from './collector/ingest-limit.ts';
import type { ExportHourJob, ExportJobs } from './exports/export-jobs.ts';
import type { ExportedHour } from './exports/export-hour.ts';
import type { GzipCodecChoice } from './exports/gzip/open-gzip-codec.ts';
import { HourScheduler } from './exports/hour-scheduler.ts';
import { TaskRunner } from './exports/task-runner.ts';
import { openApi } from './http/api-server.ts';
import { CallLimit } from './http/call-limit.ts';
import { openHttpServer, type HttpServer } from './http/server.ts';
import { recoverImports } from './imports/recover-imports.ts';
import { Closers } from './lib/closers.ts';
import type { Clock } from './lib/clock.ts';
import { openWorkerPool, type WorkerPool } from './lib/worker-pool.ts';
import { LocalPackageStore } from './packages/local-package-store.ts';
import { HourLogReader } from './store/hour-log/hour-log-reader.ts';
import { HourLog } from './store/hour-log/hour-log.ts';
import type { StoreJobs } from './store/hour-log/store-jobs.ts';
import { DEFAULT_WIRE_LIMITS } from './wire/wire-limits.ts';

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
  readonly segmentBytes: number;
  readonly syncs: boolean;
};

export type ServerConfig = WorkshopConfig & {
  readonly listen: { readonly host: string; readonly port: number };
  readonly publicUrl?: string | undefined;
  readonly retentionDays: number;
  readonly callsPerSecond: number;
  readonly ingestLimitBytesPerSecond: number;
  readonly maxBodyBytes: number;
  readonly maxDecodedBytes: number;
  readonly maxHeldBytes: number;
  readonly trustedProxies: readonly string[];
};

/** What works on the data directory. */
export type Workshop = {
  readonly catalog: Catalog;
  readonly store: HourLog;
  readonly reader: HourLogReader;
  readonly jobs: StoreJobs;
  readonly runner: TaskRunner;
  readonly storeRoot: string;
  readonly packagesRoot: string;
  close(): Promise<void>;
};

/** A running server. */
export type Server = { readonly host: string; readonly port: number; close(): Promise<void> };

/** Opens what imports and exports need. */
export async function openWorkshop(config: WorkshopConfig): Promise<Workshop> {
  const { data, clock, logger } = config;
  const closers = new Closers();
  try {
    const catalog = closers.add(await openDataCatalog(data, clock));
    const threads = config.exportThreads || availableParallelism();
    const pool = closers.add(openWorkerPool({ file: workerFile(), threads }));
    const jobs = poolJobs(pool);
    const storeRoot = join(data, 'hour-log');
    const packagesRoot = join(data, 'packages');
    const { segmentBytes, syncs } = config;
    const store = closers.add(await HourLog.open({ root: storeRoot, clock, jobs, segmentBytes, syncs }));
    const runner = new TaskRunner({
      catalog,
      store,
      jobs,
      clock,
      logger,
      job: { storeRoot, packagesRoot, gzip: config.gzip, maxPackageBytes: config.packageBytes },
      maxAttempts: config.exportAttempts,
      concurrency: threads,
    });
    const reader = new HourLogReader(storeRoot);
    return { catalog, store, reader, jobs, runner, storeRoot, packagesRoot, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** Opens a server; it takes requests when this returns. @throws AppError, ConfigurationError */
export async function openServer(config: ServerConfig): Promise<Server> {
  const { clock, logger } = config;
  const closers = new Closers();
  try {
    const workshop = closers.add(await openWorkshop(config));
    const { catalog, store, runner, reader } = workshop;
    await recoverImports(catalog, reader, clock.nowMs());
    const metrics = openMetrics(catalog);
    const packages = await LocalPackageStore.open(workshop.packagesRoot);
    const scheduler = new HourScheduler({
      catalog,
      store,
      clock,
      logger,
      retentionDays: config.retentionDays,
      onTasks: () => runner.wake(),
    });
    closers.add(startLoops([(signal) => scheduler.run(signal), (signal) => runner.run(signal)]));
    const collector = openCollector(config, workshop, metrics);
    const api = closers.add(
      await openApi({
        catalog,
        packages,
        clock,
        logger,
        metrics,
        retentionDays: config.retentionDays,
        publicUrl: config.publicUrl,
        callLimit: new CallLimit({ callsPerSecond: config.callsPerSecond }),
        readinessChecks: [
          { name: 'store', check: () => store.fault() },
          { name: 'hours', check: () => scheduler.fault() },
        ],
      }),
    );
    const http = closers.add(await openHttp(config, collector, api));
    return { host: http.host, port: http.port, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

function openHttp(
  config: ServerConfig,
  collector: Collector,
  api: Awaited<ReturnType<typeof openApi>>,
): Promise<HttpServer> {
  const { listen, logger } = config;
  return openHttpServer({
    listen,
    api,
    logger,
    handleCollect: (request, response) => collector.handle(request, response),
  });
}

function openCollector(config: ServerConfig, { store, catalog }: Workshop, metrics: Registry): Collector {
  const { clock, logger } = config;
  return new Collector({
    store,
    projects: catalog.projects,
    clientAddresses: new ClientAddresses(config.trustedProxies),
    ingestLimit: new IngestLimit({ clock, bytesPerSecond: config.ingestLimitBytesPerSecond }),
    wireLimits: { ...DEFAULT_WIRE_LIMITS, maxBytes: config.maxBodyBytes, maxDecodedBytes: config.maxDecodedBytes },
    maxHeldBytes: config.maxHeldBytes,
    metrics: new CollectorMetrics(metrics),
    logger,
  });
}

function openMetrics(catalog: Catalog): Registry {
  const registry = new Registry();
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
  return registry;
}

/** Runs loops until closed. A loop ends only by its signal. */
function startLoops(loops: readonly ((signal: AbortSignal) => Promise<void>)[]): { close(): Promise<void> } {
  const stopping = new AbortController();
  const running = loops.map((loop) => loop(stopping.signal));
  return {
    close: async () => {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

function poolJobs(pool: WorkerPool): StoreJobs & ExportJobs {
  return {
    sortSegment: async (job) => {
      await pool.run('sortSegment', job);
    },
    completeRuns: (job) => pool.run('completeRuns', job) as Promise<readonly string[]>,
    exportHour: (job: ExportHourJob) => pool.run('exportHour', job) as Promise<ExportedHour>,
  };
}

/** The worker's file stands beside this one, compiled or not. */
function workerFile(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
}
