/**
 * Measures how long an hour takes from its end to FINISHED, and how much memory the server holds meanwhile.
 *
 *   node bench/close-hour.ts [rows]          default: 1,000,000 action rows
 *
 * A real server process with a clock of its own takes the rows by HTTP, 20 events a request; then its clock is set to the hour's
 * end. The figures go to standard output as one line of JSON.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ExportClient, getToken } from '../src/client/export-client.ts';
import { formatBeijingHour, hourOf, HOUR_MS } from '../src/events/hour.ts';
import { systemClock, waitFor } from '../src/lib/clock.ts';
import { openDataCatalog } from '../src/catalog/data-catalog.ts';
import { HOUR_START_MS } from '../test/helpers/event-rows.ts';
import { FakeClock } from '../test/helpers/fake-clock.ts';
import { startServerProcess } from '../test/helpers/server-process.ts';
import { TEST_PROJECT } from '../test/helpers/test-server.ts';
import { actionBodies } from './action-traffic.ts';

const CONNECTIONS = 16;
const EVENTS_PER_BODY = 20;

const rows = Number(process.argv[2] ?? 1_000_000);
const folder = await mkdtemp(join(tmpdir(), 'tidegate-bench-'));
const closers: (() => unknown)[] = [() => rm(folder, { recursive: true })];
try {
  const data = join(folder, 'data');
  const catalog = await openDataCatalog(data, systemClock);
  await catalog.projects.create(TEST_PROJECT);
  await catalog.close();
  const context = { after: (close: () => unknown) => void closers.unshift(close) } as TestContext;
  const server = await startServerProcess(context, {
    data,
    nowMs: HOUR_START_MS + 60_000,
    changes: { exportThreads: 2 },
  });

  const bodies = actionBodies({ rows, eventsPerBody: EVENTS_PER_BODY, startMs: HOUR_START_MS, seed: 1 });
  const ingestStartMs = performance.now();
  await postAll(server.baseUrl, bodies);
  const ingestSeconds = (performance.now() - ingestStartMs) / 1000;
  const peakBeforeCloseMb = peakMegabytes(server.pid);

  const { ai, uid, clientId, secret } = TEST_PROJECT;
  const clock = new FakeClock(HOUR_START_MS + 60_000);
  const token = await getToken({ baseUrl: server.baseUrl, clientId, secret, project: uid, ai, clock });
  const client = new ExportClient({ baseUrl: server.baseUrl, clientId, token, ai });
  const closeStartMs = performance.now();
  server.clock.set(HOUR_START_MS + HOUR_MS);
  let links: readonly string[] | undefined;
  while (!links) {
    const answer = await client.exportHour('action', { date: formatBeijingHour(hourOf(HOUR_START_MS)) });
    if (answer.status === 'ERROR') throw new Error(answer.errorMsg);
    if (answer.status === 'FINISHED') links = answer.downloadLinks;
    else await waitFor(100);
  }
  const closeSeconds = (performance.now() - closeStartMs) / 1000;
  console.log(
    JSON.stringify({
      rows,
      ingestSeconds: round(ingestSeconds),
      ingestRowsPerSecond: Math.round(rows / ingestSeconds),
      closeSeconds: round(closeSeconds),
      peakMegabytesBeforeClose: peakBeforeCloseMb,
      peakMegabytes: peakMegabytes(server.pid),
      packages: links.length,
      node: process.version,
    }),
  );
} finally {
  for (const close of closers) await close();
}

/** Posts all bodies over a few connections, each as soon as the one before is answered. */
async function postAll(baseUrl: string, bodies: Iterator<Buffer>): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const path = `${baseUrl}/v3/${TEST_PROJECT.ai}/web/other?stm=${HOUR_START_MS}`;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      for (let next = bodies.next(); !next.done; next = bodies.next()) await post(agent, path, next.value);
    }),
  );
  agent.destroy();
}

function post(agent: Agent, url: string, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const sending = request(url, { method: 'POST', agent, headers: { 'Content-Length': body.length } }, (response) => {
      response.resume();
      response.once('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode ?? 0}`)),
      );
    });
    sending.once('error', reject);
    sending.end(body);
  });
}

/** The most memory a process has held, in megabytes (VmHWM of Linux). */
function peakMegabytes(pid: number): number {
  const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(match?.[1] ?? 0) / 1024);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
