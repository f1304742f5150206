/**
 * Export tasks: one row per project and hour, shared by all workers of all processes.
 *
 * States: pending → running → finished | failed; running → pending by `retryLater` and `release`; any → pending by `restart`. A running task has
 * a lease. Whoever holds the newest lease id owns the task; time only decides when the lease may be taken over. So a worker that
 * slept past its lease, and was overtaken, changes nothing: every change it tries names a lease id that is gone.
 *
 * Crash: a dead worker's task is claimed again when its lease has ended.
 * Cost: finding the next due task walks an index of the unfinished tasks only, in order of hour.
 */
import { randomUUID } from 'node:crypto';
import { addHours, hourFromInteger, type Hour, type HourRange } from '../events/hour.ts';
import type { CatalogDatabase, CatalogReader, CatalogTransaction } from './catalog-database.ts';
import type { ClaimedTask, ExportTask, TaskStatus, TaskTable } from './catalog.ts';
import type { ReadCache } from './read-cache.ts';

/** Rows of one insert and hours of one list, well below the 32,766 parameters of a statement. */
const CHUNK_HOURS = 1_000;
/**
 * No lease and no pause is as long. A task that says so was claimed or given back by a clock that was ahead and has been set
 * right since; to wait until the true time has come there would hold the hour up for as long.
 */
const MAX_WAIT_MS = 90_000;

const TASK_COLUMNS = ['ai', 'hour', 'status', 'attempts', 'run_at_ms as runAtMs', 'error'] as const;

const NOT_LEASED = { claimable_at_ms: null, lease_id: null } as const;

type TaskClaim = Parameters<TaskTable['claim']>[0];

/** The task table of a SQL catalog. */
export class SqlTaskTable implements TaskTable {
  readonly #database: CatalogDatabase;
  readonly #readCache: ReadCache;

  constructor(database: CatalogDatabase, readCache: ReadCache) {
    this.#database = database;
    this.#readCache = readCache;
  }

  async ensure(ai: string, hours: HourRange, nowMs: number): Promise<number> {
    const rows = await this.#database.reader
      .selectFrom('task')
      .select('hour')
      .where('ai', '=', ai)
      .where('hour', '>=', hours.from)
      .where('hour', '<', hours.until)
      .execute();
    const known = new Set(rows.map((row) => row.hour));
    const missing = hoursOf(hours).filter((hour) => !known.has(hour));
    if (missing.length === 0) return 0; // the usual case takes no write lock
    return this.#database.write(async (transaction) => {
      let made = 0;
      for (const chunk of chunksOf(missing)) {
        const result = await transaction
          .insertInto('task')
          .values(chunk.map((hour) => pendingRow(ai, hour, nowMs)))
          .onConflict((conflict) => conflict.columns(['ai', 'hour']).doNothing())
          .executeTakeFirst();
        made += Number(result.numInsertedOrUpdatedRows ?? 0n);
      }
      return made;
    });
  }

  async restart(ai: string, hours: readonly Hour[], nowMs: number): Promise<void> {
    await this.#database.write(async (transaction) => {
      for (const chunk of chunksOf([...new Set(hours)])) {
        await transaction
          .insertInto('task')
          .values(chunk.map((hour) => pendingRow(ai, hour, nowMs)))
          .onConflict((conflict) => conflict.columns(['ai', 'hour']).doUpdateSet(pendingState(nowMs)))
          .execute();
      }
    });
  }

  async claim(claim: TaskClaim): Promise<ClaimedTask | undefined> {
    if (!(await findDue(this.#database.reader, claim))) return undefined; // an idle worker takes no write lock
    return this.#database.write(async (transaction) => {
      const due = await findDue(transaction, claim);
      if (!due) return undefined;
      const task = { ...due, status: 'running', attempts: due.attempts + 1, leaseId: randomUUID() } as const;
      await transaction
        .updateTable('task')
        .set({
          status: task.status,
          attempts: task.attempts,
          lease_id: task.leaseId,
          claimable_at_ms: wholeMs(claim.nowMs + claim.leaseMs),
        })
        .where('ai', '=', task.ai)
        .where('hour', '=', task.hour)
        .execute();
      return task;
    });
  }

  extend(task: ClaimedTask, untilMs: number): Promise<boolean> {
    return this.#database.write((transaction) =>
      updateLeased(transaction, task, { claimable_at_ms: wholeMs(untilMs) }),
    );
  }

  async retryLater(task: ClaimedTask, runAtMs: number, error: string): Promise<void> {
    const pendingFromMs = wholeMs(runAtMs);
    await this.#database.write((transaction) =>
      updateLeased(transaction, task, {
        status: 'pending',
        run_at_ms: pendingFromMs,
        claimable_at_ms: pendingFromMs,
        lease_id: null,
        error,
      }),
    );
  }

  async release(task: ClaimedTask, nowMs: number): Promise<void> {
    const attempts = task.attempts - 1;
    await this.#database.write((transaction) =>
      updateLeased(transaction, task, { status: 'pending', attempts, claimable_at_ms: wholeMs(nowMs), lease_id: null }),
    );
  }

  async fail(task: ClaimedTask, error: string): Promise<void> {
    await this.#database.write((transaction) =>
      updateLeased(transaction, task, { status: 'failed', ...NOT_LEASED, error }),
    );
  }

  async list(ai: string, hours: HourRange): Promise<readonly ExportTask[]> {
    const key = `tasks ${ai} ${hours.from} ${hours.until}`;
    return (
      (await this.#readCache.read(
        key,
        () => this.#readTasks(ai, hours),
        (tasks) => tasks.length,
      )) ?? []
    );
  }

  async #readTasks(ai: string, hours: HourRange): Promise<readonly ExportTask[]> {
    const rows = await this.#database.reader
      .selectFrom('task')
      .select(TASK_COLUMNS)
      .where('ai', '=', ai)
      .where('hour', '>=', hours.from)
      .where('hour', '<', hours.until)
      .orderBy('hour')
      .execute();
    return rows.map(taskOf);
  }

  async countByStatus(): Promise<Readonly<Record<TaskStatus, number>>> {
    const rows = await this.#database.reader
      .selectFrom('task')
      .select((row) => ['status', row.fn.countAll().as('tasks')])
      .groupBy('status')
      .execute();
    const counts = { pending: 0, running: 0, finished: 0, failed: 0 };
    for (const row of rows) counts[row.status] = Number(row.tasks);
    return counts;
  }

  async listUnfinishedBefore(
    hour: Hour,
  ): Promise<readonly { readonly ai: string; readonly hour: Hour; readonly isFailed: boolean }[]> {
    const rows = await this.#database.reader
      .selectFrom('task')
      .select(['ai', 'hour', 'status'])
      .where('status', 'in', ['pending', 'running', 'failed'])
      .where('hour', '<', hour)
      .execute();
    return rows.map((row) => ({ ai: row.ai, hour: hourFromInteger(row.hour), isFailed: row.status === 'failed' }));
  }

  async deleteBefore(hour: Hour, kept: readonly Hour[], ai?: string): Promise<void> {
    await this.#database.write(async (transaction) => {
      const deletion = transaction.deleteFrom('task').where('hour', '<', hour).where('hour', 'not in', kept);
      await (
        ai === undefined
          ? deletion.where('ai', 'in', (row) => row.selectFrom('project').select('ai')) // one seek a project instead of reading all rows
          : deletion.where('ai', '=', ai)
      ).execute();
    });
  }
}

