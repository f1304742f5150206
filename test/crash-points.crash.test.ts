/**
 * Kills a real server at a named point of its work, restarts it, and checks that nothing was lost, doubled or changed.
 *
 * The points are system calls: strace kills the process when it enters the n-th call of a kind on a kind of file. So no hook is
 * needed in the product, and the process dies exactly where a power cut or an out-of-memory kill could end it.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { addHours, hourOf, HOUR_MS } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertExportedOnce, exportedNames, postNames } from './helpers/event-stream.ts';
import { newDataDirectory, startServerProcess, type ServerProcess } from './helpers/server-process.ts';
import { findPackages } from './helpers/stored-packages.ts';

const HOUR = hourOf(HOUR_START_MS);

/** A point of death: the system call, and which of its calls may be the last (each history draws one). */
type CrashPoint = {
  readonly name: string;
  readonly call: string;
  readonly counts: readonly [min: number, max: number];
};

const CRASH_POINTS: readonly CrashPoint[] = [
  { name: 'after the write of a frame, before its sync', call: 'fdatasync', counts: [2, 40] },
  { name: 'in the middle of the writes of frames', call: 'pwritev,pwrite64', counts: [5, 120] },
  { name: 'after the sync of a frame, before the look at the fence', call: 'access', counts: [3, 40] },
  { name: 'before a file gets its name: a run, a package', call: 'rename', counts: [1, 9] },
  { name: 'before a fence, a seal or ready.json gets its name', call: 'link', counts: [1, 5] },
  { name: 'before a segment or a temporary file is deleted', call: 'unlink', counts: [1, 10] },
  { name: 'in a sync of a run, a package, a folder or the catalog', call: 'fsync', counts: [1, 40] },
  { name: 'in the writes of a run, a package or the catalog', call: 'write', counts: [5, 400] },
  { name: 'while files are opened', call: 'openat', counts: [400, 900] },
];

type History = { readonly count: number; readonly batches: readonly number[]; readonly closeAfter: number };

/** One history for each point and run: how many events each request has, and after which request the hour ends. */
function histories(point: CrashPoint, runs: number, seed: number): readonly History[] {
  const history = fc.record({
    count: fc.integer({ min: point.counts[0], max: point.counts[1] }),
    batches: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 10, maxLength: 25 }),
    closeAfter: fc.integer({ min: 3, max: 9 }),
  });
  return fc.sample(history, { numRuns: runs, seed });
}

const isTraceable = ((): boolean => {
  try {
    execFileSync('strace', ['-o', '/dev/null', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
const skip = isTraceable || process.env.CI === 'true' ? false : 'strace is missing; apt-get install strace';

describe('a server that dies', { skip }, () => {
  for (const [place, point] of CRASH_POINTS.entries()) {
    it(`${point.name}: keeps what it acknowledged, once, and what it published as it was`, async (t) => {
      for (const history of histories(point, 2, place)) await liveThrough(t, point, history);
    });
  }
});

async function liveThrough(t: TestContext, point: CrashPoint, history: History): Promise<void> {
  const data = await newDataDirectory(t);
  const changes = { segmentBytes: 4 * 1024, packageBytes: 2_000, collectors: 1 };
  const acknowledged = new Set<string>();
  const post = async (server: ServerProcess, names: readonly string[]): Promise<void> => {
    if (await postNames(server.baseUrl, names)) for (const name of names) acknowledged.add(name);
  };

  // A first hour, published before anything goes wrong.
  const first = await startServerProcess(t, { data, nowMs: HOUR_START_MS + 60_000, changes });
  await post(first, ['published-1', 'published-2']);
  first.clock.set(HOUR_START_MS + HOUR_MS + 60_000);
  const published = await exportedNames(first.baseUrl, first.clock, HOUR);
  const publishedBytes = await findPackages(data);
  await first.kill('SIGTERM');

  const filter = ['-e', `trace=${point.call}`, '-e', `inject=${point.call}:signal=SIGKILL:when=${history.count}`];
  const under = ['strace', '-f', '--seccomp-bpf', '-qqq', '-o', '/dev/null', ...filter] as const;
  const nowMs = HOUR_START_MS + HOUR_MS + 60_000;
  const doomed = await startServerProcess(t, { data, nowMs, changes, under: [...under] }).catch(() => undefined);
  if (doomed) {
    const over = new AbortController();
    void doomed.ended.then(() => over.abort());
    for (const [number, size] of history.batches.entries()) {
      if (number === history.closeAfter) doomed.clock.set(HOUR_START_MS + 2 * HOUR_MS + 1_000);
      if (over.signal.aborted) break;
      await post(
        doomed,
        Array.from({ length: size }, (_, place) => `r${number}-${place}`),
      );
    }
    if (!over.signal.aborted)
      await Promise.race([
        doomed.ended,
        exportedNames(doomed.baseUrl, doomed.clock, addHours(HOUR, 1)).catch(() => undefined),
      ]);
    await doomed.kill('SIGKILL');
  }

  const last = await startServerProcess(t, { data, nowMs: HOUR_START_MS + 2 * HOUR_MS + 60_000, changes });
  await post(last, ['after-the-restart']);
  last.clock.set(HOUR_START_MS + 3 * HOUR_MS);
  const names = [...published];
  for (const hour of [1, 2]) names.push(...(await exportedNames(last.baseUrl, last.clock, addHours(HOUR, hour))));
  assertExportedOnce(acknowledged, names);
  const after = await findPackages(data);
  for (const [key, bytes] of publishedBytes) assert.ok(after.get(key)?.equals(bytes), `${key} has changed`);
  await last.kill('SIGTERM');
}
