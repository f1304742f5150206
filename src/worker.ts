/**
 * What a worker thread can do: each exported function is a job that `worker-pool.ts` runs by its name.
 *
 * The thread's own composition root: what a job needs is opened here, once a thread.
 */
import { ExportJobsInPlace, type ExportHourJob } from './exports/export-jobs.ts';
import { sendingCodes } from './lib/thread-errors.ts';
import { findInSegment as findInOne } from './store/hour-log/find-in-segment.ts';
import { findVisitors as find, rewriteRuns as rewrite } from './store/hour-log/erase-runs.ts';
import { completeRuns as complete } from './store/hour-log/complete-runs.ts';
import { sortSegment as sort } from './store/hour-log/sort-segment.ts';

const exportJobs = new ExportJobsInPlace();

export const sortSegment = sendingCodes(sort);
export const completeRuns = sendingCodes(complete);
export const exportHour = sendingCodes((job: ExportHourJob) => exportJobs.exportHour(job));
export const findVisitors = sendingCodes(find);
export const rewriteRuns = sendingCodes(rewrite);
export const findInSegment = sendingCodes(findInOne);