/**
 * Ends a claimed task as finished, as part of the transaction that publishes its manifest.
 * Returns false, changing nothing, when the lease was lost.
 */
export function finishTask(transaction: CatalogTransaction, task: ClaimedTask): Promise<boolean> {
  return updateLeased(transaction, task, { status: 'finished', ...NOT_LEASED, error: null });
}

type TaskChange = {
  readonly status?: TaskStatus;
  readonly attempts?: number;
  readonly run_at_ms?: number;
  readonly claimable_at_ms: number | null;
  readonly lease_id?: null;
  readonly error?: string | null;
};

/** Changes a task if this caller still owns it, and says whether it did. */
async function updateLeased(transaction: CatalogTransaction, task: ClaimedTask, change: TaskChange): Promise<boolean> {
  const result = await transaction
    .updateTable('task')
    .set(change)
    .where('ai', '=', task.ai)
    .where('hour', '=', task.hour)
    .where('lease_id', '=', task.leaseId)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Finds the oldest task that may be claimed now. */
async function findDue(
  reader: CatalogReader,
  { nowMs, leaseMs, ai, hours }: TaskClaim,
): Promise<ExportTask | undefined> {
  // No lease is longer than those that are given now: a task held for longer was claimed by a clock that was ahead.
  const farAheadMs = nowMs + Math.max(MAX_WAIT_MS, leaseMs);
  let due = reader
    .selectFrom('task')
    .select(TASK_COLUMNS)
    .where((row) => row.or([row('claimable_at_ms', '<=', nowMs), row('claimable_at_ms', '>', farAheadMs)]))
    .orderBy('hour')
    .orderBy('ai')
    .limit(1);
  if (ai !== undefined) due = due.where('ai', '=', ai);
  if (hours === undefined) return taskOrNone(await due.executeTakeFirst());
  for (const chunk of chunksOf([...hours].sort((a, b) => a - b))) {
    const task = taskOrNone(await due.where('hour', 'in', chunk).executeTakeFirst());
    if (task) return task;
  }
  return undefined;
}

type SelectedTask = Omit<ExportTask, 'hour'> & { readonly hour: number };

function taskOf(row: SelectedTask): ExportTask {
  return { ...row, hour: hourFromInteger(row.hour) };
}

function taskOrNone(row: SelectedTask | undefined): ExportTask | undefined {
  return row && taskOf(row);
}

function pendingRow(ai: string, hour: Hour, nowMs: number) {
  return { ai, hour, ...pendingState(nowMs) };
}

function pendingState(nowMs: number) {
  return {
    status: 'pending',
    attempts: 0,
    run_at_ms: nowMs,
    claimable_at_ms: nowMs,
    lease_id: null,
    error: null,
  } as const;
}

/** Back-off with jitter comes in fractions, which an integer column refuses. */
function wholeMs(instantMs: number): number {
  return Math.ceil(instantMs);
}

function hoursOf(hours: HourRange): Hour[] {
  const length = Math.max(0, hours.until - hours.from);
  return Array.from({ length }, (_, index) => addHours(hours.from, index));
}

function chunksOf(hours: readonly Hour[]): Hour[][] {
  const length = Math.ceil(hours.length / CHUNK_HOURS);
  return Array.from({ length }, (_, index) => hours.slice(index * CHUNK_HOURS, (index + 1) * CHUNK_HOURS));
}
