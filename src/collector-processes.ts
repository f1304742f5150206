/**
 * Starts the collector processes of a server, and another one for each that dies.
 *
 * They share one listening socket, and whichever is free accepts a connection, so a process that hangs is passed over. The
 * server's own process then only seals, sorts and exports.
 */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { AggregatorRegistry, type MetricObject, type Registry } from 'prom-client';
import type { CollectorProcessConfig } from './collector-process.ts';
import { ConfigurationError } from './errors/app-error.ts';
import type { CallTurns } from './http/call-limit.ts';
import { waitFor } from './lib/clock.ts';
import { ProcessCalls } from './lib/process-calls.ts';
import type { StoreJobs } from './store/hour-log/store-jobs.ts';

export type CollectorProcessesOptions = {
  readonly count: number;
  readonly config: CollectorProcessConfig;
  readonly entry: URL;
  readonly jobs: StoreJobs;
  readonly callLimit: CallTurns;
  /** The metrics of the server's own process. */
  readonly registry: Registry;
  readonly schedulerFault: () => string | undefined;
  readonly logger: Logger;
};

export type CollectorProcesses = { readonly host: string; readonly port: number; close(): Promise<void> };

type Running = { readonly worker: Worker; readonly calls: ProcessCalls };

const RESTART_PAUSE_MS = 1_000;
const FAULT_EVERY_MS = 1_000;
/** Longer than the HTTP server's own limit for running answers; a process that does not end by then is killed. */
const STOP_TIMEOUT_MS = 25_000;

/** Starts the processes; requests are taken when this returns. @throws ConfigurationError with the message of the first that failed */
export async function openCollectorProcesses(options: CollectorProcessesOptions): Promise<CollectorProcesses> {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: fileURLToPath(options.entry), args: [], serialization: 'json' });
  const running = new Set<Running>();
  const stopping = new AbortController();
  const start = async (): Promise<{ readonly host: string; readonly port: number }> => {
    const worker = cluster.fork();
    const process = { worker, calls: new ProcessCalls(channelOf(worker), handlersOf(options, running)) };
    running.add(process);
    worker.once('exit', (code, signal) => {
      running.delete(process);
      if (stopping.signal.aborted) return;
      options.logger.error(
        { pid: worker.process.pid, code, signal },
        'A collector process ended; another one is started.',
      );
      void restart();
    });
    return (await process.calls.call('start', options.config)) as {
      host: string;
      port: number;
    };
  };
  const restart = async (): Promise<void> => {
    await waitFor(RESTART_PAUSE_MS, stopping.signal);
    if (stopping.signal.aborted) return;
    await start().catch((error: unknown) =>
      options.logger.error({ err: error }, 'A collector process could not start.'),
    );
  };
  const close = async (): Promise<void> => {
    stopping.abort();
    clearInterval(faults);
    await Promise.all([...running].map(stop));
  };
  const faults = setInterval(() => {
    for (const { calls } of running)
      void calls.call('schedulerFault', options.schedulerFault() ?? null).catch(() => undefined);
  }, FAULT_EVERY_MS);
  try {
    // All name the same address, and cluster gives them the same socket, also for port 0.
    const [address] = await Promise.all(Array.from({ length: options.count }, start));
    return { ...address!, close };
  } catch (error) {
    await close();
    throw new ConfigurationError([error instanceof Error ? error.message : String(error)]);
  }
}

function channelOf(worker: Worker): ConstructorParameters<typeof ProcessCalls>[0] {
  return {
    send: (message) => void worker.process.send(message, undefined, undefined, () => undefined), // with a callback it emits no error
    on: (event, listener) => worker.on(event, listener),
    once: (event, listener) => worker.once(event, listener),
  };
}

function handlersOf(
  options: CollectorProcessesOptions,
  running: ReadonlySet<Running>,
): ConstructorParameters<typeof ProcessCalls>[1] {
  const waiting = new Map<number, AbortController>();
  return {
    sortSegment: (job: Parameters<StoreJobs['sortSegment']>[0]) => options.jobs.sortSegment(job),
    completeRuns: (job: Parameters<StoreJobs['completeRuns']>[0]) => options.jobs.completeRuns(job),
    takeTurn: async ({ id, ai }: { id: number; ai: string }) => {
      const leaving = new AbortController();
      waiting.set(id, leaving);
      try {
        return await options.callLimit.take(ai, leaving.signal);
      } finally {
        waiting.delete(id);
      }
    },
    leaveTurn: (id: number) => waiting.get(id)?.abort(),
    metrics: async () => {
      const answers = await Promise.allSettled(
        [...running].map(({ calls }) => withTimeout(calls.call('metricsJson', null))),
      );
      const metrics = answers.flatMap((answer) =>
        answer.status === 'fulfilled' ? [answer.value as MetricObject[]] : [],
      );
      return AggregatorRegistry.aggregate([await options.registry.getMetricsAsJSON(), ...metrics] as never).metrics();
    },
  };
}

/** A process that hangs must not make /metrics hang. */
async function withTimeout(answer: Promise<unknown>): Promise<unknown> {
  return Promise.race([answer, waitFor(2_000).then(() => Promise.reject(new Error('no answer in time')))]);
}

/** Stops a process in order; ends it when it takes too long. */
async function stop({ worker, calls }: Running): Promise<void> {
  const exited = once(worker, 'exit');
  await Promise.race([calls.call('stop', null).catch(() => undefined), waitFor(STOP_TIMEOUT_MS)]);
  worker.disconnect();
  await Promise.race([exited, waitFor(1_000)]);
  if (!worker.isDead()) worker.process.kill('SIGKILL');
  await exited;
}
