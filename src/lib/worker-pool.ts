/**
 * Runs CPU-heavy jobs in worker threads, each by the name of a function that the worker's file exports.
 *
 * Piscina does the pooling; this file only fixes the form. Errors come back with their class lost: `code` and `message` survive.
 */
import { Piscina } from 'piscina';

export interface WorkerPool {
  /** Runs a job and resolves with what it returns. Arguments and result must survive structured clone. */
  run(name: string, job: unknown): Promise<unknown>;
  /** Waits for running jobs, then ends the threads. */
  close(): Promise<void>;
}

/** Starts a pool; threads start with their first job and end after a minute without one. */
export function openWorkerPool(options: { readonly file: URL; readonly threads: number }): WorkerPool {
  const pool = new Piscina({
    filename: options.file.href,
    minThreads: 0,
    maxThreads: options.threads,
    idleTimeout: 60_000,
    concurrentTasksPerWorker: 1,
  });
  return {
    run: (name, job) => pool.run(job, { name }) as Promise<unknown>,
    close: () => pool.close(),
  };
}
