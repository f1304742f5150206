/** Waits for a condition, and says what it waited for when it does not come true. */
import assert from 'node:assert/strict';
import { waitFor } from '../../src/lib/clock.ts';

/**
 * What anything in a test may take that surely ends, on a slow and busy machine too: as long takes only what hangs. `npm run guards` sets
 * less, since there some wait in vain.
 */
export const PATIENCE_MS = Number(process.env.TEST_PATIENCE_MS ?? 240_000);

const POLL_MS = 20;

/**
 * Asks again and again until `check` gives something other than undefined or false, and returns it. A check that hangs does not
 * hold it up beyond the time-out.
 */
export async function waitUntil<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const ended = new AbortController();
  const late = waitFor(timeoutMs, ended.signal).then((): undefined => undefined);
  const deadlineMs = performance.now() + timeoutMs;
  try {
    for (;;) {
      const value = await Promise.race([check(), late]);
      if (value !== undefined && value !== false) return value;
      if (performance.now() >= deadlineMs) assert.fail(`waited ${timeoutMs} ms in vain: ${what}`);
      await waitFor(POLL_MS);
    }
  } finally {
    ended.abort();
  }
}
