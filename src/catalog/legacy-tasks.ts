/** The tasks that make 1.0 packages, as statements over `legacy_task`; legacy-export.ts says what they mean. */
import { hourFromInteger, type Hour, type HourRange } from '../events/hour.ts';
import type { CatalogReader, CatalogTransaction } from './catalog-database.ts';
import type { LegacyExportTable, LegacyTask, WantedHour } from './legacy-export.ts';
import { isDue, pendingState, TASK_COLUMNS } from './task-lease.ts';

const LEGACY_TASK_COLUMNS = [...TASK_COLUMNS, 'revision'] as const;

type LegacyClaim = Parameters<LegacyExportTable['claim']>[0];
type SelectedTask = Omit<LegacyTask, 'hour'> & { readonly hour: number };

/** Lists the tasks of a project in a range of hours. */
export async function listTasks(reader: CatalogReader, ai: string, hours: HourRange): Promise<readonly LegacyTask[]> {
  const rows = await reader
    .selectFrom('legacy_task')
    .select(LEGACY_TASK_COLUMNS)
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
export async function findDue(reader: CatalogReader, claim: LegacyClaim): Promise<LegacyTask | undefined> {
  const row = await reader
    .selectFrom('legacy_task')
    .select(LEGACY_TASK_COLUMNS)
    .where('claimable_at_ms', 'is not', null) // so that the index of the unfinished ones is used
    .where(isDue(claim))
    .orderBy('run_at_ms')
    .orderBy('hour')
    .orderBy('ai')
    .limit(1)
    .executeTakeFirst();
  return row && taskOf(row);
}

function taskOf(row: SelectedTask): LegacyTask {
  return { ...row, hour: hourFromInteger(row.hour) };
}
