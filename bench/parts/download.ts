/** Download: a package whole and by Range, by one client and by sixteen, against nginx serving the same file. */
import { readdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { formatBeijingHour, hourOf } from '../../src/events/hour.ts';
import { closeHour, fillHour, startBeforeEnd } from '../load/hour-run.ts';
import { actionTraffic, HOUR_START_MS } from '../load/hour-traffic.ts';
import { coresOf } from '../measure/machine.ts';
import { cpuSecondsOf } from '../measure/process-figures.ts';
import { runShell } from '../measure/run-program.ts';
import { startNginx } from '../peers/nginx.ts';
import { clientOf } from '../peers/tidegate.ts';
import type { PartContext, Size } from './part.ts';

type Way = 'whole' | 'ranges';

const ROWS: Readonly<Record<Size, number>> = { full: 1_000_000, small: 50_000, quick: 50_000 };
/** What all clients of one measurement take together. */
const BYTES: Readonly<Record<Size, number>> = { full: 4 * 1024 ** 3, small: 256 * 1024 ** 2, quick: 512 * 1024 ** 2 };
const CLIENTS: Readonly<Record<Size, readonly number[]>> = { full: [1, 16], small: [1, 16], quick: [1] };
const RANGES = 16;
const DATE = formatBeijingHour(hourOf(HOUR_START_MS));

export async function measureDownload({
  stage,
  recorder,
  size,
  rounds,
  rows = ROWS[size],
}: PartContext): Promise<void> {
  const traffic = actionTraffic(rows);
  const data = await fillHour(stage, traffic);
  const { server: serverCores, client: clientCores } = coresOf(1);
  const server = await startBeforeEnd(stage, data, { cores: serverCores });
  const { links } = await closeHour(server, traffic.projects);
  const { client } = await clientOf(server, traffic.projects[0]!);
  const packages = join(data, 'packages');
  const files = (await readdir(packages, { recursive: true })).filter((name) => name.endsWith('.csv.gz'));
  const file = files.find((name) => links[0]!.includes(basename(name)))!;
  const { size: bytes } = await stat(join(packages, file));
  const nginx = await startNginx({ stage, cores: serverCores, serves: packages });
  const folder = await stage.folder('download');

  for (let round = 1; round <= rounds; round += 1) {
    for (const clients of CLIENTS[size]) {
      for (const way of ['whole', 'ranges'] as const) {
        const { downloadLinks } = await client.exportHour('action', { date: DATE });
        const peers = [
          { name: 'nginx', pid: nginx.pid, url: `http://127.0.0.1:${nginx.port}/${file}` },
          { name: 'tidegate', pid: server.pid, url: downloadLinks[0]! },
        ];
        for (const { name, pid, url } of peers) {
          const downloads = Math.max(1, Math.round(BYTES[size] / bytes / clients));
          const config = join(folder, 'curl');
          await writeFile(config, curlConfig(url, bytes, way, downloads));
          const cpuBefore = cpuSecondsOf(pid);
          const line = `seq ${clients} | taskset -c ${clientCores} xargs -P ${clients} -I{} curl -sSf -K ${config}`;
          const { wallSeconds } = await runShell(line, { stage });
          const gigabytes = (downloads * clients * bytes) / 1e9;
          const figures = {
            megabytesPerSecond: (gigabytes * 1000) / wallSeconds,
            cpuSecondsPerGigabyte: (cpuSecondsOf(pid) - cpuBefore) / gigabytes,
            packageMegabytes: bytes / 1e6,
          };
          recorder.add({ round, contestant: name, case: { clients, way }, figures });
        }
      }
    }
  }
}

/** Tells curl to take the file some times, over one connection. */
function curlConfig(url: string, bytes: number, way: Way, downloads: number): string {
  const whole = `url = "${url}"\noutput = "/dev/null"\n`;
  if (way === 'whole') return whole.repeat(downloads);
  const step = Math.ceil(bytes / RANGES);
  const ranges = Array.from({ length: RANGES }, (_, place) => {
    const last = Math.min(bytes, (place + 1) * step) - 1;
    return `${whole}range = "${place * step}-${last}"\n`;
  });
  return Array.from({ length: downloads }, () => ranges.join('next\n')).join('next\n');
}
