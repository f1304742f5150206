/**
 * Makes the machine fail under a running server: disks that are full or read-only, system calls that fail or hang, no more files.
 *
 * Needs root for mounts and strace for the rest; a test that cannot have them is skipped with the reason.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openDataCatalog } from '../../src/catalog/data-catalog.ts';
import { isSystemError } from '../../src/lib/system-error.ts';
import { systemClock, waitFor } from '../../src/lib/clock.ts';
import { atEnd } from './at-end.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { TEST_PROJECT } from './test-server.ts';
import { waitUntil } from './wait-until.ts';

/** Why a test that mounts cannot run; false when it can. */
export const NO_MOUNTS = works('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'])
  ? false
  : 'needs Linux and root, to mount a small disk';

/** Why a test that fails system calls cannot run; false when it can. */
export const NO_TRACE = works('strace', ['-o', '/dev/null', 'true']) ? false : 'needs strace; apt-get install strace';

/** Why a test that limits a process cannot run; false when it can. */
export const NO_LIMITS = works('prlimit', ['--pid', String(process.pid)]) ? false : 'needs prlimit of util-linux';

function works(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Makes a data directory with the test project, in which this part (or all of it) is a small disk of its own. */
export async function dataOnSmallDisk(
  context: TestContext,
  { part, sizeBytes }: { readonly part: '' | 'packages' | 'hour-log'; readonly sizeBytes: number },
): Promise<{ readonly data: string; readonly disk: string }> {
  const data = join(await temporaryFolder(context), 'data');
  const disk = join(data, part);
  mkdirSync(disk, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', disk]);
  atEnd(context, () => execFileSync('umount', ['-l', disk]));
  const catalog = await openDataCatalog(data, systemClock);
  await catalog.projects.create(TEST_PROJECT);
  await catalog.close();
  return { data, disk };
}

/** Makes a small disk read-only. */
export function makeReadOnly(disk: string): void {
  execFileSync('mount', ['-o', 'remount,ro', disk]);
}

/** Fills a disk but for so many bytes. Returns what makes room again. */
export function fillDisk(disk: string, freeBytes: number): () => void {
  const spare = join(disk, 'spare');
  const ballast = join(disk, 'ballast');
  if (freeBytes > 0) writeAll(spare, Buffer.alloc(freeBytes, 1));
  while (writeAll(ballast, Buffer.alloc(64 * 1024, 1)));
  rmSync(spare, { force: true });
  return () => rmSync(ballast);
}

/** Appends bytes to a file. False when the disk is full. */
function writeAll(path: string, bytes: Buffer): boolean {
  const fd = openSync(path, 'a');
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOSPC')) return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}

export type InjectedFault = {
  /** How many calls it has met. */
  calls(): number;
  /** Lets the process go on as it is, at once. */
  stop(): Promise<void>;
};

/** Lets system calls of a running process fail or hang, as strace's `inject` says. */
export async function injectFault(context: TestContext, pid: number, inject: string): Promise<InjectedFault> {
  const call = inject.slice(0, inject.indexOf(':'));
  const strace = spawn('strace', ['-f', '-p', String(pid), '-e', `trace=${call}`, '-e', `inject=${inject}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(strace, 'exit');
  const stop = async (): Promise<void> => {
    if (strace.exitCode === null && strace.signalCode === null) strace.kill('SIGTERM');
    await Promise.race([ended, waitFor(1_000)]);
    strace.kill('SIGKILL'); // it waits for the end of a delay although the delayed process is gone
    await ended;
  };
  atEnd(context, stop);
  let output = '';
  strace.stderr.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  await waitUntil(`strace has attached to ${pid}`, () => {
    assert.equal(strace.exitCode, null, output);
    return output.includes(' attached');
  });
  return { stop, calls: () => output.split(`${call}(`).length - 1 };
}

/** Sets how many files a running process may have open; only its soft limit, which can be raised again. */
export function limitOpenFiles(pid: number, files: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${files}:`]);
}
