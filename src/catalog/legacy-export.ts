/**
 * The catalog's part in the 1.0 API: the tasks that make an hour's 1.0 packages of its 2.0 packages, and the packages they made.
 *
 * A task is made when the packages are first asked for, or with the hour's publication where the project's setting `legacyExport` says so; there is at most
 * one for a project and hour. States as for export tasks: pending → running → finished | failed, under a lease. A new revision of
 * the hour makes its task pending again, and what a running one is making then cannot be published any more.
 *
 * None of it is in the publication log: 1.0 packages say nothing that the manifest's own do not.
 */
import type { Hour, HourRange } from '../events/hour.ts';
import type { LegacyTable } from '../events/legacy-tables.ts';
import type { PackageEntry, TaskStatus } from './catalog.ts';

/** The making of one project's hour for the 1.0 API. */
export type LegacyTask = {
  readonly ai: string;
  readonly hour: Hour;
  readonly status: TaskStatus;
  readonly attempts: number;
  /** Pending: not claimed before. Failed: not tried again before, and then only when somebody asks. */
  readonly runAtMs: number;
  readonly error: string | null;
  /** The hour's revision that its packages were made from last; null until they were. */
  readonly revision: number | null;
};

/** A task that this process may work on until the lease ends. `leaseId` is new with every claim. */
export type ClaimedLegacyTask = LegacyTask & { readonly leaseId: string };

/** A package for the 1.0 API, and the revision of the hour that it was made from. */
export type LegacyPackage = PackageEntry<LegacyTable> & {
  readonly ai: string;
  readonly hour: Hour;
  readonly revision: number;
};

/** An hour whose 1.0 packages are asked for, of the revision that is its newest. */
export type WantedHour = { readonly hour: Hour; readonly revision: number };

export interface LegacyExportTable {
  /** Makes pending what is not made of these revisions, or has failed and may be tried again. */
  request(ai: string, wanted: readonly WantedHour[], nowMs: number): Promise<void>;
  /** Makes an hour's task pending, whatever it is, so that its packages are made again. False when the hour has none. */
  restart(ai: string, hour: Hour, nowMs: number): Promise<boolean>;
  /** Lists the tasks of a project in a range of hours, in hour order. */
  listTasks(ai: string, hours: HourRange): Promise<readonly LegacyTask[]>;
  /** Takes the task that has waited longest of those that are pending, or running with an ended lease. Undefined when none is due. */
  claim(claim: { readonly nowMs: number; readonly leaseMs: number }): Promise<ClaimedLegacyTask | undefined>;
  /** Makes the lease last until `untilMs`. False when the lease is no longer this caller's: it must stop its work. */
  extend(task: ClaimedLegacyTask, untilMs: number): Promise<boolean>;
  /** Gives a failed try back: pending again from `runAtMs`. Does nothing when the lease is lost. */
  retryLater(task: ClaimedLegacyTask, runAtMs: number, error: string): Promise<void>;
  /** Gives a task back as if it had not been claimed. Does nothing when the lease is lost. */
  release(task: ClaimedLegacyTask, nowMs: number): Promise<void>;
  /** Ends a task as failed; it may be asked for again from `runAtMs` on. Does nothing when the lease is lost. */
  fail(task: ClaimedLegacyTask, runAtMs: number, error: string): Promise<void>;
  /** Deletes the task of an hour that has no manifest any more. Does nothing when the lease is lost. */
  forget(task: ClaimedLegacyTask): Promise<void>;
  /**
   * Finishes a task with the packages that were made of this revision. False, changing nothing, when the lease was lost or the
   * revision is not the hour's newest any more: then nothing of it may stay.
   */
  publish(task: ClaimedLegacyTask, revision: number, packages: readonly PackageEntry<LegacyTable>[]): Promise<boolean>;
  /** Counts all tasks by status, for /metrics. */
  countByStatus(): Promise<Readonly<Record<TaskStatus, number>>>;

  /** Lists the packages that finished tasks of these hours made last, in order of hour, table and part. */
  listPackages(ai: string, hours: HourRange): Promise<readonly LegacyPackage[]>;
  /** Lists all packages kept of an hour, those of older revisions too. */
  listKept(ai: string, hour: Hour): Promise<readonly LegacyPackage[]>;
  /** Lists the hours of a project that have 1.0 packages. */
  listHours(ai: string): Promise<readonly Hour[]>;
  /** Finds a package by what its link says, of any revision still kept. */
  findPackage(ai: string, hour: Hour, table: LegacyTable, name: string): Promise<LegacyPackage | undefined>;
  /** Deletes all packages of an hour and has them made again, if they ever were; a running making loses its lease. */
  removeHour(ai: string, hour: Hour, nowMs: number): Promise<void>;
  /** Deletes a project's packages and tasks of hours before this one. */
  deleteBefore(ai: string, hour: Hour): Promise<void>;
}
