/**
 * A lock that one process of this machine holds, and that the death of the process frees.
 *
 * It is a file `{name}-{n}` with the id of its process, written once and whole. Who wants it links the number after the highest
 * that is there, and has it if no other file has a process that lives; of two that come at the same moment, one or both are refused.
 * The files of processes that are gone do not count, and are deleted under the new one. A process that is paused keeps it: what it
 * was about to do, it will do when it goes on, so no other may do it meanwhile.
 *
 * Cost: three syncs to take it, none to look at one that is held.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileIfThere, writeFileOnce } from './atomic-file.ts';
import { isSystemError } from './system-error.ts';

/** Tells this process from an earlier one with the same id: in a container the ids begin anew. */
const OWNER = `${process.pid} ${randomUUID()}`;

/** A lock that was taken, to be disposed of; or the file that holds it, and its process where that is known. */
export type LockAttempt =
  | ({ readonly status: 'taken' } & AsyncDisposable)
  | { readonly status: 'held'; readonly path: string; readonly pid: number | undefined };

/** Tries to take the lock of this name in a folder that is there. */
export async function tryProcessLock(folder: string, name: string): Promise<LockAttempt> {
  const before = await listLocks(folder, name);
  for (const other of before) {
    const owner = await readOwner(join(folder, other));
    if (owner !== undefined && isRunning(owner)) return held(join(folder, other), owner);
  }
  const next = Math.max(0, ...before.map((other) => numberOf(other, name))) + 1;
  const path = join(folder, `${name}-${next}`);
  if ((await writeFileOnce(path, OWNER)) === 'exists') return held(path, undefined);
  for (const other of await listLocks(folder, name)) {
    const otherPath = join(folder, other);
    if (otherPath === path) continue;
    const owner = await readOwner(otherPath);
    if (owner !== undefined && isRunning(owner)) {
      await unlink(path);
      return held(otherPath, owner);
    }
    await rm(otherPath, { force: true });
  }
  return { status: 'taken', [Symbol.asyncDispose]: () => unlink(path) };
}

function held(path: string, owner: string | undefined): LockAttempt {
  return { status: 'held', path, pid: owner === undefined ? undefined : parseInt(owner) };
}

async function listLocks(folder: string, name: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((entry) => numberOf(entry, name) > 0);
}

/** Gives the number of a lock's file; 0 for any other file. */
function numberOf(entry: string, name: string): number {
  const digits = entry.startsWith(`${name}-`) ? entry.slice(name.length + 1) : '';
  return /^\d{1,9}$/.test(digits) ? Number(digits) : 0;
}

async function readOwner(path: string): Promise<string | undefined> {
  return (await readFileIfThere(path))?.toString();
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
