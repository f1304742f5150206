/** Runs `bin/tidegate serve` as an operator does: the real program, its own clock, signals and exit code. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openDataCatalog } from '../../src/catalog/data-catalog.ts';
import { hourOf, hourStartMs } from '../../src/events/hour.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { atEnd } from './at-end.ts';
import { childPids, endWithChildren } from './server-process.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { killAtExit, PROGRAM, userEnvironment } from './tidegate-command.ts';
import { TEST_PROJECT } from './test-server.ts';
import { waitUntil } from './wait-until.ts';

const HOURS_BEFORE_MS = 6 * 3_600_000;

export type End = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type TidegateServer = {
  readonly pid: number;
  /** The collector processes when it was started. */
  readonly children: readonly number[];
  readonly baseUrl: string;
  /** What it has logged so far. */
  log(): string;
  /** Sends a signal to it, or to all processes of its group. */
  signal(name: NodeJS.Signals, target?: 'process' | 'group'): void;
  readonly ended: Promise<End>;
};

/** Makes a data directory for the machine's own clock: the test project's export is enabled since a few hours. */
export async function newRecentData(context: TestContext): Promise<string> {
  const data = join(await temporaryFolder(context), 'data');
  const enabledAtMs = hourStartMs(hourOf(systemClock.nowMs() - HOURS_BEFORE_MS));
  const catalog = await openDataCatalog(data, systemClock);
  await catalog.projects.create({ ...TEST_PROJECT, exportEnabledAtMs: enabledAtMs, createdAtMs: enabledAtMs });
  await catalog.close();
  return data;
}

/** Spawns `tidegate serve` on any free port, in a process group of its own; it is killed with the test. */
export function spawnTidegate(
  context: TestContext,
  data: string,
  ...options: readonly string[]
): Omit<TidegateServer, 'children' | 'baseUrl'> & { readonly printed: () => string } {
  const child = spawn(PROGRAM, ['serve', '--data', data, '--listen', '127.0.0.1:0', ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: userEnvironment(),
    detached: true,
  });
  killAtExit(child);
  const pid = child.pid!;
  let printed = '';
  let log = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (printed += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (log += chunk));
  const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  atEnd(context, () => endWithChildren(child));
  return {
    pid,
    printed: () => printed,
    log: () => log,
    signal: (name, target = 'process') => void process.kill(target === 'group' ? -pid : pid, name),
    ended,
  };
}

/** Starts `tidegate serve`; it takes requests when this resolves. */
export async function startTidegate(
  context: TestContext,
  data: string,
  ...options: readonly string[]
): Promise<TidegateServer> {
  const server = spawnTidegate(context, data, ...options);
  const baseUrl = await waitUntil('tidegate serves', () => /serves on (http:\S+)/.exec(server.printed())?.[1]);
  return { ...server, baseUrl, children: childPids(server.pid) };
}
