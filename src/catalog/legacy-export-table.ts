/** The 1.0 API's tables of a SQL catalog: each call is one statement, or one transaction where several must agree. */
import type { Hour, HourRange } from '../events/hour.ts';
import { LEGACY_DATA_TYPES, type LegacyTable } from '../events/legacy-tables.ts';
import type { CatalogDatabase, CatalogReader, CatalogTransaction } from './catalog-database.ts';
import type { Manifest, PackageEntry, TaskStatus } from './catalog.ts';
import type { ClaimedLegacyTask, LegacyExportTable, LegacyPackage, LegacyTask, WantedHour } from './legacy-export.ts';
import * as packages from './legacy-packages.ts';
import * as tasks from './legacy-tasks.ts';
import {
  claimDue,
  countByStatus,
  NOT_LEASED,
  pendingState,
  updateLeased,
  wholeMs,
  type LeasedChange,
} from './task-lease.ts';

export class SqlLegacyExportTable implements LegacyExportTable {
  readonly #database: CatalogDatabase;

  constructor(database: CatalogDatabase) {
    this.#database = database;
  }

  async request(ai: string, wanted: readonly WantedHour[], nowMs: number): Promise<void> {
    await this.#database.write(async (transaction) => {
      for (const hour of wanted) await tasks.requestHour(transaction, ai, hour, nowMs);
    });
  }

  restart(ai: string, hour: Hour, nowMs: number): Promise<boolean> {
    return this.#database.write((transaction) => tasks.restartHour(transaction, ai, hour, nowMs));
  }

  listTasks(ai: string, hours: HourRange): Promise<readonly LegacyTask[]> {
    return tasks.listTasks(this.#database.reader, ai, hours);
  }

  claim(claim: { readonly nowMs: number; readonly leaseMs: number }): Promise<ClaimedLegacyTask | undefined> {
    return claimDue(this.#database, 'legacy_task', claim, (reader) => tasks.findDue(reader, claim));
  }

  extend(task: ClaimedLegacyTask, untilMs: number): Promise<boolean> {
    return this.#change(task, { claimable_at_ms: wholeMs(untilMs) });
  }

  async retryLater(task: ClaimedLegacyTask, runAtMs: number, error: string): Promise<void> {
    const { attempts } = task;
    await this.#change(task, { ...pendingState(runAtMs), attempts, error });
  }

  async release(task: ClaimedLegacyTask, nowMs: number): Promise<void> {
    const { attempts, error } = task;
    await this.#change(task, { ...pendingState(nowMs), attempts: attempts - 1, error });
  }

  async fail(task: ClaimedLegacyTask, runAtMs: number, error: string): Promise<void> {
    await this.#change(task, { status: 'failed', ...NOT_LEASED, run_at_ms: wholeMs(runAtMs), error });
  }

  async forget(task: ClaimedLegacyTask): Promise<void> {
    await this.#database.write(async (transaction) => {
      await transaction
        .deleteFrom('legacy_task')
        .where('ai', '=', task.ai)
        .where('hour', '=', task.hour)
        .where('lease_id', '=', task.leaseId)
        .execute();
    });
  }

  publish(task: ClaimedLegacyTask, revision: number, made: readonly PackageEntry<LegacyTable>[]): Promise<boolean> {
    const { ai, hour } = task;
    return this.#database.write(async (transaction) => {
      const newest = await newestRevision(transaction, ai, hour);
      if (newest !== revision) return false;
      const finished = { status: 'finished', ...NOT_LEASED, error: null, revision } as const;
      if (!(await updateLeased(transaction, 'legacy_task', task, finished))) return false;
      const ofRevision = transaction.deleteFrom('legacy_package').where('ai', '=', ai).where('hour', '=', hour);
      await ofRevision.where('revision', '=', revision).execute(); // made again under the same names
      await packages.insertPackages(transaction, { ai, hour, revision }, made);
      return true;
    });
  }

  countByStatus(): Promise<Readonly<Record<TaskStatus, number>>> {
    return countByStatus(this.#database.reader, 'legacy_task');
  }

  listPackages(ai: string, hours: HourRange): Promise<readonly LegacyPackage[]> {
    return packages.listCurrent(this.#database.reader, ai, hours);
  }

  listKept(ai: string, hour: Hour): Promise<readonly LegacyPackage[]> {
    return packages.listOfHour(this.#database.reader, ai, hour);
  }

  listHours(ai: string): Promise<readonly Hour[]> {
    return packages.listHours(this.#database.reader, ai);
  }

  findPackage(ai: string, hour: Hour, table: LegacyTable, name: string): Promise<LegacyPackage | undefined> {
    return packages.findPackage(this.#database.reader, { ai, hour, table, name });
  }

  async removeHour(ai: string, hour: Hour, nowMs: number): Promise<void> {
    await this.#database.write(async (transaction) => {
      await transaction.deleteFrom('legacy_package').where('ai', '=', ai).where('hour', '=', hour).execute();
      await tasks.restartHour(transaction, ai, hour, nowMs);
    });
  }

  async deleteBefore(ai: string, hour: Hour): Promise<void> {
    await this.#database.write(async (transaction) => {
      for (const table of ['legacy_package', 'legacy_task'] as const)
        await transaction.deleteFrom(table).where('ai', '=', ai).where('hour', '<', hour).execute();
    });
  }

  #change(task: ClaimedLegacyTask, change: LeasedChange): Promise<boolean> {
    return this.#database.write((transaction) => updateLeased(transaction, 'legacy_task', task, change));
  }
}

/**
 * Has the 1.0 packages of an hour made that is being published, as part of the transaction that does it: where they were made of an
 * older revision, and where the project wants them with every hour.
 */
export async function requestWithPublication(
  transaction: CatalogTransaction,
  manifest: Manifest,
  isWithEveryHour: boolean,
): Promise<void> {
  const { ai, hour, revision, publishedAtMs } = manifest;
  if (await tasks.restartHour(transaction, ai, hour, publishedAtMs)) return;
  if (isWithEveryHour && manifest.packages.some(({ dataType }) => LEGACY_DATA_TYPES.has(dataType)))
    await tasks.requestHour(transaction, ai, { hour, revision }, publishedAtMs);
}

async function newestRevision(reader: CatalogReader, ai: string, hour: Hour): Promise<number | undefined> {
  const row = await reader
    .selectFrom('manifest')
    .select('revision')
    .where('ai', '=', ai)
    .where('hour', '=', hour)
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.revision;
}
