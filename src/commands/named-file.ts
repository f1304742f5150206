/** A file that a command was given by name. */
import { stat } from 'node:fs/promises';
import { ConfigurationError } from '../errors/app-error.ts';
import { isSystemError } from '../lib/system-error.ts';

/** Gives the size of a file that is to be read. @throws ConfigurationError when there is none of this name, or a folder */
export async function sizeOfFile(path: string): Promise<number> {
  const file = await stat(path).catch((error: unknown) => {
    if (isSystemError(error, 'ENOENT')) throw new ConfigurationError([`There is no file ${path}.`]);
    throw error;
  });
  if (file.isDirectory()) throw new ConfigurationError([`${path} is a folder; name a file.`]);
  return file.size;
}
