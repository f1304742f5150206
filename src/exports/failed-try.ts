/**
 * Decides what becomes of a task after a try that failed: given back with a growing pause, or, after the last try and when trying again
 * cannot help, failed. A full disk, or whatever else passes when somebody makes room, never fails a task.
 */
import { isPassingFault } from '../lib/system-error.ts';

/** Errors that no further try can mend. */
const HOPELESS_CODES: readonly unknown[] = ['store_corrupt', 'ledger_unbalanced', 'format_too_new'];
export const MAX_PAUSE_MS = 60_000;

export type FailedTry = {
  /** The error's, if it has one. */
  readonly code: string | undefined;
  readonly isFinal: boolean;
  /** How long to wait before the next try. */
  readonly pauseMs: number;
};

/** Judges a try by its error and its number among the tries of the task. */
export function judgeFailedTry(
  error: unknown,
  { attempts, maxAttempts }: { readonly attempts: number; readonly maxAttempts: number },
): FailedTry {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const isPassing = isPassingFault(error) || code === 'store_unavailable';
  return {
    code,
    isFinal: HOPELESS_CODES.includes(code) || (attempts >= maxAttempts && !isPassing),
    pauseMs: Math.min(1000 * 2 ** (attempts - 1), MAX_PAUSE_MS),
  };
}
