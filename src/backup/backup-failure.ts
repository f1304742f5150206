/** Why a backup or a restore failed, in one sentence. */
import { AppError } from '../errors/app-error.ts';
import { describeFaultOfFile } from '../lib/system-error.ts';

/** Gives what to throw for an error of `what`, such as "The backup in /mnt/b". An AppError that speaks for itself stays as it is. */
export function backupFailure(what: string, error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return new AppError('backup_failed', `${what} was stopped.`, { cause: error });
  // The catalog's code for a full disk sends its reader to a server, which has no part in this.
  const isOfTheDisk = error instanceof AppError && error.code === 'store_unavailable';
  if (error instanceof AppError && !isOfTheDisk) return error;
  const reason = isOfTheDisk ? error.message : `${describeFaultOfFile(error)}.`;
  return new AppError('backup_failed', `${what} failed: ${reason}`, { cause: error });
}
