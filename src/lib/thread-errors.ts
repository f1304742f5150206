/**
 * Errors on their way from a worker thread: cloning keeps an error's message, stack and cause, and drops its class and its code.
 * The code decides whether a job is tried again, so it travels inside the cause.
 */

/** A cause that is cloned: the code, and what the error's own cause said. */
type SentCause = { readonly sentCode: string; readonly reason: string | null };

/** Wraps a job of a worker's file so that the codes of its errors arrive. */
export function sendingCodes<Job, Result>(
  job: (input: Job) => Result | Promise<Result>,
): (input: Job) => Promise<Result> {
  return async (input) => {
    try {
      return await job(input);
    } catch (error) {
      if (error instanceof Error && 'code' in error && typeof error.code === 'string')
        error.cause = { sentCode: error.code, reason: reasonOf(error) } satisfies SentCause;
      throw error;
    }
  };
}

/** Gives an error that came from a worker thread its code back. */
export function receiveCode(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { cause } = error;
  if (typeof cause !== 'object' || cause === null || !('sentCode' in cause)) return error;
  return Object.assign(error, { code: cause.sentCode });
}

function reasonOf({ cause }: Error): string | null {
  return cause instanceof Error ? cause.message : typeof cause === 'string' ? cause : null;
}
