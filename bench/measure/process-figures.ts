/** What Linux says of a process and of those it has started: CPU time, most memory held. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { waitFor } from '../../src/lib/clock.ts';

/** The kernel counts CPU time in hundredths of a second on every common machine (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** Lists a process and all that it has started and that still live. */
export function processTree(pid: number): readonly number[] {
  const children = threadsOf(pid).flatMap((thread) => readIfThere(`/proc/${pid}/task/${thread}/children`).split(' '));
  return [pid, ...children.filter((child) => child !== '').flatMap((child) => processTree(Number(child)))];
}

/** Adds up the CPU seconds of a process, its threads, and the processes it has started, ended ones included. */
export function cpuSecondsOf(pid: number): number {
  const ticks = processTree(pid).reduce((sum, one) => sum + ticksOf(one), 0);
  return ticks / TICKS_PER_SECOND;
}

function ticksOf(pid: number): number {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // The name in brackets may hold spaces; user, system and the children's two are the 14th to 17th field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

/** Forgets the most memory that a process and its children have held, so that what follows is measured alone. */
export function resetPeakMemory(pid: number): void {
  for (const one of processTree(pid)) writeFileSync(`/proc/${one}/clear_refs`, '5');
}

/** The most memory that a process and its children have held since the last reset, in megabytes (VmHWM). */
export function peakMegabytesOf(pid: number): number {
  const kilobytes = processTree(pid).map((one) =>
    Number(/VmHWM:\s+(\d+) kB/.exec(readIfThere(`/proc/${one}/status`))?.[1] ?? 0),
  );
  return Math.round(kilobytes.reduce((sum, each) => sum + each, 0) / 1024);
}

/** How long a process must do next to nothing to count as quiet, and how long that is waited for at most. */
export type QuietOptions = { readonly quietMs: number; readonly mostMs: number };

const QUIET: QuietOptions = { quietMs: 500, mostMs: 600_000 };
/** A core's share that is next to nothing. */
const QUIET_SHARE = 0.06;

/** Waits until a process and its children have nothing more to do. */
export async function waitUntilQuiet(pid: number, { quietMs, mostMs }: QuietOptions = QUIET): Promise<void> {
  let before = cpuSecondsOf(pid);
  for (let waitedMs = 0; waitedMs < mostMs; waitedMs += quietMs) {
    await waitFor(quietMs);
    const now = cpuSecondsOf(pid);
    if (now - before < (QUIET_SHARE * quietMs) / 1000) return;
    before = now;
  }
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // the process has just ended
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // the process has just ended
  }
}
