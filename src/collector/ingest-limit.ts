/**
 * Bounds what one project may send, because its id is public and one flood must leave the other projects alone.
 *
 * A bucket of bytes for each project: it fills at the project's rate up to a few seconds' worth, a request is let in while there
 * is anything in it, and what the request turned out to hold, decoded, is taken out afterwards. So a small body that unpacks to
 * much pays for it with the requests after it. Memory: one small object for each project that sends.
 */
import type { Clock } from '../lib/clock.ts';

export type IngestLimitOptions = {
  readonly clock: Clock;
  /** Decoded bytes a second of a project; 0 switches its limit off. Asked at every request, so that a change counts at once. */
  readonly bytesPerSecondOf: (ai: string) => number;
};

/** How many seconds' worth may come at once. */
const BURST_SECONDS = 4;

export class IngestLimit {
  readonly #options: IngestLimitOptions;
  readonly #buckets = new Map<string, { bytes: number; atMs: number }>();

  constructor(options: IngestLimitOptions) {
    this.#options = options;
  }

  /** Gives the seconds that a project must wait before it may send; 0 when it may now. */
  retryAfterSeconds(ai: string): number {
    const bytesPerSecond = this.#options.bytesPerSecondOf(ai);
    if (bytesPerSecond === 0) return 0;
    const { bytes } = this.#bucket(ai, bytesPerSecond);
    return bytes > 0 ? 0 : Math.floor(-bytes / bytesPerSecond) + 1; // the bucket must hold something, not just owe nothing
  }

  /** Takes the bytes of a request out of the project's bucket. */
  charge(ai: string, decodedBytes: number): void {
    const bytesPerSecond = this.#options.bytesPerSecondOf(ai);
    if (bytesPerSecond > 0) this.#bucket(ai, bytesPerSecond).bytes -= decodedBytes;
  }

  #bucket(ai: string, bytesPerSecond: number): { bytes: number; atMs: number } {
    const nowMs = this.#options.clock.nowMs();
    const full = BURST_SECONDS * bytesPerSecond;
    const bucket = this.#buckets.get(ai);
    if (!bucket) {
      const fresh = { bytes: full, atMs: nowMs };
      this.#buckets.set(ai, fresh);
      return fresh;
    }
    // A clock that stepped back fills nothing; it goes on from the new time.
    bucket.bytes = Math.min(full, bucket.bytes + (Math.max(0, nowMs - bucket.atMs) / 1000) * bytesPerSecond);
    bucket.atMs = nowMs;
    return bucket;
  }
}
