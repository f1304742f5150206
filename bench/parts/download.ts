/**
 * Download: a package whole and by Range, by one client and by sixteen, against nginx serving the same file.
 *
 * The full size is a package of about 64 MiB, as the program makes them; the others are of some megabytes, where what a request
 * costs besides its bytes shows. Each curl takes many packages over one connection, so that its own start is little of the time.
 */
import { readdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { formatBeijingHour, hourOf } from '../../src/events/hour.ts';
import { closeHour, fillHour, newHourData, startBeforeEnd } from '../load/hour-run.ts';
import { actionTraffic, HOUR_START_MS } from '../load/hour-traffic.ts';
import { coresOf } from '../measure/machine.ts';
import { cpuSecondsOf, peakMegabytesOf, resetPeakMemory } from '../measure/process-figures.ts';
import { runShell } from '../measure/run-program.ts';
import type { Stage } from '../measure/stage.ts';
import { startNginx } from '../peers/nginx.ts';
import { clientOf } from '../peers/tidegate.ts';
import type { PartContext, Size } from './part.ts';

type Way = 'whole' | 'ranges';

/** A package that both serve. */
export type ServedPackage = {
  readonly bytes: number;
  /** Gives the contestants, with a link that has not expired. */
  peers(): Promise<readonly { readonly name: string; readonly pid: number; readonly url: string }[]>;
};

const ROWS: Readonly<Record<Size, number>> = { full: 1_600_000, small: 50_000, quick: 100_000 };
/** What all clients of one measurement take together. */
const BYTES: Readonly<Record<Size, number>> = { full: 2 * 1024 ** 3, small: 256 * 1024 ** 2, quick: 256 * 1024 ** 2 };
const WARM_UP_BYTES = 64 * 1024 ** 2;
const CLIENTS: Readonly<Record<Size, readonly number[]>> = { full: [1, 16], small: [1, 16], quick: [1] };
const RANGES = 16;
const DATE = formatBeijingHour(hourOf(HOUR_START_MS));

export async function measureDownload(context: PartContext): Promise<void> {
  const { stage, recorder, size, rounds, rows = ROWS[size] } = context;
  const served = await servePackage(stage, rows);
  for (let round = 1; round <= rounds; round += 1) {
    for (const clients of CLIENTS[size]) {
      for (const way of ['whole', 'ranges'] as const) {
        for (const { name, pid, url } of await served.peers()) {
          const load = { pid, url, packageBytes: served.bytes, clients, way } as const;
          if (round === 1) await takePackages(stage, { ...load, bytes: WARM_UP_BYTES });
          const figures = await takePackages(stage, { ...load, bytes: BYTES[size] });
          recorder.add({ round, contestant: name, case: { clients, way }, figures });
        }
      }
    }
  }
}

/** Closes an hour and serves its first package, pinned to one core; nginx serves the same file. */
export async function servePackage(stage: Stage, rows: number): Promise<ServedPackage> {
  const traffic = actionTraffic(rows);
  const data = await newHourData(stage, traffic.projects);
  await fillHour(stage, data, traffic);
  const cores = coresOf(1).server;
  const server = await startBeforeEnd(stage, data, { cores });
  const { links } = await closeHour(server, traffic.projects);
  const { client } = await clientOf(server, traffic.projects[0]!);
  const packages = join(data, 'packages');
  const files = (await readdir(packages, { recursive: true })).filter((name) => name.endsWith('.csv.gz'));
  const file = files.find((name) => links[0]!.includes(basename(name)))!;
  const { size: bytes } = await stat(join(packages, file));
  const nginx = await startNginx({ stage, cores, serves: packages });
  return {
    bytes,
    peers: async () => {
      const { downloadLinks } = await client.exportHour('action', { date: DATE });
      return [
        { name: 'nginx', pid: nginx.pid, url: `http://127.0.0.1:${nginx.port}/${file}` },
        { name: 'tidegate', pid: server.pid, url: downloadLinks[0]! },
      ];
    },
  };
}

/** Has some clients take a package over and over, about so many bytes together. */
export async function takePackages(
  stage: Stage,
  load: {
    readonly pid: number;
    readonly url: string;
    readonly packageBytes: number;
    readonly bytes: number;
    readonly clients: number;
    readonly way: Way;
  },
): Promise<Record<string, number>> {
  const { pid, url, packageBytes, clients, way } = load;
  const downloads = Math.max(1, Math.round(load.bytes / packageBytes / clients));
  const folder = await stage.folder('download');
  const config = join(folder, 'curl');
  await writeFile(config, curlConfig(url, packageBytes, way, downloads));
  resetPeakMemory(pid);
  const cpuBefore = cpuSecondsOf(pid);
  const line = `seq ${clients} | taskset -c ${coresOf(1).client} xargs -P ${clients} -I{} curl -sSf -K ${config}`;
  const { wallSeconds } = await runShell(line, { stage });
  const gigabytes = (downloads * clients * packageBytes) / 1e9;
  return {
    megabytesPerSecond: (gigabytes * 1000) / wallSeconds,
    secondsPerGigabyte: wallSeconds / gigabytes,
    cpuSecondsPerGigabyte: (cpuSecondsOf(pid) - cpuBefore) / gigabytes,
    peakMegabytes: peakMegabytesOf(pid),
    packageMegabytes: packageBytes / 1e6,
  };
}

/** Tells curl to take the file some times, over one connection. */
function curlConfig(url: string, bytes: number, way: Way, downloads: number): string {
  const whole = `url = "${url}"\noutput = "/dev/null"\n`;
  if (way === 'whole') return whole.repeat(downloads);
  const ranges = rangesOf(bytes, RANGES).map(([first, last]) => `${whole}range = "${first}-${last}"\n`);
  return Array.from({ length: downloads }, () => ranges.join('next\n')).join('next\n');
}

/** Cuts a file into ranges, each by its first and its last byte. */
export function rangesOf(bytes: number, count: number): readonly (readonly [number, number])[] {
  const step = Math.ceil(bytes / count);
  return Array.from({ length: Math.ceil(bytes / step) }, (_, place) => [
    place * step,
    Math.min(bytes, (place + 1) * step) - 1,
  ]);
}
