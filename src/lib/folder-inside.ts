/** Tells whether one folder lies in another, whatever links lead there. */
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { isSystemError } from './system-error.ts';

/** Says whether a path, which need not be there yet, is a folder or lies below it. */
export async function isInside(path: string, folder: string): Promise<boolean> {
  return `${await realPathOf(path)}${sep}`.startsWith(`${await realPathOf(folder)}${sep}`);
}

/** Follows the links of what is there of a path. */
async function realPathOf(path: string): Promise<string> {
  const whole = resolve(path);
  try {
    return await realpath(whole);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT') || dirname(whole) === whole) throw error;
    return join(await realPathOf(dirname(whole)), basename(whole));
  }
}
