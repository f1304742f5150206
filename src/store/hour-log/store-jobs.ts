/**
 * The jobs of the hour log that cost CPU. The system runs them in worker threads; a test may run them in place.
 */
import { completeRuns, type CompletedRuns, type CompleteRunsJob } from './complete-runs.ts';
import { linkServerEvents, type LinkedRuns, type LinkServerEventsJob } from './link-server-events.ts';
import { sortSegment, type SortSegmentJob } from './sort-segment.ts';

/** When a signal is aborted, the job stops where it is and rejects; the next try begins anew. */
export interface StoreJobs {
  sortSegment(job: SortSegmentJob, signal?: AbortSignal): Promise<void>;
  /** As `sortSegment`, but behind everything else, and not at all when the same segment is to be sorted by `sortSegment` meanwhile. */
  sortEarly(job: SortSegmentJob, signal?: AbortSignal): Promise<void>;
  completeRuns(job: CompleteRunsJob, signal?: AbortSignal): Promise<CompletedRuns>;
  linkServerEvents(job: LinkServerEventsJob, signal?: AbortSignal): Promise<LinkedRuns>;
}

/** Runs the jobs in the calling thread. */
export const storeJobsInPlace: StoreJobs = {
  sortSegment: (job) => Promise.try(() => sortSegment(job)),
  sortEarly: (job) => Promise.try(() => sortSegment(job)),
  completeRuns: (job) => Promise.try(() => completeRuns(job)),
  linkServerEvents: (job) => Promise.try(() => linkServerEvents(job)),
};
