/**
 * Makes the demo project of `npm start` in an empty data directory: a project, and a day of sample traffic, imported as
 * `tidegate import` does it.
 *
 * `demo.json` in the data directory says which project it is and how far it came, so that a start that was broken off goes on
 * where it was, and no project that a user made is ever taken for it.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Project } from '../src/catalog/catalog.ts';
import { openDataCatalog } from '../src/catalog/data-catalog.ts';
import { ImportProgressPrinter } from '../src/commands/import-progress.ts';
import { projectCreateCommand } from '../src/commands/projects.ts';
import { parseOptions } from '../src/config/parse-options.ts';
import { makeSampleDay } from '../src/demo/sample-day.ts';
import { AppError } from '../src/errors/app-error.ts';
import { addHours, beijingDayOf, HOUR_MS, hourFromInteger, hourOf, HOURS_PER_DAY } from '../src/events/hour.ts';
import type { Hour, HourRange } from '../src/events/hour.ts';
import { retainedFrom } from '../src/events/retention.ts';
import { importEvents } from '../src/imports/import-events.ts';
import { readFileIfThere, writeFileAtomic, writeFileOnce } from '../src/lib/atomic-file.ts';
import { isSystemError } from '../src/lib/system-error.ts';
import { openWorkshop, type ServerConfig } from '../src/system.ts';

export type Demo = {
  readonly project: Project;
  readonly day: HourRange;
  readonly events: number;
  /** Whether retention has begun to take the day away. */
  readonly isPastRetention: boolean;
};

/** What demo.json holds. */
type DemoState = {
  readonly ai: string;
  readonly firstHour: Hour;
  readonly events: number;
  readonly isImported: boolean;
};

const EXPORT_ENABLED_BEFORE_MS = 2 * HOURS_PER_DAY * HOUR_MS;
const LINES_PER_CHUNK = 1_000;

/** Finds the demo project, making it when the data directory is empty; undefined in a directory of the user's own. */
export async function openDemoProject(config: ServerConfig, tell: (line: string) => void): Promise<Demo | undefined> {
  const { data, clock } = config;
  let state = await readState(data);
  if (!state) {
    if (!(await isEmpty(data))) return undefined;
    state = await beginState(data, yesterday(clock.nowMs()));
  }
  if (!state.isImported) {
    tell('Making a demo project with a day of sample traffic …');
    await createProject(config, state.ai);
    state = { ...state, events: await importSampleDay(config, state), isImported: true };
    await writeState(data, state);
  }
  const project = await findProject(config, state.ai);
  const isPastRetention = state.firstHour < retainedFrom(clock.nowMs(), config.retentionDays);
  return project && { project, day: dayOf(state), events: state.events, isPastRetention };
}

function statePath(data: string): string {
  return join(data, 'demo.json');
}

async function readState(data: string): Promise<DemoState | undefined> {
  const content = await readFileIfThere(statePath(data));
  if (!content) return undefined;
  const state = JSON.parse(content.toString()) as DemoState;
  return { ...state, firstHour: hourFromInteger(state.firstHour) };
}

async function beginState(data: string, firstHour: Hour): Promise<DemoState> {
  const state: DemoState = { ai: randomBytes(8).toString('hex'), firstHour, events: 0, isImported: false };
  await mkdir(data, { recursive: true, mode: 0o700 });
  await writeFileOnce(statePath(data), `${JSON.stringify(state)}\n`);
  return (await readState(data)) ?? state; // of whoever was first
}

function writeState(data: string, state: DemoState): Promise<void> {
  return writeFileAtomic(statePath(data), `${JSON.stringify(state)}\n`);
}

async function isEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).every((name) => name.endsWith('.tmp')); // of a start that was broken off
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return true;
    throw new AppError('data_directory', `The data directory ${folder} cannot be read: ${String(error)}.`, {
      cause: error,
    });
  }
}

/** The first hour of the last Beijing day that has ended. */
function yesterday(nowMs: number): Hour {
  return addHours(beijingDayOf(hourOf(nowMs)).from, -HOURS_PER_DAY);
}

function dayOf({ firstHour }: DemoState): HourRange {
  return { from: firstHour, until: addHours(firstHour, HOURS_PER_DAY) };
}

async function findProject({ data, clock }: ServerConfig, ai: string): Promise<Project | undefined> {
  const catalog = await openDataCatalog(data, clock);
  try {
    return catalog.projects.findByAi(ai);
  } finally {
    await catalog.close();
  }
}

/** Runs `tidegate project create`, unless the project is there from a start that was broken off. */
async function createProject(config: ServerConfig, ai: string): Promise<void> {
  if (await findProject(config, ai)) return;
  const exportFrom = new Date(config.clock.nowMs() - EXPORT_ENABLED_BEFORE_MS).toISOString();
  const args = [`--data=${config.data}`, '--name=Demo', `--ai=${ai}`, `--export-from=${exportFrom}`];
  const { values, positionals } = parseOptions(
    args,
    {},
    { ...projectCreateCommand, required: [], takesPositionals: false },
  );
  const { signal } = new AbortController();
  await projectCreateCommand.run({ options: values, positionals, print: () => undefined, signal });
}

/** Imports the day's traffic as `tidegate import` does. Returns how many events it has. */
async function importSampleDay(config: ServerConfig, state: DemoState): Promise<number> {
  const chunks = packLines(makeSampleDay({ day: dayOf(state) }));
  const totalBytes = chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const events = chunks.reduce((sum, { lines }) => sum + lines, 0);
  const progress = new ImportProgressPrinter({ output: process.stderr, totalBytes });
  const workshop = await openWorkshop(config);
  try {
    const project = workshop.catalog.projects.findByAi(state.ai)!; // just made
    const { clock, retentionDays } = config;
    await importEvents({ ...workshop, project, clock, retentionDays, onProgress: (step) => progress.show(step) }, [
      { name: 'the sample day', bytes: readChunks(chunks) },
    ]);
  } catch (error) {
    // A start that was broken off after the import counted: what is left to export, the server exports.
    if (!(error instanceof AppError && error.code === 'hour_holds_rows')) throw error;
  } finally {
    progress.end();
    await workshop.close();
  }
  return events;
}

type Chunk = { readonly bytes: Buffer; readonly lines: number };

function packLines(lines: readonly string[]): readonly Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = 0; at < lines.length; at += LINES_PER_CHUNK) {
    const packed = lines.slice(at, at + LINES_PER_CHUNK);
    chunks.push({ bytes: Buffer.from(`${packed.join('\n')}\n`), lines: packed.length });
  }
  return chunks;
}

// eslint-disable-next-line @typescript-eslint/require-await -- importEvents reads streams, and this one is in memory
async function* readChunks(chunks: readonly Chunk[]): AsyncGenerator<Buffer> {
  for (const { bytes } of chunks) yield bytes;
}
