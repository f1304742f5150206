/** A clock that runs faster than the machine's, the same in all processes that are given the same numbers, and after a restart. */
import type { Clock } from '../../src/lib/clock.ts';

/** Plain data, so that it can be handed to another process. */
export type ScaledTime = {
  /** When the clock began to run, by the machine's clock. */
  readonly begunAtMs: number;
  /** What it showed then. */
  readonly startMs: number;
  /** How many of its seconds pass in one. */
  readonly scale: number;
};

export class ScaledClock implements Clock {
  readonly #time: ScaledTime;

  constructor(time: ScaledTime) {
    this.#time = time;
  }

  nowMs(): number {
    const { begunAtMs, startMs, scale } = this.#time;
    return Math.floor(startMs + (Date.now() - begunAtMs) * scale);
  }

  /** Gives how long it really takes until the clock shows this; negative when it is past. */
  realMsUntil(instantMs: number): number {
    return (instantMs - this.nowMs()) / this.#time.scale;
  }
}
