/**
 * A collector process: one of several that share the port of a server started with `--collectors N`.
 *
 * It answers HTTP, appends to segments of its own, and asks its parent for what must be one for all: the turns of the call limit,
 * sorting, /metrics. Sealing needs nothing from it (src/store/hour-log/seal.ts). It ends with its parent, at once, because
 * nobody would seal and restart beside it otherwise; what it had acknowledged is durable.
 */
import { Registry } from 'prom-client';
import { ClickIndex } from './ads/click-index.ts';
import type { GzipCodecChoice } from './exports/gzip/open-gzip-codec.ts';
import { useIsaLCrc32 } from './exports/gzip/use-isa-l-crc32.ts';
import { openDataCatalog } from './catalog/data-catalog.ts';
import type { CallTurns, Turn } from './http/call-limit.ts';
import { Closers } from './lib/closers.ts';
import type { Clock } from './lib/clock.ts';
import { ProcessCalls, type CallChannel } from './lib/process-calls.ts';
import { untilAborted } from './lib/until-aborted.ts';
import { openLogger } from './observability/logger.ts';
import { openServing, type ServingConfig } from './serving.ts';
import { HourLog } from './store/hour-log/hour-log.ts';
import type { CompletedRuns } from './store/hour-log/complete-runs.ts';
import type { LinkedRuns } from './store/hour-log/link-server-events.ts';
import type { StoreJobs } from './store/hour-log/store-jobs.ts';

/** What the parent tells a collector process first. */
export type CollectorProcessConfig = ServingConfig & {
  readonly data: string;
  readonly storeRoot: string;
  readonly clickIndexPath: string;
  readonly packagesRoot: string;
  readonly segmentBytes: number;
  readonly syncs: boolean;
  /** For the checksums of what it appends. */
  readonly gzip: GzipCodecChoice;
  readonly logLevel: string;
};

/** Runs this process as a collector process. Returns when its channel is connected; what follows is asked by the parent. */
export function runCollectorProcess(channel: CallChannel, clock: Clock): void {
  const closers = new Closers();
  const registry = new Registry();
  let schedulerFault: string | undefined;
  let forget = (): Promise<void> => Promise.resolve();
  const calls: ProcessCalls = new ProcessCalls(channel, {
    start: async (config: CollectorProcessConfig) => {
      const logger = openLogger(config.logLevel);
      await useIsaLCrc32(config.gzip);
      const catalog = closers.add(await openDataCatalog(config.data, clock));
      const { storeRoot: root, segmentBytes, syncs } = config;
      const store = closers.add(await HourLog.open({ root, clock, jobs: jobsOfParent(calls), segmentBytes, syncs }));
      const clickIndex = closers.add(new ClickIndex({ path: config.clickIndexPath, syncs }));
      const serving = closers.add(
        await openServing({
          clickIndex,
          config,
          catalog,
          store,
          storeRoot: root,
          packagesRoot: config.packagesRoot,
          clock,
          logger,
          registry,
          metrics: { contentType: registry.contentType, metrics: () => calls.call('metrics', null) as Promise<string> },
          callLimit: turnsOfParent(calls),
          readinessChecks: [
            { name: 'store', check: () => store.fault() },
            { name: 'hours', check: () => schedulerFault },
          ],
        }),
      );
      forget = () => serving.forget();
      return { host: serving.host, port: serving.port };
    },
    forget: () => forget(),
    schedulerFault: (fault: string | null) => {
      schedulerFault = fault ?? undefined;
    },
    metricsJson: () => registry.getMetricsAsJSON(),
    stop: () => closers.close(),
  });
}

function jobsOfParent(calls: ProcessCalls): StoreJobs {
  return {
    // The parent goes on with a job whose signal is aborted; nobody waits for it then.
    sortSegment: async (job, signal) => {
      await untilAborted(calls.call('sortSegment', job), signal);
    },
    sortEarly: async (job, signal) => {
      await untilAborted(calls.call('sortEarly', job), signal);
    },
    completeRuns: (job, signal) => untilAborted(calls.call('completeRuns', job) as Promise<CompletedRuns>, signal),
    linkServerEvents: (job, signal) => untilAborted(calls.call('linkServerEvents', job) as Promise<LinkedRuns>, signal),
  };
}

/** Asks the parent for turns. A caller that goes away gives its place back there too. */
function turnsOfParent(calls: ProcessCalls): CallTurns {
  let count = 0;
  return {
    take: async (ai, signal) => {
      count += 1;
      const id = count;
      const leave = (): void => void calls.call('leaveTurn', id).catch(() => undefined);
      signal.addEventListener('abort', leave, { once: true });
      try {
        return (await calls.call('takeTurn', { id, ai })) as Turn;
      } finally {
        signal.removeEventListener('abort', leave);
      }
    },
  };
}
