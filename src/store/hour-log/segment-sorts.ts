/**
 * Sorts segments at two speeds: those of the hour that is still open in the background, where they cost nobody an answer, and those
 * of an hour that has ended at once.
 *
 * A segment that is wanted at once is not waited for in the background: that sort is ended, and all of it is done again. At most one
 * segment's work is lost so, some 0.15 s, where the background may have been given no time for seconds.
 *
 * A thread that is ended gets to a stop when it is next given time. Until then it may still be in a system call, maybe the one that
 * gives the run its name. So what is sorted at once is not said to be sorted before that thread has ended: behind it nothing of the
 * other sort comes, which might bring back what an erasure took. Apart from that, no segment is sorted twice at a time.
 */
import type { SortSegmentJob } from './sort-segment.ts';

/** Sorts a segment; when the signal is aborted, stops where it is and rejects, once nothing of it runs any more. */
export type RunSort = (job: SortSegmentJob, signal?: AbortSignal) => Promise<void>;

/** A sort that runs. One in the background can be told to end. */
type Running = { readonly giveWay: (() => void) | undefined; readonly ended: Promise<void> };

export class SegmentSorts {
  readonly #runAtOnce: RunSort;
  readonly #runInBackground: RunSort;
  /** By the path of the segment. */
  readonly #running = new Map<string, Running>();

  constructor(speeds: { readonly atOnce: RunSort; readonly inBackground: RunSort }) {
    this.#runAtOnce = speeds.atOnce;
    this.#runInBackground = speeds.inBackground;
  }

  /** Sorts a segment in the background. Rejects when it is sorted at once, already or meanwhile. */
  async early(job: SortSegmentJob, signal?: AbortSignal): Promise<void> {
    // A collector process does not hear that its hour has ended, and goes on with the segments of that hour.
    if (this.#running.has(job.segmentPath)) throw sortedAtOnce();
    const givingWay = new AbortController();
    const stopping = signal ? AbortSignal.any([signal, givingWay.signal]) : givingWay.signal;
    const giveWay = (): void => givingWay.abort(sortedAtOnce());
    await this.#run(job, giveWay, this.#runInBackground(job, stopping));
  }

  /** Sorts a segment at once. @throws as the sort does, which finds no segment when it was sorted just now */
  async atOnce(job: SortSegmentJob, signal?: AbortSignal): Promise<void> {
    const given: Promise<void>[] = [];
    for (let other = this.#running.get(job.segmentPath); other; other = this.#running.get(job.segmentPath)) {
      if (other.giveWay) {
        this.#running.delete(job.segmentPath);
        other.giveWay();
        given.push(other.ended);
      } else await other.ended;
    }
    const sorted = this.#runAtOnce(job, signal).finally(() => Promise.all(given));
    await this.#run(job, undefined, sorted);
  }

  async #run({ segmentPath }: SortSegmentJob, giveWay: Running['giveWay'], sorted: Promise<void>): Promise<void> {
    const end = (): void => {
      if (this.#running.get(segmentPath) === running) this.#running.delete(segmentPath);
    };
    const running: Running = { giveWay, ended: sorted.then(end, end) };
    this.#running.set(segmentPath, running);
    await sorted;
  }
}

function sortedAtOnce(): Error {
  return new Error('The segment is sorted at once.');
}
