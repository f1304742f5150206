/** Starts the server as a child process that a test can kill, pause and give the time. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import type { ServerConfig } from '../../src/system.ts';
import type { EntryArguments } from './server-process-entry.ts';

export type ServerProcess = {
  readonly baseUrl: string;
  readonly pid: number;
  /** Sets the server's clock; it is set when this resolves. */
  setClock(nowMs: number): Promise<void>;
  /** Sends a signal and waits until the process is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
};

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
  const argument: EntryArguments = { data, nowMs, changes };
  const child = fork(entry, [JSON.stringify(argument)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  context.after(() => endProcess(child, 'SIGKILL'));
  const { port } = (await nextMessage(child)) as { port: number };
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    setClock: async (instantMs) => {
      const answered = nextMessage(child);
      child.send({ nowMs: instantMs });
      await answered;
    },
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
