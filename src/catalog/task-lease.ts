/**
 * Leases of tasks: what the export tasks and the tasks of the 1.0 API have in common, as statements over either table.
 *
 * A running task has a lease. Whoever holds the newest lease id owns the task; time only decides when the lease may be taken over. So a
 * worker that slept past its lease, and was overtaken, changes nothing: every change it tries names a lease id that is gone.
 *
 * Crash: a dead worker's task is claimed again when its lease has ended.
 */
import { randomUUID } from 'node:crypto';
import { expressionBuilder, type Expression, type SqlBool } from 'kysely';
import type { Hour } from '../events/hour.ts';
import type { CatalogDatabase, CatalogReader, CatalogTransaction } from './catalog-database.ts';
import type { CatalogSchema } from './catalog-schema.ts';
import type { TaskStatus } from './catalog.ts';

/** The tables of tasks. */
export type TaskTableName = 'task' | 'legacy_task';

type Claim = { readonly nowMs: number; readonly leaseMs: number };
type Due = { readonly ai: string; readonly hour: Hour; readonly attempts: number };

/** A task that is this caller's until its lease ends. */
type Leased<Task> = Omit<Task, 'status'> & { readonly status: 'running'; readonly leaseId: string };

/** What may be changed of a task under a lease. */
export type LeasedChange = {
  readonly status?: TaskStatus;
  readonly attempts?: number;
  readonly run_at_ms?: number;
  readonly claimable_at_ms: number | null;
  readonly lease_id?: null;
  readonly error?: string | null;
  /** Of tasks of the 1.0 API. */
  readonly revision?: number;
};

/**
 * No pause is as long. A task that says so was claimed or given back by a clock that was ahead and has been set right since; to wait
 * until the true time has come there would hold the hour up for as long.
 */
const MAX_WAIT_MS = 90_000;

/** The columns of a task under the names of the type `ExportTask`. */
export const TASK_COLUMNS = ['ai', 'hour', 'status', 'attempts', 'run_at_ms as runAtMs', 'error'] as const;

/** What a task that has ended has no more of. */
export const NOT_LEASED = { claimable_at_ms: null, lease_id: null } as const;

/** Says of a task that it may be claimed now. */
export function isDue({ nowMs, leaseMs }: Claim): Expression<SqlBool> {
  // No lease is longer than those that are given now: a task held for longer was claimed by a clock that was ahead.
  const farAheadMs = nowMs + Math.max(MAX_WAIT_MS, leaseMs);
  const task = expressionBuilder<CatalogSchema, TaskTableName>();
  return task.or([task('claimable_at_ms', '<=', nowMs), task('claimable_at_ms', '>', farAheadMs)]);
}

/** Takes the task that `findDue` finds, and counts an attempt. Undefined when there is none. */
export async function claimDue<Task extends Due>(
  database: CatalogDatabase,
  table: TaskTableName,
  { nowMs, leaseMs }: Claim,
  findDue: (reader: CatalogReader) => Promise<Task | undefined>,
): Promise<Leased<Task> | undefined> {
  if (!(await findDue(database.reader))) return undefined; // an idle worker takes no write lock
  return database.write(async (transaction) => {
    const due = await findDue(transaction);
    if (!due) return undefined;
    const task = { ...due, status: 'running', attempts: due.attempts + 1, leaseId: randomUUID() } as const;
    const claimable_at_ms = wholeMs(nowMs + leaseMs);
    await transaction
      .updateTable(table)
      .set({ status: task.status, attempts: task.attempts, lease_id: task.leaseId, claimable_at_ms })
      .where('ai', '=', task.ai)
      .where('hour', '=', task.hour)
      .execute();
    return task;
  });
}

/** Changes a task if this caller still owns it, and says whether it did. */
export async function updateLeased(
  transaction: CatalogTransaction,
  table: TaskTableName,
  task: { readonly ai: string; readonly hour: Hour; readonly leaseId: string },
  change: LeasedChange,
): Promise<boolean> {
  const result = await transaction
    .updateTable(table)
    .set(change)
    .where('ai', '=', task.ai)
    .where('hour', '=', task.hour)
    .where('lease_id', '=', task.leaseId)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** A task that waits for its turn from this instant, and was not tried yet. */
export function pendingState(runAtMs: number) {
  const at = wholeMs(runAtMs);
  return {
    status: 'pending',
    attempts: 0,
    run_at_ms: at,
    claimable_at_ms: at,
    lease_id: null,
    error: null,
  } as const;
}

/** Counts all tasks by status. */
export async function countByStatus(
  reader: CatalogReader,
  table: TaskTableName,
): Promise<Readonly<Record<TaskStatus, number>>> {
  const rows = await reader
    .selectFrom(table)
    .select((row) => ['status', row.fn.countAll().as('tasks')])
    .groupBy('status')
    .execute();
  const counts = { pending: 0, running: 0, finished: 0, failed: 0 };
  for (const row of rows) counts[row.status] = Number(row.tasks);
  return counts;
}

/** Back-off with jitter comes in fractions, which an integer column refuses. */
export function wholeMs(instantMs: number): number {
  return Math.ceil(instantMs);
}
