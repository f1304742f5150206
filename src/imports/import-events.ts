/**
 * Imports past events: maps NDJSON as the collector maps requests, fills hours that hold no rows, and exports them again.
 *
 * All or nothing: a line that cannot be read, or an hour that may not be filled, refuses the import before anything counts. Only
 * one import runs on a data directory at a time. Consecutive lines of the same send time and client are one request, as they
 * were when they were received, so equal events among them stay as many as they are.
 */
import { decideByLinkId } from '../ads/activations.ts';
import type { Catalog, Project } from '../catalog/catalog.ts';
import { AppError } from '../errors/app-error.ts';
import { formatBeijingHour, hourOf, type Hour, type HourRange } from '../events/hour.ts';
import type { Receipt } from '../events/event-row.ts';
import type { TaskRunner } from '../exports/task-runner.ts';
import { waitFor, type Clock } from '../lib/clock.ts';
import type { HourReader, HourStore } from '../store/hour-store.ts';
import { ImportWriter } from '../store/hour-log/import-writer.ts';
import { lockImports } from '../store/hour-log/import-lock.ts';
import type { StoreJobs } from '../store/hour-log/store-jobs.ts';
import { placeOf, readLines, type NdjsonLine, type NdjsonSource } from './ndjson-lines.ts';
import { RequestMapper } from './request-mapper.ts';

export type ImportOptions = {
  readonly project: Project;
  readonly catalog: Catalog;
  readonly store: HourStore;
  readonly reader: HourReader;
  readonly jobs: StoreJobs;
  readonly runner: TaskRunner;
  readonly clock: Clock;
  readonly storeRoot: string;
  readonly retentionDays: number;
  readonly onProgress: (progress: ImportProgress) => void;
  /** Told what the import had to do without, a sentence each. */
  readonly onWarning?: (message: string) => void;
};

export type ImportProgress =
  | { readonly step: 'reading'; readonly bytes: number; readonly events: number }
  | { readonly step: 'exporting'; readonly hours: number; readonly finished: number };

