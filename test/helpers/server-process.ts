/** Starts the server as a child process that a test can kill, pause and give the time. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { openDataCatalog } from '../../src/catalog/data-catalog.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { ServerConfig } from '../../src/system.ts';
import { dirname, join } from 'node:path';
import { FileClock } from './file-clock.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { TEST_PROJECT } from './test-server.ts';
import type { EntryArguments } from './server-process-entry.ts';

export type ServerProcess = {
  readonly baseUrl: string;
  readonly pid: number;
  /** The clock of the server and its collector processes. */
  readonly clock: FileClock;
  /** Sends a signal and waits until the process is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
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
  }: { readonly data: string; readonly nowMs: number; readonly changes?: Partial<ServerConfig>; readonly entry?: URL },
): Promise<ServerProcess> {
  const clockFile = join(dirname(data), 'clock');
  const clock = new FileClock(clockFile);
  clock.set(nowMs);
  const argument: EntryArguments = { data, clockFile, changes };
  const child = fork(entry, [JSON.stringify(argument)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  context.after(() => endProcess(child, 'SIGKILL'));
  const { port } = (await nextMessage(child)) as { port: number };
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    clock,
    kill: (signal) => endProcess(child, signal),
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

async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
