/**
 * Waiting for SQLite's one write lock, which the server and every CLI command share.
 *
 * The wait is asynchronous, and not SQLite's own busy handler, because that one sleeps on the thread: a process that is stopped
 * while it holds the lock would also stop this one's event loop, and with it the collector. So connections that write have a busy
 * timeout of 0 and come here. Once BEGIN IMMEDIATE has succeeded in WAL mode, nothing in the transaction can meet a lock again.
 */
import type { DatabaseSync } from 'node:sqlite';
import { waitFor } from '../lib/clock.ts';
import { isLockedError, translateSqliteError } from './sqlite-errors.ts';

/** Longest pause between two tries. A transaction of the catalog takes about 1 ms with an SSD. */
const MAX_PAUSE_MS = 25;

/**
 * Begins a transaction that holds the write lock from its start, waiting for the lock if need be.
 *
 * A deferred transaction that reads and then writes would fail at once with SQLITE_BUSY when another process wrote in between.
 * @throws AppError store_unavailable when the lock did not come free within `waitMs`
 */
export async function beginImmediate(database: DatabaseSync, path: string, waitMs: number): Promise<void> {
  await retryWhileLocked(path, waitMs, () => {
    database.exec('BEGIN IMMEDIATE');
  });
}

/**
 * Runs `attempt` again and again while another connection holds the lock, and returns what it returned.
 * @throws AppError store_unavailable when the lock did not come free within `waitMs`; store_corrupt
 */
export async function retryWhileLocked<Result>(path: string, waitMs: number, attempt: () => Result): Promise<Result> {
  const endMs = performance.now() + waitMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    try {
      return attempt();
    } catch (error) {
      if (!isLockedError(error) || performance.now() >= endMs) throw translateSqliteError(error, path);
    }
    await waitFor(pauseMs * (0.5 + Math.random())); // two waiters in step would take turns in losing
  }
}
