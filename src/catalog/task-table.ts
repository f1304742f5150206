/**
 * Export tasks: one row per project and hour, shared by all workers of all processes.
 *
 * States: pending → running → finished | failed; running → pending by `retryLater` and `release`; any → pending by `restart`. A
 * running task has a lease (task-lease.ts).
 *
 * Cost: finding the next due task walks an index of the unfinished tasks only, in order of hour.
 */
import { addHours, hourFromInteger, type Hour, type HourRange } from '../events/hour.ts';
import type { CatalogDatabase, CatalogReader, CatalogTransaction } from './catalog-database.ts';
import type { ClaimedTask, ExportTask, TaskStatus, TaskTable } from './catalog.ts';
import type { ReadCache } from './read-cache.ts';
import {
  claimDue,
  countByStatus,
  isDue,
  NOT_LEASED,
  pendingState,
  TASK_COLUMNS,
  updateLeased,
  wholeMs,
} from './task-lease.ts';

/** Rows of one insert and hours of one list, well below the 32,766 parameters of a statement. */
const CHUNK_HOURS = 1_000;

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

  claim(claim: TaskClaim): Promise<ClaimedTask | undefined> {
    return claimDue(this.#database, 'task', claim, (reader) => findDue(reader, claim));
  }

  extend(task: ClaimedTask, untilMs: number): Promise<boolean> {
    return this.#database.write((transaction) =>
      updateLeased(transaction, 'task', task, { claimable_at_ms: wholeMs(untilMs) }),
    );
  }

  async retryLater(task: ClaimedTask, runAtMs: number, error: string): Promise<void> {
    const pendingFromMs = wholeMs(runAtMs);
    await this.#database.write((transaction) =>
      updateLeased(transaction, 'task', task, {
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
      updateLeased(transaction, 'task', task, {
        status: 'pending',
        attempts,
        claimable_at_ms: wholeMs(nowMs),
        lease_id: null,
      }),
    );
  }

  async fail(task: ClaimedTask, error: string): Promise<void> {
    await this.#database.write((transaction) =>
      updateLeased(transaction, 'task', task, { status: 'failed', ...NOT_LEASED, error }),
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

  countByStatus(): Promise<Readonly<Record<TaskStatus, number>>> {
    return countByStatus(this.#database.reader, 'task');
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
  return updateLeased(transaction, 'task', task, { status: 'finished', ...NOT_LEASED, error: null });
}

/** Finds the oldest task that may be claimed now. */
async function findDue(reader: CatalogReader, claim: TaskClaim): Promise<ExportTask | undefined> {
  const { ai, hours } = claim;
  let due = reader.selectFrom('task').select(TASK_COLUMNS).where(isDue(claim)).orderBy('hour').orderBy('ai').limit(1);
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

function hoursOf(hours: HourRange): Hour[] {
  const length = Math.max(0, hours.until - hours.from);
  return Array.from({ length }, (_, index) => addHours(hours.from, index));
}

function chunksOf(hours: readonly Hour[]): Hour[][] {
  const length = Math.ceil(hours.length / CHUNK_HOURS);
  return Array.from({ length }, (_, index) => hours.slice(index * CHUNK_HOURS, (index + 1) * CHUNK_HOURS));
}
