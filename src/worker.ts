/**
 * What a worker thread can do: each exported function is a job that `worker-pool.ts` runs by its name.
 *
 * The thread's own composition root: what a job needs is opened here, once a thread.
 */
import { workerData } from 'node:worker_threads';
import { ExportJobsInPlace, type ExportHourJob, type LegacyHourJob } from './exports/export-jobs.ts';
import type { GzipCodecChoice } from './exports/gzip/open-gzip-codec.ts';
import { useIsaLCrc32 } from './exports/gzip/use-isa-l-crc32.ts';
import { tagHour as tag } from './imports/tag-hour.ts';
import { sendingCodes } from './lib/thread-errors.ts';
import { completeRuns as complete } from './store/hour-log/complete-runs.ts';
import { findVisitors as find, rewriteRuns as rewrite } from './store/hour-log/erase-runs.ts';
import { findInSegment as findInOne } from './store/hour-log/find-in-segment.ts';
import { linkServerEvents as link } from './store/hour-log/link-server-events.ts';
import { releaseSortMemory, sortSegment as sort } from './store/hour-log/sort-segment.ts';

await useIsaLCrc32((workerData as { readonly gzip: GzipCodecChoice }).gzip);

const exportJobs = new ExportJobsInPlace();

export const sortSegment = sendingCodes(sort);
export const completeRuns = sendingCodes(complete);
export const linkServerEvents = sendingCodes(link);
export const exportHour = sendingCodes((job: ExportHourJob) => {
  releaseSortMemory();
  return exportJobs.exportHour(job);
});
export const makeLegacyHour = sendingCodes((job: LegacyHourJob) => exportJobs.makeLegacyHour(job));
export const tagHour = sendingCodes(tag);
export const findVisitors = sendingCodes(find);
export const rewriteRuns = sendingCodes(rewrite);
export const findInSegment = sendingCodes(findInOne);
