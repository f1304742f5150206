/**
 * Lets one import run on a data directory at a time, so that no two fill the same hour.
 *
 * A lock file with the process's id; the lock of a process that is gone is taken over. And what unfinished imports of such
 * processes left behind is deleted under the lock.
 */
import { existsSync } from 'node:fs';
import { readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../errors/app-error.ts';
import { isSystemError } from '../../lib/system-error.ts';
import { IMPORT_ID, importCommitPath, importFolder, importsFolder, listFolder } from './layout.ts';

/** Takes the lock until it is disposed of. @throws AppError store_unavailable while another import runs */
export async function lockImports(root: string): Promise<AsyncDisposable> {
  const path = join(importsFolder(root), 'lock');
  for (let tries = 0; ; tries += 1) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx', mode: 0o600 });
      break;
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw error;
      const owner = Number(await readFile(path, 'utf8').catch(() => ''));
      if (tries > 0 || (owner > 0 && owner !== process.pid && isAlive(owner))) {
        throw new AppError(
          'store_unavailable',
          `Another import (process ${owner}) is running on this data directory.`,
          { cause: error },
        );
      }
      await unlink(path).catch(() => undefined);
    }
  }
  for (const id of await listFolder(importsFolder(root))) {
    if (IMPORT_ID.test(id) && !existsSync(importCommitPath(root, id))) {
      await rm(importFolder(root, id), { recursive: true, force: true });
    }
  }
  return { [Symbol.asyncDispose]: () => unlink(path) };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isSystemError(error, 'EPERM');
  }
}
