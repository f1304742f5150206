/**
 * Lets one import run on a data directory at a time, so that no two fill the same hour. The lock is `imports/lock-{n}`; what
 * unfinished imports of dead processes left behind is deleted under it.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { AppError } from '../../errors/app-error.ts';
import { tryProcessLock } from '../../lib/process-lock.ts';
import { IMPORT_ID, importCommitPath, importFolder, importsFolder, listFolder } from './layout.ts';

/** Takes the lock until it is disposed of. @throws AppError store_unavailable while another import runs */
export async function lockImports(root: string): Promise<AsyncDisposable> {
  const attempt = await tryProcessLock(importsFolder(root), 'lock');
  if (attempt.status === 'held') {
    const who = attempt.pid === undefined ? '' : ` (process ${attempt.pid})`;
    const message = `Another import${who} is running on this data directory; if there is none, delete ${attempt.path}.`;
    throw new AppError('store_unavailable', message);
  }
  for (const id of await listFolder(importsFolder(root))) {
    if (IMPORT_ID.test(id) && !existsSync(importCommitPath(root, id)))
      await rm(importFolder(root, id), { recursive: true, force: true });
  }
  return attempt;
}
