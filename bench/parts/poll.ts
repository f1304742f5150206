/**
 * Poll: the call for a whole day with many packages, without a rate limit, against nginx serving the same answer as a file.
 *
 * Calls that are alike within one second get one answer, which is made once. So there is a second contestant, whose calls each ask
 * for another life of the links: every answer of it is signed and written anew.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeSampleDay } from '../../src/demo/sample-day.ts';
import { beijingDayOf, formatBeijingHour, hourOf, hourStartMs, HOUR_MS } from '../../src/events/hour.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { runWrk } from '../load/wrk.ts';
import { coresOf } from '../measure/machine.ts';
import { peakMegabytesOf, resetPeakMemory } from '../measure/process-figures.ts';
import { runProgram } from '../measure/run-program.ts';
import { Stage } from '../measure/stage.ts';
import { startNginx } from '../peers/nginx.ts';
import { benchProject, clientOf, newData, startTidegate } from '../peers/tidegate.ts';
import type { RunningServer } from '../peers/server-child.ts';
import type { PartContext, Size } from './part.ts';

const TIDEGATE = join(import.meta.dirname, '..', '..', 'bin', 'tidegate');
/** One package for each table of an hour, and so small packages that there are sixteen times as many. */
const PACKAGE_BYTES = [64 * 1024 * 1024, 1_920];
const SECONDS: Readonly<Record<Size, number>> = { full: 4, small: 1, quick: 1 };
const WARM_UP_SECONDS = 1;
const CONNECTIONS: Readonly<Record<Size, readonly number[]>> = { full: [1, 16], small: [1, 16], quick: [16] };

/** A day whose call two contestants answer. */
export type Day = {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly links: number;
  readonly peers: { readonly nginx: RunningServer; readonly tidegate: RunningServer };
  close(): Promise<void>;
};

export async function measurePoll({ stage, recorder, size, rounds }: PartContext): Promise<void> {
  const days: Day[] = [];
  for (const packageBytes of size === 'quick' ? PACKAGE_BYTES.slice(0, 1) : PACKAGE_BYTES)
    days.push(await serveDay(stage, packageBytes));
  for (let round = 1; round <= rounds; round += 1) {
    for (const day of days) {
      for (const connections of CONNECTIONS[size]) {
        for (const [contestant, server] of Object.entries(day.peers)) {
          const figures = await pollDay(stage, day, server, { connections, seconds: SECONDS[size] });
          recorder.add({ round, contestant, case: { connections, links: day.links }, figures });
        }
        const eachAnew = { ...day, path: `${day.path}?expire={expire}` };
        const figures = await pollDay(stage, eachAnew, day.peers.tidegate, { connections, seconds: SECONDS[size] });
        const contestant = 'tidegate, each answer anew';
        recorder.add({ round, contestant, case: { connections, links: day.links }, figures });
      }
    }
  }
}

/** Asks a contestant for the day over and over, when it is warm. */
export async function pollDay(
  stage: Stage,
  { path, headers, links }: Day,
  server: RunningServer,
  { connections, seconds }: { readonly connections: number; readonly seconds: number },
): Promise<Record<string, number>> {
  const load = { stage, server, method: 'GET', path, headers, cores: coresOf(1).client, connections } as const;
  await runWrk({ ...load, seconds: WARM_UP_SECONDS });
  resetPeakMemory(server.pid);
  const figures = await runWrk({ ...load, seconds });
  const cpuMicrosPerCall = (figures.serverCpuSeconds * 1e6) / figures.requests;
  return {
    callsPerSecond: figures.requests / figures.seconds,
    cpuMicrosPerCall,
    cpuMicrosPerPackage: cpuMicrosPerCall / links,
    microsPerPackage: (figures.seconds * 1e6) / figures.requests / links,
    p50Ms: figures.p50Ms,
    p99Ms: figures.p99Ms,
    peakMegabytes: peakMegabytesOf(server.pid),
    clientCoreShare: figures.clientCoreShare,
  };
}

/** Imports a day of all types and serves it; nginx serves the same answer as a file. */
export async function serveDay(outer: Stage, packageBytes: number): Promise<Day> {
  const stage = new Stage();
  const close = outer.add(() => stage.close());
  const day = beijingDayOf(hourOf(systemClock.nowMs() - 24 * HOUR_MS));
  const project = benchProject(0, hourStartMs(day.from));
  const data = await newData(stage, [project]);
  const folder = await stage.folder('poll');
  const input = join(folder, 'day.ndjson');
  const lines = makeSampleDay({ day, seed: 1 });
  await writeFile(input, lines.map((line) => `${line}\n`).join(''));
  const importing = ['import', '--data', data, '--ai', project.ai, '--package-bytes', `${packageBytes}`, input];
  await runProgram(TIDEGATE, importing, { stage });

  const cores = coresOf(1).server;
  const server = await startTidegate({ stage, data, cores, changes: { callsPerSecond: 0 } });
  const { token } = await clientOf(server, project);
  const path = `/v2/insights/day/${project.ai}/${formatBeijingHour(day.from).slice(0, 8)}.json`;
  const headers = { 'X-Client-Id': project.clientId, Authorization: `Token ${token}` };
  const response = await fetch(`${server.baseUrl}${path}`, { headers });
  const answer = await response.text();
  const links = answer.split('http://').length - 1;
  if (!response.ok || links === 0) throw new Error(`The day call answered ${response.status} with ${links} links.`);
  await mkdir(join(folder, dirname(path)), { recursive: true });
  await writeFile(join(folder, path), answer);
  return {
    path,
    headers,
    links,
    peers: { nginx: await startNginx({ stage, cores, serves: folder }), tidegate: server },
    close,
  };
}
