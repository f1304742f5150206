/**
 * Decides what a call of the 1.0 API is told of hours that are FINISHED in 2.0, as a pure function of their newest revisions and the
 * tasks that make their 1.0 packages: ERROR when one failed just now, else RUNNING until all are made of the newest revision.
 */
import type { LegacyTask, WantedHour } from '../catalog/legacy-export.ts';

export type LegacyState =
  | { readonly status: 'FINISHED' }
  | {
      readonly status: 'RUNNING' | 'ERROR';
      /** Hours whose making must be asked for. */
      readonly wanted: readonly WantedHour[];
      readonly retryAfterSeconds: number;
    };

/** An hour is made in seconds. */
export const RUNNING_RETRY_SECONDS = 5;

/** Decides the status. `hours` are those that have rows for the seven tables. */
export function decideLegacy(hours: readonly WantedHour[], tasks: readonly LegacyTask[], nowMs: number): LegacyState {
  const byHour = new Map(tasks.map((task) => [task.hour, task]));
  const wanted: WantedHour[] = [];
  let waiting = 0;
  let retryAtMs: number | undefined;
  for (const hour of hours) {
    const task = byHour.get(hour.hour);
    if (task?.status === 'finished' && task.revision === hour.revision) continue;
    if (task?.status === 'failed' && task.runAtMs > nowMs) retryAtMs = Math.max(retryAtMs ?? 0, task.runAtMs);
    else if (task?.status === 'pending' || task?.status === 'running') waiting += 1;
    else wanted.push(hour);
  }
  if (retryAtMs !== undefined)
    return { status: 'ERROR', wanted, retryAfterSeconds: Math.ceil((retryAtMs - nowMs) / 1000) };
  if (waiting > 0 || wanted.length > 0) return { status: 'RUNNING', wanted, retryAfterSeconds: RUNNING_RETRY_SECONDS };
  return { status: 'FINISHED' };
}
