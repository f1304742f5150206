/**
 * Sorts segments at two speeds: those of the hour that is still open in the background, where they cost nobody an answer, and those
 * of an hour that has ended at once.
 *
 * A segment that is wanted at once is not waited for in the background: that sort is ended, and all of it is done again. At most one
 * segment's work is lost so, some 0.15 s, where the background may have been given no time for seconds. No segment is sorted twice
 * at a time.
 */
import type { SortSegmentJob } from './sort-segment.ts';

/** Sorts a segment; when the signal is aborted, stops where it is and rejects. */
export type RunSort = (job: SortSegmentJob, signal?: AbortSignal) => Promise<void>;

/** A sort that runs. */
type Running = { readonly giveWay: () => void; readonly ended: Promise<void> };

export class SegmentSorts {
  readonly #runAtOnce: RunSort;
  readonly #runInBackground: RunSort;
  /** By the path of the segment. */
  readonly #running = new Map<string, Running>();

  constructor(speeds: { readonly atOnce: RunSort; readonly inBackground: RunSort }) {
    this.#runAtOnce = speeds.atOnce;
    this.#runInBackground = speeds.inBackground;
  }

  /** Sorts a segment in the background. Rejects when it is wanted at once meanwhile. */
  early(job: SortSegmentJob, signal?: AbortSignal): Promise<void> {
    const givingWay = new AbortController();
    const stopping = signal ? AbortSignal.any([signal, givingWay.signal]) : givingWay.signal;
    const giveWay = (): void => givingWay.abort(new Error('The segment is sorted at once.'));
    return this.#run(job, giveWay, () => this.#runInBackground(job, stopping));
  }

  /** Sorts a segment at once. @throws as the sort does, which finds no segment when it was sorted just now */
  async atOnce(job: SortSegmentJob, signal?: AbortSignal): Promise<void> {
    for (let other = this.#running.get(job.segmentPath); other; other = this.#running.get(job.segmentPath)) {
      other.giveWay();
      await other.ended;
    }
    await this.#run(
      job,
      () => undefined,
      () => this.#runAtOnce(job, signal),
    );
  }

  async #run({ segmentPath }: SortSegmentJob, giveWay: () => void, run: () => Promise<void>): Promise<void> {
    const sorted = run();
    const end = (): void => void this.#running.delete(segmentPath);
    this.#running.set(segmentPath, { giveWay, ended: sorted.then(end, end) });
    await sorted;
  }
}
