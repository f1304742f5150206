/**
 * Starts the collector processes of a server, and another one for each that dies.
 *
 * They share one listening socket, and whichever is free accepts a connection: one that hangs is passed over and holds up only
 * the connections it has, and while one lives, none is refused. The server's own process then only seals, sorts and exports.
 */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { AggregatorRegistry, type MetricObject, type Registry } from 'prom-client';
import type { CollectorProcessConfig } from './collector-process.ts';
import { ConfigurationError } from './errors/app-error.ts';
import type { CallTurns } from './http/call-limit.ts';
import { waitFor } from './lib/clock.ts';
import { ProcessCalls } from './lib/process-calls.ts';
import type { Serving } from './serving.ts';
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

type Address = { readonly host: string; readonly port: number };

type Running = {
  readonly worker: Worker;
  readonly calls: ProcessCalls;
  /** Resolves with the reason when the process has ended, or could not be made at all. */
  readonly ended: Promise<Error>;
  /** What it was told last. */
  schedulerFault: string | null;
};

const RESTART_PAUSE_MS = 1_000;
const FAULT_EVERY_MS = 1_000;
const METRICS_TIMEOUT_MS = 2_000;
/** One that hangs for longer does it when it goes on. */
const FORGET_TIMEOUT_MS = 2_000;
/** Longer than the HTTP server's own limit for running answers; a process that does not end by then is killed. */
const STOP_TIMEOUT_MS = 25_000;
/** What a process has to exit in when it is told to, or killed. */
const END_TIMEOUT_MS = 1_000;

/** Starts the processes; requests are taken when this returns. @throws ConfigurationError with the message of the first that failed */
export async function openCollectorProcesses(options: CollectorProcessesOptions): Promise<Serving> {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: fileURLToPath(options.entry), args: [], serialization: 'json' });
  const running = new Set<Running>();
  const stopping = new AbortController();
  /** Starts a process that takes requests when this returns. One that cannot is gone when this throws. */
  const start = async (config: CollectorProcessConfig): Promise<{ process: Running; address: Address }> => {
    stopping.signal.throwIfAborted();
    const process = fork(options, running);
    const failed = process.ended.then((reason) => Promise.reject(reason));
    try {
      const address = (await Promise.race([process.calls.call('start', config), failed])) as Address;
      return { process, address };
    } catch (error) {
      process.worker.process.kill('SIGKILL');
      await process.ended;
      throw error;
    }
  };
  /** Starts another process whenever one has ended or could not start. */
  const keep = async (first: Running, config: CollectorProcessConfig): Promise<void> => {
    const { signal } = stopping;
    for (let reason = await first.ended; !signal.aborted;) {
      options.logger.error({ err: reason }, 'A collector process ended or could not start; another one is started.');
      await waitFor(RESTART_PAUSE_MS, signal);
      reason = await start(config).then(
        ({ process }) => process.ended,
        (error: unknown) => error as Error,
      );
    }
  };
  const close = async (): Promise<void> => {
    stopping.abort();
    clearInterval(faults);
    await Promise.all([...running].map(stop));
  };
  const faults = setInterval(() => tellFault(running, options.schedulerFault() ?? null), FAULT_EVERY_MS);
  try {
    const config = { ...options.config, listen: await choosePort(options.config.listen) };
    const started = await Promise.all(Array.from({ length: options.count }, () => start(config)));
    for (const { process } of started) void keep(process, config);
    const forget = async (): Promise<void> => {
      const asked = [...running].map(({ calls }) => calls.call('forget', null).catch(() => undefined));
      await within(FORGET_TIMEOUT_MS, Promise.all(asked));
    };
    return { ...started[0]!.address, forget, close };
  } catch (error) {
    await close();
    throw new ConfigurationError([error instanceof Error ? error.message : String(error)]);
  }
}

/**
 * Takes a free port when any will do. All processes must name the same one: cluster gives those that do the same socket, and
 * closes it when no process has it any more. So whoever starts after all have died opens it anew, where clients look for it.
 */
async function choosePort({ host, port }: Address): Promise<Address> {
  if (port !== 0) return { host, port };
  const server = createServer().listen({ host, port });
  await once(server, 'listening');
  const address = server.address() as AddressInfo; // a TCP server has one
  server.close();
  await once(server, 'close');
  return { host, port: address.port };
}

function fork(options: CollectorProcessesOptions, running: Set<Running>): Running {
  const worker = cluster.fork();
  const ended = new Promise<Error>((resolve) => {
    worker.once('exit', (code: number | null, signal: string | null) =>
      resolve(
        new Error(`The collector process ${worker.process.pid ?? ''} ended by ${signal ?? `code ${code ?? '?'}`}.`),
      ),
    );
    worker.on('error', (error: Error) => {
      if (worker.isDead())
        resolve(error); // never made: no process or file left for it
      else options.logger.warn({ err: error }, 'A collector process cannot be reached.');
    });
  });
  const calls = new ProcessCalls(channelOf(worker), handlersOf(options, running));
  const process: Running = { worker, calls, ended, schedulerFault: null };
  running.add(process);
  void ended.then(() => running.delete(process));
  return process;
}

/** Tells each process what is new to it, so that nothing heaps up before one that hangs. */
function tellFault(running: ReadonlySet<Running>, fault: string | null): void {
  for (const process of running) {
    if (process.schedulerFault === fault) continue;
    process.schedulerFault = fault;
    void process.calls.call('schedulerFault', fault).catch(() => undefined);
  }
}

function channelOf(worker: Worker): ConstructorParameters<typeof ProcessCalls>[0] {
  return {
    send: (message) => {
      if (worker.isConnected()) worker.process.send(message, undefined, undefined, () => undefined); // with a callback it emits no error
    },
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
    sortEarly: (job: Parameters<StoreJobs['sortEarly']>[0]) => options.jobs.sortEarly(job),
    completeRuns: (job: Parameters<StoreJobs['completeRuns']>[0]) => options.jobs.completeRuns(job),
    linkServerEvents: (job: Parameters<StoreJobs['linkServerEvents']>[0]) => options.jobs.linkServerEvents(job),
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
        [...running].map(({ calls }) => within(METRICS_TIMEOUT_MS, calls.call('metricsJson', null))),
      );
      const metrics = answers.flatMap((answer) =>
        answer.status === 'fulfilled' && answer.value !== undefined ? [answer.value as MetricObject[]] : [],
      );
      return AggregatorRegistry.aggregate([await options.registry.getMetricsAsJSON(), ...metrics] as never).metrics();
    },
  };
}

/** Waits for something, but not longer than this; then it is undefined. */
async function within<Result>(limitMs: number, result: Promise<Result>): Promise<Result | undefined> {
  const settled = new AbortController();
  try {
    return await Promise.race([result, waitFor(limitMs, settled.signal).then(() => undefined)]);
  } finally {
    settled.abort();
  }
}

/** Stops a process in order; ends it when it takes too long. */
async function stop({ worker, calls, ended }: Running): Promise<void> {
  const stopped = calls.call('stop', null).catch(() => undefined);
  await within(STOP_TIMEOUT_MS, Promise.race([stopped, ended]));
  worker.disconnect();
  await within(END_TIMEOUT_MS, ended);
  worker.process.kill('SIGKILL'); // does nothing to one that has ended
  await within(END_TIMEOUT_MS, ended); // one that a broken disk holds in the kernel stays behind
}
