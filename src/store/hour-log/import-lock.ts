/**
 * Lets one import run on a data directory at a time, so that no two fill the same hour.
 *
 * A lock is a file `imports/lock-{n}` with the id of its process, written once and whole. Who wants it links the number after the
 * highest that is there, and has it if no other lock has a process that lives; of two that come at the same moment, one or both
 * are refused. The locks of processes that are gone do not count, and are deleted under the new one, together with what their
 * unfinished imports left behind.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../errors/app-error.ts';
import { readFileIfThere, writeFileOnce } from '../../lib/atomic-file.ts';
import { isSystemError } from '../../lib/system-error.ts';
import { IMPORT_ID, importCommitPath, importFolder, importsFolder, listFolder } from './layout.ts';

/** Tells this process from an earlier one with the same id: in a container the ids begin anew. */
const OWNER = `${process.pid} ${randomUUID()}`;
const LOCK_NAME = /^lock-(\d{1,9})$/;

/** Takes the lock until it is disposed of. @throws AppError store_unavailable while another import runs */
export async function lockImports(root: string): Promise<AsyncDisposable> {
  const folder = importsFolder(root);
  const others = await listLocks(root);
  const path = join(folder, `lock-${Math.max(0, ...others) + 1}`);
  if ((await writeFileOnce(path, OWNER)) === 'exists') throw anotherRuns(path);
  for (const other of await listLocks(root)) {
    const otherPath = join(folder, `lock-${other}`);
    if (otherPath === path) continue;
    const owner = (await readFileIfThere(otherPath))?.toString() ?? '';
    if (isRunning(owner)) {
      await unlink(path);
      throw anotherRuns(otherPath, owner);
    }
    await rm(otherPath, { force: true });
  }
  for (const id of await listFolder(folder)) {
    if (IMPORT_ID.test(id) && !existsSync(importCommitPath(root, id))) {
      await rm(importFolder(root, id), { recursive: true, force: true });
    }
  }
  return { [Symbol.asyncDispose]: () => unlink(path) };
}

/** Lists the numbers of all locks. */
async function listLocks(root: string): Promise<readonly number[]> {
  const names = await listFolder(importsFolder(root));
  return names.flatMap((name) => {
    const number = LOCK_NAME.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}

function anotherRuns(path: string, owner?: string): AppError {
  const who = owner === undefined ? '' : ` (process ${parseInt(owner)})`;
  const message = `Another import${who} is running on this data directory; if there is none, delete ${path}.`;
  return new AppError('store_unavailable', message);
}

/** Says whether a process has ended and its parent has not looked yet; in a container without an init nobody ever does. */
function isZombie(pid: number): boolean {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // no Linux
  }
}

function isRunning(owner: string): boolean {
  const pid = parseInt(owner);
  if (!(pid > 0) || pid === process.pid) return owner === OWNER;
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return isSystemError(error, 'EPERM');
  }
}
