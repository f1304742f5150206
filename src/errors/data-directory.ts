/** Says in one sentence what is wrong with a data directory that cannot be opened. */
import { access, constants } from 'node:fs/promises';
import { describeFault, isSystemError } from '../lib/system-error.ts';
import { AppError } from './app-error.ts';

/**
 * Opens a part of the data directory: `what` it is, and its folder.
 * @throws AppError data_directory for the system's errors, such as a read-only file system; other errors as they are
 */
export async function inDataDirectory<T>(what: string, folder: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    // Node's recursive mkdir says ENOENT on a read-only file system.
    const cause = await access(folder, constants.W_OK).then(
      () => error,
      (refusal: unknown) => (isSystemError(refusal, 'ENOENT') ? error : refusal),
    );
    throw new AppError('data_directory', `${what} ${folder} cannot be used: ${describeFault(cause)}.`, { cause });
  }
}
