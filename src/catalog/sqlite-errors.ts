/** What SQLite's result codes mean for the program: wait, tell the operator about the disk, or tell of a damaged file. */
import { AppError } from '../errors/app-error.ts';

/** Primary result codes, https://www.sqlite.org/rescode.html; an extended code holds its primary one in the low byte. */
const BUSY = 5;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;
/** NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL: the file may be sound, but this machine cannot use it now. */
const OUT_OF_ORDER = [7, 8, 10, 13, 14, 15];

/** Says whether a thrown value means that another connection holds the lock. */
export function isLockedError(error: unknown): boolean {
  return primaryCodeOf(error) === BUSY;
}

/**
 * Gives the AppError for a result code that is the disk's or the machine's matter, with the SQLite error as its cause; any other
 * value comes back as it is, because a broken constraint or a wrong statement is this program's fault.
 */
export function translateSqliteError(error: unknown, path: string, what = 'catalog'): unknown {
  const code = primaryCodeOf(error);
  if (code === undefined) return error;
  const reason = (error as Error).message;
  if (code === CORRUPT || code === NOT_A_DATABASE) {
    return new AppError('store_corrupt', `The ${what} ${path} is damaged: ${reason}.`, { cause: error });
  }
  if (code === BUSY || OUT_OF_ORDER.includes(code)) {
    return new AppError('store_unavailable', `The ${what} ${path} cannot be used now: ${reason}.`, {
      cause: error,
      retryAfterSeconds: 5,
    });
  }
  return error;
}

/** Runs a synchronous use of a connection and throws what `translateSqliteError` makes of its error. */
export function withTranslatedErrors<Result>(path: string, use: () => Result): Result {
  try {
    return use();
  } catch (error) {
    throw translateSqliteError(error, path);
  }
}

function primaryCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}
