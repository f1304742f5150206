/** Says what a run was measured on, and which cores who gets. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

export type Machine = {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGigabytes: number;
  readonly system: string;
  readonly node: string;
  readonly commit: string;
  /** Processes that wanted a core in the minute before the run; a quiet machine has next to 0. */
  readonly loadBefore: number;
};

/** Describes this machine. */
export function describeMachine(): Machine {
  const system = /^PRETTY_NAME="(.+)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGigabytes: Math.round(totalmem() / 1024 ** 3),
    system: `${system}, Linux ${/^[\d.]+/.exec(release())?.[0] ?? ''}`,
    node: process.version,
    commit: commitOf(),
    loadBefore: Math.round(loadavg()[0]! * 100) / 100,
  };
}

function commitOf(): string {
  try {
    const text = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: import.meta.dirname, stdio: 'pipe' });
    return text.toString().trim();
  } catch {
    return 'unknown'; // not a clone
  }
}

/** The cores of a run in taskset's words: one for a server that is measured, another for its clients. */
export function coresOf(servers: number): { readonly server: string; readonly client: string } {
  const count = availableParallelism();
  if (count < 2) return { server: '0', client: '0' };
  // With too few cores for all, the last server shares with the clients.
  return {
    server: Array.from({ length: Math.min(servers, count) }, (_, core) => core).join(','),
    client: `${count - 1}`,
  };
}
