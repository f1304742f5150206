/**
 * Runs CPU-heavy jobs in worker threads, each by the name of a function that the worker's file exports.
 *
 * Piscina does the pooling; this file fixes the form, and sees to it that a job never waits for a thread that could not start.
 * Errors come back with their class lost: `code` and `message` survive where the job is wrapped in `sendingCodes`.
 */
import type { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { receiveCode } from './thread-errors.ts';

export interface WorkerPool {
  /**
   * Runs a job and resolves with what it returns. Arguments and result must survive structured clone. When the signal is
   * aborted, the thread is ended wherever it stands; when it has ended, the call rejects with the signal's reason.
   */
  run(name: string, job: unknown, signal?: AbortSignal): Promise<unknown>;
  /** Waits a few seconds for running jobs, then ends the threads. */
  close(): Promise<void>;
}

const CLOSE_TIMEOUT_MS = 3_000;
/** Jobs work on memory outside of V8's heap; what little they leave there would fill 48 MB before it is looked at. */
const YOUNG_GENERATION_MB = 12;

/**
 * The lowest priority: on a core that is wanted all the time such a thread gets about a fiftieth of it. On Linux alone a priority is a
 * thread's own; elsewhere it would be the whole process's.
 */
const BACKGROUND = { niceIncrement: process.platform === 'linux' ? 19 : 0, atomics: 'disabled' } as const;

/** Starts a pool; threads start with their first job and end after a minute without one. */
export function openWorkerPool(options: {
  readonly file: URL;
  readonly threads: number;
  /** What every thread finds as its `workerData`. */
  readonly data?: unknown;
  /** Whether its jobs take only the time that nobody else wants. Between jobs such a thread goes on with its timers. */
  readonly isBackground?: boolean;
}): WorkerPool {
  const pool = new Piscina({
    filename: options.file.href,
    minThreads: 0,
    maxThreads: options.threads,
    workerData: options.data,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    idleTimeout: 60_000,
    concurrentTasksPerWorker: 1,
    closeTimeout: CLOSE_TIMEOUT_MS,
    ...(options.isBackground ? BACKGROUND : {}),
  });
  const running = new Set<AbortController>();
  // A thread that did not start (no memory, too many open files) is no job's error to Piscina: without a listener the process
  // would end, and the jobs that wait for the thread would wait for ever. So all jobs fail, and are tried again by their callers.
  pool.on('error', (error) => {
    const fault = Object.assign(new Error('A worker thread failed.', { cause: error }), {
      code: 'ERR_WORKER_INIT_FAILED',
    });
    for (const job of running) job.abort(fault);
  });
  const ends = new WeakMap<Worker, Promise<unknown>>();
  /** Waits for a thread that was told to end: a last system call of its job may take a while, above all in the background. */
  const endOf = (thread: Worker): Promise<unknown> => {
    const end = ends.get(thread) ?? thread.terminate();
    ends.set(thread, end);
    return end;
  };
  return {
    run: async (name, job, signal) => {
      const failing = new AbortController();
      const stopping = signal ? AbortSignal.any([signal, failing.signal]) : failing.signal;
      let threads: readonly Worker[] = [];
      stopping.addEventListener('abort', () => (threads = pool.threads), { once: true }); // before Piscina takes the job's away
      running.add(failing);
      try {
        return (await pool.run(job, { name, signal: stopping })) as unknown;
      } catch (error) {
        if (!stopping.aborted) throw receiveCode(error);
        const left = new Set(pool.threads);
        await Promise.all(threads.filter((thread) => !left.has(thread)).map(endOf));
        throw stopping.reason;
      } finally {
        running.delete(failing);
      }
    },
    close: () => pool.close(),
  };
}
