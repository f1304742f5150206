/** Fills an hour of a server, and closes it: the two things that most parts measure. */
import { DatabaseSync } from 'node:sqlite';
import { catalogPath } from '../../src/catalog/data-catalog.ts';
import type { Project } from '../../src/catalog/catalog.ts';
import type { ExportAnswer } from '../../src/client/export-client.ts';
import { formatBeijingHour, hourOf, HOUR_MS } from '../../src/events/hour.ts';
import { waitFor } from '../../src/lib/clock.ts';
import type { ServerConfig } from '../../src/system.ts';
import { cpuSecondsOf, peakMegabytesOf, resetPeakMemory, waitUntilQuiet } from '../measure/process-figures.ts';
import { Stage } from '../measure/stage.ts';
import { clientOf, newData, startTidegate, type Tidegate } from '../peers/tidegate.ts';
import { actionTraffic, HOUR_START_MS, type HourTraffic } from './hour-traffic.ts';
import { postRequests } from './post-requests.ts';

/** The server's clock when events come, and when it is quiet before the hour's end. */
const ARRIVAL_MS = HOUR_START_MS + 60_000;
/** What the hour before gets; other rows than the measured ones. */
const WARM_UP_ROWS = 50_000;
const WARM_UP_SEED = 1_000;
const BEFORE_END_MS = 2_000;
const POLL_MS = 20;

export type PhaseFigures = {
  readonly wallSeconds: number;
  /** Of the server alone. */
  readonly cpuSeconds: number;
  readonly peakMegabytes: number;
};

/**
 * Makes a data directory whose hour before the measured one has some rows. Nobody exports them yet: the server that closes the
 * measured hour begins with them, so that it is warm by then, as one that has run for hours.
 */
export async function newHourData(stage: Stage, projects: readonly Project[]): Promise<string> {
  const data = await newData(stage, projects);
  await sendTo(stage, data, HOUR_START_MS - HOUR_MS / 2, actionTraffic(WARM_UP_ROWS, WARM_UP_SEED));
  return data;
}

/** Fills the measured hour of a data directory, or adds to it; afterwards no server works there any more. */
export function fillHour(stage: Stage, data: string, traffic: HourTraffic): Promise<void> {
  return sendTo(stage, data, ARRIVAL_MS, traffic);
}

/** Starts a server at an instant, has it take the requests, and ends it. */
async function sendTo(stage: Stage, data: string, nowMs: number, traffic: HourTraffic): Promise<void> {
  const own = new Stage();
  const end = stage.add(() => own.close());
  await sendAll(await startTidegate({ stage: own, data, nowMs }), traffic);
  await end();
}

/** Sends the requests to a server, and waits until it has sorted what it can before the hour's end. */
export async function sendAll(server: Tidegate, { requests }: HourTraffic): Promise<PhaseFigures> {
  const cpuBefore = cpuSecondsOf(server.pid);
  const startMs = performance.now();
  await postRequests(server.baseUrl, requests);
  const wallSeconds = (performance.now() - startMs) / 1000;
  await waitUntilQuiet(server.pid);
  return { wallSeconds, cpuSeconds: cpuSecondsOf(server.pid) - cpuBefore, peakMegabytes: peakMegabytesOf(server.pid) };
}

/** Starts a server on a filled hour, shortly before the hour's end, and waits until it has warmed up and is quiet. */
export async function startBeforeEnd(
  stage: Stage,
  data: string,
  { cores, changes }: { readonly cores?: string; readonly changes?: Partial<ServerConfig> } = {},
): Promise<Tidegate> {
  enableExportsFrom(data, HOUR_START_MS - HOUR_MS);
  const options = {
    stage,
    data,
    nowMs: ARRIVAL_MS,
    ...(cores !== undefined && { cores }),
    ...(changes && { changes }),
  };
  const server = await startTidegate(options);
  await waitUntilQuiet(server.pid);
  return server;
}

/** Changes from when on hours can be exported, in a catalog that nobody has open. */
function enableExportsFrom(data: string, fromMs: number): void {
  const catalog = new DatabaseSync(catalogPath(data));
  catalog.prepare('UPDATE project SET export_enabled_at_ms = ?').run(fromMs);
  catalog.close();
}

/** Lets the hour of a server end, and measures from there until every project's packages can be downloaded. */
export async function closeHour(
  server: Tidegate,
  projects: readonly Project[],
): Promise<PhaseFigures & { readonly links: readonly string[] }> {
  const clients = await Promise.all(projects.map(async (project) => (await clientOf(server, project)).client));
  const date = formatBeijingHour(hourOf(HOUR_START_MS));
  const endMs = HOUR_START_MS + HOUR_MS;
  resetPeakMemory(server.pid);
  const cpuBefore = cpuSecondsOf(server.pid);
  server.setClock(endMs - BEFORE_END_MS);
  await waitFor(BEFORE_END_MS - (server.nowMs() - (endMs - BEFORE_END_MS)));
  const links: string[] = [];
  for (const client of clients) {
    let answer = await client.exportWholeHour({ date });
    while (!isFinished(answer)) {
      await waitFor(POLL_MS);
      answer = await client.exportWholeHour({ date });
    }
    links.push(...Object.values(answer.downloadLinks).flat());
  }
  return {
    wallSeconds: (server.nowMs() - endMs) / 1000,
    cpuSeconds: cpuSecondsOf(server.pid) - cpuBefore,
    peakMegabytes: peakMegabytesOf(server.pid),
    links,
  };
}

/** Counts the rows in the packages of the measured hour, in a catalog that nobody has open. */
export function publishedRows(data: string): number {
  const catalog = new DatabaseSync(catalogPath(data));
  const { rows } = catalog.prepare('SELECT sum(rows) AS rows FROM package WHERE hour = ?').get(hourOf(HOUR_START_MS))!;
  catalog.close();
  return Number(rows);
}

function isFinished({ status, errorMsg }: ExportAnswer<unknown>): boolean {
  if (status === 'ERROR') throw new Error(`The export failed: ${errorMsg}`);
  return status === 'FINISHED';
}
