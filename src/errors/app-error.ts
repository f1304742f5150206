/** The one error class of the program, and the few that make a runner behave differently. */
import { ERROR_CATALOGUE, type ErrorCode } from './catalogue.ts';

export type AppErrorOptions = {
  readonly cause?: unknown;
  /** Facts for the reader of the answer or the log; never a secret or an event body. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
  /** How long the client should wait before it tries again. */
  readonly retryAfterSeconds?: number;
};

/** An error with a code of the catalogue; the message says what is wrong, the catalogue what to do. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly advice: string;
  readonly details: Readonly<Record<string, string | number | boolean | null>> | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.status = ERROR_CATALOGUE[code].status;
    this.advice = ERROR_CATALOGUE[code].advice;
    this.details = options.details;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** The options or the environment are wrong: the program says every fault and exits with 2. */
export class ConfigurationError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.name = 'ConfigurationError';
    this.faults = faults;
  }
}
