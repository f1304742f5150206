/** A clock that stands still until a test moves it. */
import type { Clock } from '../../src/lib/clock.ts';

export class FakeClock implements Clock {
  #nowMs: number;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** Steps the clock, forwards or backwards. */
  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }
}
