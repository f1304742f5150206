/**
 * The wall clock, injected wherever time decides something, so that tests can set it.
 *
 * Nothing in src/ calls Date.now() for a decision but this module.
 */
export interface Clock {
  /** Reads the wall clock, in Unix milliseconds UTC. May step forwards or backwards. */
  nowMs(): number;
}

/** The machine's own clock. */
export const systemClock: Clock = { nowMs: () => Date.now() };

/**
 * Waits, or returns early when the signal is aborted. Never throws.
 *
 * Callers that follow the wall clock must keep `waitMs` short and look at the clock again: a timer does not notice that the
 * clock was stepped or that the machine slept.
 */
export function waitFor(waitMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    signal?.addEventListener('abort', done, { once: true });
  });
}