export type ImportSummary = {
  readonly events: number;
  readonly rejected: number;
  readonly ignored: number;
  /** Why events were rejected, and how many for each reason. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly hours: readonly Hour[];
};

const MAX_LINE_BYTES = 2 * 1024 * 1024;

/**
 * Imports the events of these sources, one after the other, and returns when their hours are FINISHED again.
 * @throws AppError import_invalid, hour_open, hour_out_of_range, hour_holds_rows, store_corrupt
 */
export async function importEvents(options: ImportOptions, sources: readonly NdjsonSource[]): Promise<ImportSummary> {
  const { store, clock, storeRoot, project, jobs } = options;
  await store.seal(hourOf(clock.nowMs()));
  await using _lock = await lockImports(storeRoot);
  const writer = await ImportWriter.begin({
    root: storeRoot,
    ai: project.ai,
    jobs,
    prepare: (hour) => store.prepare(hour),
    ...(options.onWarning ? { onWarning: options.onWarning } : {}),
  });
  let summary: Omit<ImportSummary, 'hours'>;
  try {
    summary = await writeEvents(options, writer, sources);
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  await exportHours(options, writer.hours);
  return { ...summary, hours: writer.hours };
}

async function writeEvents(
  options: ImportOptions,
  writer: ImportWriter,
  sources: readonly NdjsonSource[],
): Promise<Omit<ImportSummary, 'hours'>> {
  const { catalog, project } = options;
  const findLink = (linkId: string) => catalog.links.find(linkId);
  const requests = new RequestMapper({
    ai: project.ai,
    rulesOf: (ai) => catalog.rules.rulesOf(ai),
    decideActivations: (elements) => decideByLinkId({ ai: project.ai, elements }, findLink),
  });
  const checkedHours = new Set<Hour>();
  const reasons: Record<string, number> = {};
  let [events, ignored, rejected, bytes] = [0, 0, 0, 0];
  const writeRequest = async (): Promise<void> => {
    const mapped = requests.map();
    if (!mapped) return;
    const { batch } = mapped;
    const imported: Receipt = { line: 'import', received: mapped.events, ignored: 0, rows: 0 };
    await writer.append({ ...batch, receipts: [...batch.receipts, imported] }, mapped.sendTimeMs);
    events += mapped.events;
    rejected += batch.rejections.length;
    for (const reason of batch.rejections) reasons[reason] = (reasons[reason] ?? 0) + 1;
    for (const receipt of batch.receipts) ignored += receipt.ignored;
  };
  for (const source of sources) {
    const chunks = readLines(source, MAX_LINE_BYTES, (count) => {
      bytes += count;
      options.onProgress({ step: 'reading', bytes, events });
    });
    try {
      for await (const lines of chunks) {
        for (const line of lines) {
          const hour = hourOf(requests.read(line));
          if (!checkedHours.has(hour)) await checkHour(options, hour, line);
          checkedHours.add(hour);
          if (requests.isComplete) await writeRequest();
          requests.add();
        }
      }
    } catch (error) {
      requests.refuse(error);
    }
    await writeRequest();
  }
  return { events, rejected, ignored, reasons };
}

/** Refuses an hour that may not be filled. */
async function checkHour(options: ImportOptions, hour: Hour, line: NdjsonLine): Promise<void> {
  const { project, store, reader, clock, retentionDays, catalog } = options;
  const settings = catalog.settings.of(project.ai);
  const name = `${placeOf(line)}: hour ${formatBeijingHour(hour)} (Beijing time)`;
  if (hour >= store.sealedUntil) throw new AppError('hour_open', `${name} has not ended yet.`);
  if (!settings.isExported(hour)) {
    const when = hour < hourOf(project.exportEnabledAtMs) ? "before the project's export was" : 'while export was not';
    throw new AppError('hour_out_of_range', `${name} ends ${when} enabled.`);
  }
  if (hour < settings.keptFrom(clock.nowMs(), retentionDays))
    throw new AppError('hour_out_of_range', `${name} is past retention.`);
  await store.prepare(hour);
  const manifest = await catalog.manifests.newest(project.ai, hour);
  // Rejected events make no rows: an import whose events all were refused can be mended and tried again.
  const holdsRows = reader.counts(hour, project.ai).kinds.some(({ kind }) => kind !== 'rejected');
  if (holdsRows || (manifest?.packages.length ?? 0) > 0) {
    throw new AppError('hour_holds_rows', `${name} holds rows already.`);
  }
}

type ExportHoursOptions = Pick<ImportOptions, 'project' | 'catalog' | 'runner' | 'clock'> & {
  readonly onProgress: (progress: Extract<ImportProgress, { readonly step: 'exporting' }>) => void;
};

/**
 * Exports the hours again and waits until each has ended, by this process or by a server beside it.
 * @throws AppError hour_failed when some are in ERROR then; the others are FINISHED
 */
export async function exportHours(
  { project, catalog, runner, clock, onProgress }: ExportHoursOptions,
  hours: readonly Hour[],
): Promise<void> {
  if (hours.length === 0) return;
  await catalog.tasks.restart(project.ai, hours, clock.nowMs());
  const range: HourRange = { from: hours[0]!, until: (hours.at(-1)! + 1) as Hour };
  const wanted = new Set(hours);
  // What this fails with, the tries below meet too, unless a server does the work meanwhile.
  const running = runner.runDue({ ai: project.ai, hours }).catch(() => 0);
  for (;;) {
    const tasks = (await catalog.tasks.list(project.ai, range)).filter((task) => wanted.has(task.hour));
    const failed = tasks.filter((task) => task.status === 'failed');
    const finished = tasks.filter((task) => task.status === 'finished').length;
    onProgress({ step: 'exporting', hours: hours.length, finished });
    if (failed.length + finished === tasks.length) {
      await running;
      if (failed.length === 0) return;
      const which = failed.map(({ hour, error }) => `hour ${formatBeijingHour(hour)} (Beijing time): ${error ?? ''}`);
      throw new AppError('hour_failed', `What was added counts, but could not be exported in ${which.join(' ')}`);
    }
    await waitFor(50);
    await runner.runDue({ ai: project.ai, hours });
  }
}
