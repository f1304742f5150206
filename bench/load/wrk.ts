/**
 * Loads a server with `wrk`, pinned to a core of its own, and measures the server's CPU time meanwhile.
 *
 * wrk is one thread here: on one core two would only change places.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { cpuSecondsOf, waitUntilQuiet } from '../measure/process-figures.ts';
import type { Stage } from '../measure/stage.ts';

export type WrkOptions = {
  readonly stage: Stage;
  readonly server: { readonly pid: number; readonly port: number };
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The file of bodies, see writeBodies. */
  readonly bodies?: string;
  readonly connections: number;
  readonly seconds: number;
  readonly cores: string;
  /** How long a connection waits before each request, on average. Default: not at all. */
  readonly waitMs?: number;
  /** Counts the server's CPU time until it is quiet again: sorting, merging and checkpoints that the load has left. Default: no. */
  readonly settles?: boolean;
};

export type WrkFigures = {
  readonly requests: number;
  readonly seconds: number;
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Of the server and the processes it has started. */
  readonly serverCpuSeconds: number;
  /** How much of its core wrk took; near 1 the client is what is measured. */
  readonly clientCoreShare: number;
};

const SAMPLE_MS = 100;
const SETTLE = { quietMs: 250, mostMs: 5_000 };

/** Loads a server for some seconds. @throws Error when a request failed */
export async function runWrk(options: WrkOptions): Promise<WrkFigures> {
  const { stage, server, connections, seconds, headers = {}, cores } = options;
  const script = join(import.meta.dirname, 'wrk.lua');
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '-s', script];
  for (const [name, value] of Object.entries(headers)) args.push('-H', `${name}: ${value}`);
  args.push(`http://127.0.0.1:${server.port}`, '--', options.method, options.path, options.bodies ?? '-');
  const cpuBefore = cpuSecondsOf(server.pid);
  const child = spawn('taskset', ['-c', cores, 'wrk', ...args, `${options.waitMs ?? 0}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const end = stage.add(() => child.kill('SIGKILL'));
  let clientCpuSeconds = 0;
  const sampling = setInterval(
    () => (clientCpuSeconds = Math.max(clientCpuSeconds, cpuSecondsOf(child.pid!))),
    SAMPLE_MS,
  );
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  clearInterval(sampling);
  if (options.settles) await waitUntilQuiet(server.pid, SETTLE);
  const serverCpuSeconds = cpuSecondsOf(server.pid) - cpuBefore;
  await end();
  const line = output.split('\n').find((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`wrk printed no figures:\n${output}`);
  const { failed, ...figures } = JSON.parse(line) as Omit<WrkFigures, 'serverCpuSeconds'> & { failed: number };
  if (failed > 0) throw new Error(`${failed} of ${figures.requests} requests failed (${options.path}).`);
  return { ...figures, serverCpuSeconds, clientCoreShare: Math.min(1, clientCpuSeconds / figures.seconds) };
}
