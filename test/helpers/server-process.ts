/** Starts the server as a child process that a test can kill, pause and give the time. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { openDataCatalog } from '../../src/catalog/data-catalog.ts';
import { isSystemError } from '../../src/lib/system-error.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { ServerConfig } from '../../src/system.ts';
import { dirname, join } from 'node:path';
import { atEnd } from './at-end.ts';
import { FileClock } from './file-clock.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { TEST_PROJECT } from './test-server.ts';
import { waitUntil } from './wait-until.ts';
import type { EntryArguments } from './server-process-entry.ts';

export type ServerProcess = {
  readonly baseUrl: string;
  readonly pid: number;
  /** The clock of the server and its collector processes. */
  readonly clock: FileClock;
  /** Sends a signal and waits until the process is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Resolves when the process is gone, whoever ended it. */
  readonly ended: Promise<unknown>;
};

/** Makes a data directory that holds the test project. */
export async function newDataDirectory(context: TestContext): Promise<string> {
  const data = join(await temporaryFolder(context), 'data');
  const catalog = await openDataCatalog(data, systemClock);
  await catalog.projects.create(TEST_PROJECT);
  await catalog.close();
  return data;
}

/** Starts a server on a data directory; it takes requests when this resolves, and is killed with the test. */
export async function startServerProcess(
  context: TestContext,
  {
    data,
    nowMs,
    changes = {},
    entry = new URL('./server-process-entry.ts', import.meta.url),
    under,
  }: {
    readonly data: string;
    readonly nowMs: number;
    readonly changes?: Partial<ServerConfig>;
    readonly entry?: URL;
    /** A program that runs the server, with its arguments: strace, to kill it at a system call. */
    readonly under?: readonly [program: string, ...args: string[]];
  },
): Promise<ServerProcess> {
  const clockFile = join(dirname(data), 'clock');
  const clock = new FileClock(clockFile);
  clock.set(nowMs);
  const argument: EntryArguments = { data, clockFile, changes };
  const child = fork(entry, [JSON.stringify(argument)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    ...(under && { execPath: under[0], execArgv: [...under.slice(1), process.execPath] }),
  });
  const ended = once(child, 'exit');
  let children: readonly number[] = [];
  atEnd(context, () => endWithChildren(child, children));
  const { port, pid } = (await nextMessage(child)) as { port: number; pid: number };
  children = childPids(pid);
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    pid,
    clock,
    kill: (signal) => endProcess(child, signal, pid), // not the program that runs it

    ended,
  };
}

async function nextMessage(child: ChildProcess): Promise<unknown> {
  const exited = new AbortController();
  try {
    const [message] = (await Promise.race([
      once(child, 'message', { signal: exited.signal }),
      once(child, 'exit', { signal: exited.signal }).then(([code]) => {
        throw new Error(`the server process ended with ${String(code)} before it answered`);
      }),
    ])) as [unknown];
    return message;
  } finally {
    exited.abort();
  }
}

/** Lists the processes that a process has started and that still live; Linux only, elsewhere none. */
export function childPids(pid: number): number[] {
  try {
    const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    return pids === '' ? [] : pids.split(' ').map(Number);
  } catch {
    return [];
  }
}

/** Says whether a process runs. One that has ended and that nobody has taken notice of (a zombie) does not: strace keeps those. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/**
 * Kills a server and its collector processes, paused ones too, and waits until none of them can write any more.
 *
 * @param earlier collector processes that it had; when it has died before, they end by themselves
 */
export async function endWithChildren(child: ChildProcess, earlier: readonly number[] = []): Promise<void> {
  const pids = child.exitCode === null && child.signalCode === null ? childPids(child.pid!) : [];
  await endProcess(child, 'SIGKILL');
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // gone already, with its parent
    }
  }
  await waitUntil('the collector processes have ended', () => ![...pids, ...earlier].some(isRunning));
}

async function endProcess(child: ChildProcess, signal: NodeJS.Signals, pid = child.pid!): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!isSystemError(error, 'ESRCH')) throw error; // it died a moment ago, and its exit is on its way
  }
  await exited;
}
