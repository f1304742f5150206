/** Starts a Node program that serves on a port of its own and says which, pinned to cores. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Stage } from '../measure/stage.ts';

export type RunningServer = {
  readonly pid: number;
  readonly port: number;
  /** Ends it; done by the stage as well. */
  close(): Promise<void>;
};

export type ChildOptions = {
  readonly stage: Stage;
  readonly entry: URL;
  readonly argument: unknown;
  /** In taskset's words. Default: all. */
  readonly cores?: string;
};

/** Starts it; it takes requests when this resolves. It ends with this process. */
export async function startServerChild(
  options: ChildOptions,
): Promise<RunningServer & { readonly child: ChildProcess }> {
  const { stage, entry, argument, cores } = options;
  const pinned = cores === undefined ? {} : { execPath: 'taskset', execArgv: ['-c', cores, process.execPath] };
  const child = fork(entry, [JSON.stringify(argument)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], ...pinned });
  const ended = once(child, 'exit');
  const close = stage.add(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const [message] = (await Promise.race([
    once(child, 'message'),
    ended.then(([code]) => {
      throw new Error(`${entry.pathname} ended with ${String(code)} before it served`);
    }),
  ])) as [{ port: number; pid: number }];
  return { ...message, child, close };
}
