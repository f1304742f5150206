/**
 * Whole life: what a row costs from its arrival to its package, in a server that runs through; and an import of as many rows.
 *
 * The server takes the rows by HTTP, 20 or 100 events a request over 64 connections; then its clock passes the hour's end. It has
 * taken and closed a smaller hour before, so that V8 has compiled what runs often. The import's hour is one of today's, because
 * imports go into past hours that are kept. `gzip -1` compresses the same hour's finished table.
 */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { hourOf, hourStartMs, HOUR_MS } from '../../src/events/hour.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { actionBodies } from '../action-traffic.ts';
import { downloadTable } from '../load/download-table.ts';
import { closeHour, sendAll } from '../load/hour-run.ts';
import { actionTraffic, EVENTS_PER_BODY, HOUR_START_MS } from '../load/hour-traffic.ts';
import { waitUntilQuiet } from '../measure/process-figures.ts';
import { runProgram, runShell } from '../measure/run-program.ts';
import { Stage } from '../measure/stage.ts';
import { benchProject, newData, startTidegate } from '../peers/tidegate.ts';
import type { PartContext, Size } from './part.ts';

type Figures = Readonly<Record<string, number>>;

const ROWS: Readonly<Record<Size, number>> = { full: 1_000_000, small: 50_000, quick: 100_000 };
const TIDEGATE = join(import.meta.dirname, '..', '..', 'bin', 'tidegate');
/** A larger hour has so many times the rows. */
const TIMES = 5;
const MANY_EVENTS = 100;
const BATCH_LINES = 1_000;
/** The hour that imports fill: a past one that is surely kept, and one for the whole run, which may go on past an hour's end. */
const IMPORT_HOUR_MS = hourStartMs(hourOf(systemClock.nowMs() - 24 * HOUR_MS));
/** What the hour before gets; other rows than the measured ones. */
const WARM_UP_ROWS = 400_000;
const WARM_UP_SEED = 1_000;

export async function measureLife({ stage, recorder, size, rounds, rows = ROWS[size] }: PartContext): Promise<void> {
  const folder = await stage.folder('life');
  const finished = join(folder, 'finished.csv');
  const input = join(folder, 'import.ndjson');
  await writeImport(input, rows);
  for (let round = 1; round <= rounds; round += 1) {
    const add = (contestant: string, figures: Figures, own: Record<string, number> = { rows }): void =>
      recorder.add({ round, contestant, case: own, figures });
    // The first leaves the table for gzip.
    if (size !== 'quick' || round === 1) {
      const kept = round === 1 ? { keepsTableAs: finished } : {};
      add('tidegate', await liveHour(stage, rows, kept), { rows, events: EVENTS_PER_BODY });
      for (const events of size === 'full' ? [EVENTS_PER_BODY, MANY_EVENTS] : [])
        add('tidegate', await liveHour(stage, TIMES * rows, { events }), { rows: TIMES * rows, events });
    }
    add('tidegate import', { ...(await importRows(stage, input, rows)) });
    add('gzip -1', { ...(await runShell(`gzip -1 -c ${finished} > ${finished}.gz`, { stage })) });
  }
}

/** Lets one server take the rows of an hour, so many in each request, and close it; keeps the finished table where asked to. */
export async function liveHour(
  stage: Stage,
  rows: number,
  { events = EVENTS_PER_BODY, keepsTableAs }: { readonly events?: number; readonly keepsTableAs?: string } = {},
): Promise<Figures> {
  const own = new Stage();
  const end = stage.add(() => own.close());
  const traffic = actionTraffic(rows, 1, events);
  const data = await newData(own, traffic.projects);
  const server = await startTidegate({ stage: own, data, nowMs: HOUR_START_MS - HOUR_MS / 2 });
  await sendAll(server, actionTraffic(WARM_UP_ROWS, WARM_UP_SEED));
  const requests = [...traffic.requests]; // made before: the machine's other core is not to be busy with it
  server.setClock(HOUR_START_MS + 60_000);
  await waitUntilQuiet(server.pid);
  const arrival = await sendAll(server, { ...traffic, requests });
  const close = await closeHour(server, traffic.projects);
  if (keepsTableAs !== undefined) await downloadTable(close.links, keepsTableAs);
  await end();
  return {
    ingestSeconds: arrival.wallSeconds,
    ingestRowsPerSecond: rows / arrival.wallSeconds,
    closeSeconds: close.wallSeconds,
    closeMicrosPerRow: (close.wallSeconds * 1e6) / rows,
    cpuMicrosPerRow: ((arrival.cpuSeconds + close.cpuSeconds) * 1e6) / rows,
    arrivalCpuMicrosPerRow: (arrival.cpuSeconds * 1e6) / rows,
    closeCpuMicrosPerRow: (close.cpuSeconds * 1e6) / rows,
    peakMegabytesBeforeClose: arrival.peakMegabytes,
    peakMegabytes: close.peakMegabytes,
    packages: close.links.length,
  };
}

/** Imports a file into a new data directory, until its hour can be downloaded. */
export async function importRows(stage: Stage, input: string, rows: number): Promise<Figures> {
  const own = new Stage();
  const end = stage.add(() => own.close());
  const project = benchProject(0, IMPORT_HOUR_MS);
  const data = await newData(own, [project]);
  const figures = await runProgram(TIDEGATE, ['import', '--data', data, '--ai', project.ai, input], { stage: own });
  await end();
  return {
    ...figures,
    cpuMicrosPerRow: (figures.cpuSeconds * 1e6) / rows,
    microsPerRow: (figures.wallSeconds * 1e6) / rows,
  };
}

/** Writes as many clicks as `tidegate import` reads them. */
export async function writeImport(path: string, rows: number): Promise<void> {
  const startMs = IMPORT_HOUR_MS;
  const lines = function* (): Generator<string> {
    for (const body of actionBodies({ rows, eventsPerBody: BATCH_LINES, startMs, seed: 1 })) {
      const events = JSON.parse(body.toString()) as readonly object[];
      const sent = { sendTime: startMs + HOUR_MS / 2, platform: 'web' };
      yield events.map((event) => `${JSON.stringify({ ...sent, ...event })}\n`).join('');
    }
  };
  await pipeline(Readable.from(lines()), createWriteStream(path));
}
