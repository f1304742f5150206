/** The tasks that make 1.0 packages, as statements over `legacy_task`; legacy-export.ts says what they mean. */
import { randomUUID } from 'node:crypto';
import { hourFromInteger, type Hour, type HourRange } from '../events/hour.ts';
import type { CatalogReader, CatalogTransaction } from './catalog-database.ts';
import type { TaskStatus } from './catalog.ts';
import type { ClaimedLegacyTask, LegacyTask, WantedHour } from './legacy-export.ts';

/** No lease and no pause is as long: what says so was written by a clock that was ahead (task-table.ts). */
const MAX_WAIT_MS = 90_000;

const TASK_COLUMNS = ['ai', 'hour', 'status', 'attempts', 'run_at_ms as runAtMs', 'error', 'revision'] as const;

type SelectedTask = Omit<LegacyTask, 'hour'> & { readonly hour: number };

/** Lists the tasks of a project in a range of hours. */
export async function listTasks(reader: CatalogReader, ai: string, hours: HourRange): Promise<readonly LegacyTask[]> {
  const rows = await reader
    .selectFrom('legacy_task')
    .select(TASK_COLUMNS)
    .where('ai', '=', ai)
    .where('hour', '>=', hours.from)
    .where('hour', '<', hours.until)
    .orderBy('hour')
    .execute();
  return rows.map(taskOf);
}

/** Makes an hour's task pending if it is not made of this revision yet, or if it failed and its pause is over. */
export async function requestHour(
  transaction: CatalogTransaction,
  ai: string,
  { hour, revision }: WantedHour,
  nowMs: number,
): Promise<void> {
  await transaction
    .insertInto('legacy_task')
    .values({ ai, hour, ...pendingState(nowMs), revision: null })
    .onConflict((conflict) =>
      conflict
        .columns(['ai', 'hour'])
        .doUpdateSet(pendingState(nowMs))
        .where((row) =>
          row.or([
            row.and([row('legacy_task.status', '=', 'finished'), row('legacy_task.revision', '!=', revision)]),
            row.and([row('legacy_task.status', '=', 'failed'), row('legacy_task.run_at_ms', '<=', nowMs)]),
          ]),
        ),
    )
    .execute();
}

/** Makes an hour's task pending, whatever it is; false when the hour has none. */
export async function restartHour(
  transaction: CatalogTransaction,
  ai: string,
  hour: Hour,
  nowMs: number,
): Promise<boolean> {
  const result = await transaction
    .updateTable('legacy_task')
    .set(pendingState(nowMs))
    .where('ai', '=', ai)
    .where('hour', '=', hour)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Finds the task that has been due for longest. */
export async function findDue(reader: CatalogReader, nowMs: number): Promise<LegacyTask | undefined> {
  const row = await reader
    .selectFrom('legacy_task')
    .select(TASK_COLUMNS)
    .where('claimable_at_ms', 'is not', null) // so that the index of the unfinished ones is used
    .where((of) => of.or([of('claimable_at_ms', '<=', nowMs), of('claimable_at_ms', '>', nowMs + MAX_WAIT_MS)]))
    .orderBy('run_at_ms')
    .orderBy('hour')
    .orderBy('ai')
    .limit(1)
    .executeTakeFirst();
  return row && taskOf(row);
}

/** Marks a task that is due as this caller's. */
export async function lease(
  transaction: CatalogTransaction,
  due: LegacyTask,
  untilMs: number,
): Promise<ClaimedLegacyTask> {
  const task = { ...due, status: 'running', attempts: due.attempts + 1, leaseId: randomUUID() } as const;
  await transaction
    .updateTable('legacy_task')
    .set({
      status: task.status,
      attempts: task.attempts,
      lease_id: task.leaseId,
      claimable_at_ms: Math.ceil(untilMs),
    })
    .where('ai', '=', task.ai)
    .where('hour', '=', task.hour)
    .execute();
  return task;
}

/** What may be changed of a task under a lease. */
export type LegacyTaskChange = {
  readonly status?: TaskStatus;
  readonly attempts?: number;
  readonly run_at_ms?: number;
  readonly claimable_at_ms: number | null;
  readonly lease_id?: null;
  readonly error?: string | null;
  readonly revision?: number;
};

/** Changes a task if this caller still owns it, and says whether it did. */
export async function updateLeased(
  transaction: CatalogTransaction,
  task: ClaimedLegacyTask,
  change: LegacyTaskChange,
): Promise<boolean> {
  const result = await transaction
    .updateTable('legacy_task')
    .set(change)
    .where('ai', '=', task.ai)
    .where('hour', '=', task.hour)
    .where('lease_id', '=', task.leaseId)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** A task that waits for its turn from this instant. */
export function pendingState(runAtMs: number) {
  const at = Math.ceil(runAtMs);
  return {
    status: 'pending',
    attempts: 0,
    run_at_ms: at,
    claimable_at_ms: at,
    lease_id: null,
    error: null,
  } as const;
}

function taskOf(row: SelectedTask): LegacyTask {
  return { ...row, hour: hourFromInteger(row.hour) };
}
