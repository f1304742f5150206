/** Keeps the server of a soak running: starts it, kills it or parts of it, and starts it again, as a supervisor would. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { waitFor } from '../../src/lib/clock.ts';
import { childPids } from '../helpers/server-process.ts';
import { isRunning } from '../helpers/server-process.ts';
import { waitUntil } from '../helpers/wait-until.ts';
import type { SoakServerArguments } from './soak-server-entry.ts';

/** What a kill hits. The collectors of a killed parent end by themselves. */
export const KILL_KINDS = ['server', 'parent', 'one collector', 'all collectors'] as const;
export type KillKind = (typeof KILL_KINDS)[number];

const START_LIMIT_MS = 60_000;
const RESTART_PAUSE_MS = 200;
const ORPHAN_LIMIT_MS = 10_000;
const STOP_LIMIT_MS = 30_000;

export class SoakServer {
  readonly #config: SoakServerArguments;
  readonly #logFd: number;
  #child: ChildProcess | undefined;
  /** Starts that ended before the server took requests, such as when its port was still taken. */
  failedStarts = 0;

  constructor(config: SoakServerArguments, logPath: string) {
    this.#config = config;
    this.#logFd = openSync(logPath, 'a', 0o600);
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${this.#config.port}`;
  }

  /** Starts it; requests are taken when this returns. The port may still be taken for a moment by who was killed. */
  async start(): Promise<void> {
    const deadlineMs = performance.now() + START_LIMIT_MS;
    while (!(await this.#startOnce())) {
      this.failedStarts += 1;
      if (performance.now() > deadlineMs) throw new Error('the server does not start any more; see its log');
      await waitFor(RESTART_PAUSE_MS);
    }
  }

  /** Kills, waits `pauseMs` where somebody must start it again, and returns when all processes run. */
  async kill(kind: KillKind, pauseMs: number, chosen: number): Promise<void> {
    const parent = this.#child;
    const collectors = childPids(parent?.pid ?? 0);
    if (!parent?.pid || parent.exitCode !== null || parent.signalCode !== null || collectors.length === 0) {
      throw new Error('the server ended by itself; see its log');
    }
    const isWhole = kind === 'server' || kind === 'parent';
    const victims = {
      server: [parent.pid, ...collectors],
      parent: [parent.pid],
      'one collector': [collectors[chosen % collectors.length]!],
      'all collectors': collectors,
    }[kind];
    const ended = once(parent, 'exit');
    for (const pid of victims) process.kill(pid, 'SIGKILL');
    if (isWhole) {
      await ended;
      await waitFor(pauseMs);
      await this.start();
    }
    const gone = isWhole ? collectors : victims;
    await waitUntil('the processes end', () => !gone.some(isRunning), ORPHAN_LIMIT_MS);
    await waitUntil(
      'all collector processes run again',
      () => childPids(this.#child?.pid ?? 0).filter(isRunning).length === this.#config.collectors,
      START_LIMIT_MS,
    );
  }

  /** Stops it by SIGTERM. @throws Error when it does not end, or leaves a process behind */
  async stop(): Promise<void> {
    const parent = this.#child;
    if (!parent?.pid) return;
    const collectors = childPids(parent.pid);
    process.kill(parent.pid, 'SIGTERM');
    await waitUntil('the server stops', () => ![parent.pid!, ...collectors].some(isRunning), STOP_LIMIT_MS);
    this.#child = undefined;
  }

  /** Ends what still runs, whatever state it is in. */
  end(): void {
    const pid = this.#child?.pid;
    if (pid === undefined || !isRunning(pid)) return;
    for (const each of [...childPids(pid), pid]) if (isRunning(each)) process.kill(each, 'SIGKILL');
  }

  async #startOnce(): Promise<boolean> {
    const child = fork(new URL('./soak-server-entry.ts', import.meta.url), [JSON.stringify(this.#config)], {
      stdio: ['ignore', this.#logFd, this.#logFd, 'ipc'],
    });
    this.#child = child;
    const settled = new AbortController();
    const { signal } = settled;
    try {
      return await Promise.race([
        once(child, 'message', { signal }).then(() => true),
        once(child, 'exit', { signal }).then(() => false),
      ]);
    } finally {
      settled.abort();
    }
  }
}
