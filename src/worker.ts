/**
 * What a worker thread can do: each exported function is a job that `worker-pool.ts` runs by its name.
 *
 * The thread's own composition root: what a job needs is opened here, once a thread.
 */
import { ExportJobsInPlace, type ExportHourJob } from './exports/export-jobs.ts';
import type { ExportedHour } from './exports/export-hour.ts';

const exportJobs = new ExportJobsInPlace();

export { sortSegment } from './store/hour-log/sort-segment.ts';
export { completeRuns } from './store/hour-log/complete-runs.ts';

export function exportHour(job: ExportHourJob): Promise<ExportedHour> {
  return exportJobs.exportHour(job);
}
