/**
 * Takes the records of visitors, and the clicks of their devices, out of sealed hours. Implementations: `hour-log/hour-log-eraser.ts`.
 *
 * Invariants, beside those of hour-store.ts:
 * E1 After `erase` returned, no file of the hour holds a record that `find` would find, nor a copy of one that does not count.
 * E2 Every other record is there before, during and after, once; a reader sees the hour as it was, or as it is.
 * E3 A crash at any moment leaves the hour readable; calling `erase` again finishes what was begun.
 *
 * `find` and `erase` are for whoever holds the lock.
 */
import type { Hour } from '../events/hour.ts';
import type { FoundVisitors } from './hour-log/erase-runs.ts';
import type { Erased } from './hour-log/visitor-matcher.ts';

/** `isRunning`: one may be made of rows that it has read before, and will count. */
export type ImportState = { readonly counted: readonly string[]; readonly isRunning: boolean };

export interface VisitorEraser {
  /**
   * Waits for the right to rewrite hours, which one caller of all processes has, until it is disposed of.
   * @throws AppError store_unavailable after 30 s
   */
  lock(): Promise<AsyncDisposable>;
  /** Lists the hours that hold anything, oldest first, open ones too. */
  hours(): Promise<readonly Hour[]>;
  /** Looks through a prepared hour. Changes nothing. @throws AppError store_corrupt */
  find(hour: Hour, ai: string, erased: readonly Erased[]): Promise<FoundVisitors>;
  /** Says whether there is anything in the hour's folders that does not count, such as what a crash has left. */
  holdsUncounted(hour: Hour): Promise<boolean>;
  /** Erases what `find` found, and whatever lies in the hour and does not count. @throws AppError store_corrupt */
  erase(hour: Hour, ai: string, erased: readonly Erased[], found: FoundVisitors): Promise<void>;
  /** Says whether an hour that is not sealed may hold records of visitors that were acknowledged before the call. */
  mayHold(hour: Hour, ai: string, erased: readonly Erased[]): Promise<boolean>;
  /** Says which imports count and whether one runs; deletes what those that never counted have left behind, unless one runs. */
  followImports(): Promise<ImportState>;
}
