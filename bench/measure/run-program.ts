/** Runs a program and says how long it took, its CPU time and the most memory it held. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Stage } from './stage.ts';

export type ProgramFigures = {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  /** Of the program's processes the one that held most. */
  readonly peakMegabytes: number;
};

/** `env` is all of the program's environment. */
export type ProgramOptions = { readonly stage: Stage; readonly env?: NodeJS.ProcessEnv; readonly cwd?: string };

/** Runs a line of shell. @throws Error with what it printed, when it fails */
export function runShell(line: string, options: ProgramOptions): Promise<ProgramFigures> {
  return runProgram('bash', ['-o', 'pipefail', '-c', line], options);
}

/** Runs a program to its end. @throws Error with what it printed, when it fails */
export async function runProgram(
  program: string,
  args: readonly string[],
  { stage, env, cwd }: ProgramOptions,
): Promise<ProgramFigures> {
  const figuresFile = join(tmpdir(), `tidegate-bench-time-${process.pid}`);
  const startMs = performance.now();
  // GNU time reads the whole of a finished process, which /proc can no longer tell.
  const child = spawn('time', ['-f', '%U %S %M', '-o', figuresFile, program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    ...(env && { env }),
    ...(cwd !== undefined && { cwd }),
  });
  const end = stage.add(async () => {
    if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL'); // with what it has started
    await rm(figuresFile, { force: true });
  });
  let errors = '';
  child.stderr.on('data', (text: Buffer) => (errors = `${errors}${text.toString()}`.slice(-4_000)));
  const [status] = (await once(child, 'close')) as [number | null];
  const wallSeconds = (performance.now() - startMs) / 1000;
  if (status !== 0) throw new Error(`${program} ended with ${status ?? 'a signal'}: ${errors.trim()}`);
  const [user, system, kilobytes] = (await readFile(figuresFile, 'utf8')).trim().split(' ').map(Number);
  await end();
  return { wallSeconds, cpuSeconds: user! + system!, peakMegabytes: Math.round(kilobytes! / 1024) };
}
