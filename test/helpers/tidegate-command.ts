/** Runs bin/tidegate as a person does. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { PATIENCE_MS } from './wait-until.ts';

export type CommandResult = { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string };

export const PROGRAM = join(import.meta.dirname, '../../bin/tidegate');

/** Gives this process's environment without what the user's shell sets for a server of their own. */
export function userEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TIDEGATE_')));
}

/** Kills a program with this process, where that ends first, as when a test hangs: a server would serve on for ever. */
export function killAtExit(child: ChildProcess): void {
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
}

/** Runs a command to its end and gives what it printed. One that hangs is killed, and has no exit code. */
export async function runTidegate(...args: readonly string[]): Promise<CommandResult> {
  const child = spawn(PROGRAM, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: userEnvironment(),
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
  });
  killAtExit(child);
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { exitCode, stdout, stderr };
}
