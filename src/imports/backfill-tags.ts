/**
 * Gives the actions of past hours the tags of rules that were made after them, as a new revision of those hours.
 *
 * Steps: each hour that is kept is prepared, and a worker writes the tags that it lacks into runs, unseen → they are committed, as
 * an import is, from which moment all hours count together → the hours are exported again. A crash before the commit leaves
 * files that count for nothing; after it, a server exports the hours, the one that runs or the next (recover-imports.ts). What is
 * there already is left out, so a second time finds nothing, commits nothing and publishes nothing.
 *
 * An hour whose rows cannot be read is left as it is, published or not, and told; the others are done.
 *
 * Runs under the import's lock: two back-fills at once would both find the same tags to be missing.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Catalog, Project } from '../catalog/catalog.ts';
import { AppError } from '../errors/app-error.ts';
import { addHours, formatBeijingHour, hourOf, type Hour } from '../events/hour.ts';
import type { TaskRunner } from '../exports/task-runner.ts';
import type { Clock } from '../lib/clock.ts';
import type { Rule } from '../rules/rule.ts';
import type { HourStore } from '../store/hour-store.ts';
import type { HourLogReader } from '../store/hour-log/hour-log-reader.ts';
import { lockImports } from '../store/hour-log/import-lock.ts';
import { commitImport, makeImportFolder } from '../store/hour-log/import-writer.ts';
import { isLastingDamage } from '../store/hour-log/lasting-damage.ts';
import { importFolder, listHours, sealPath } from '../store/hour-log/layout.ts';
import { exportHours, type ImportProgress } from './import-events.ts';
import type { TagJobs, TaggedHour } from './tag-hour.ts';

export type BackfillOptions = {
  readonly project: Project;
  /** The one rule whose tags are wanted. Default: all. */
  readonly ruleId?: string | undefined;
  /** Default: as far back as hours are kept. */
  readonly from?: Hour | undefined;
  /** Default: up to the last hour that has ended. */
  readonly until?: Hour | undefined;
  readonly catalog: Catalog;
  readonly store: HourStore;
  readonly reader: HourLogReader;
  readonly jobs: TagJobs;
  readonly runner: TaskRunner;
  readonly clock: Clock;
  readonly storeRoot: string;
  readonly retentionDays: number;
  readonly onProgress: (progress: BackfillProgress) => void;
};

export type BackfillProgress =
  | Extract<ImportProgress, { readonly step: 'exporting' }>
  | { readonly step: 'tagging'; readonly hours: number; readonly finished: number };

export type BackfillSummary = {
  /** Tags that were added. */
  readonly tags: number;
  /** Hours that got some. */
  readonly hours: readonly Hour[];
  /** Hours that could not be read, and why. */
  readonly damaged: readonly DamagedHour[];
};

type DamagedHour = { readonly hour: Hour; readonly why: string };
type Tagged = TaggedHour & { readonly hour: Hour };

/**
 * Adds the missing tags and returns when the hours that got some are FINISHED again.
 * @throws AppError unknown_rule, hour_open, hour_out_of_range, hour_failed, store_unavailable
 */
export async function backfillTags(options: BackfillOptions): Promise<BackfillSummary> {
  const { store, clock, storeRoot, project } = options;
  const rules = await rulesOf(options);
  await store.seal(hourOf(clock.nowMs()));
  const range = rangeOf(options);
  await using _lock = await lockImports(storeRoot);
  const id = await makeImportFolder(storeRoot);
  const folder = importFolder(storeRoot, id);
  const damaged: DamagedHour[] = [];
  let tagged: readonly Tagged[];
  try {
    tagged = await tagHours(options, { rules, folder, hours: await hoursOf(options, range) }, damaged);
    const hours = tagged.map(({ hour, runs }) => ({ hour, runs }));
    if (tagged.length > 0) await commitImport(storeRoot, id, { version: 1, ai: project.ai, hours });
    else await rm(folder, { recursive: true });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const hours = tagged.map(({ hour }) => hour);
  await exportHours(options, hours);
  return { tags: tagged.reduce((sum, { tags }) => sum + tags, 0), hours, damaged };
}

async function rulesOf({ catalog, project, ruleId }: BackfillOptions): Promise<readonly Rule[]> {
  const all = await catalog.rules.list(project.ai);
  if (ruleId === undefined) return all;
  const rule = all.find((each) => each.ruleId === ruleId);
  if (!rule) throw new AppError('unknown_rule', `The project ${project.ai} has no rule ${ruleId}.`);
  return [rule];
}

type Range = { readonly from: Hour; readonly until: Hour };

/** Gives the range to look at. What was asked for must be there; what was not is cut to what is. */
function rangeOf({ catalog, project, store, clock, retentionDays, from, until }: BackfillOptions): Range {
  const settings = catalog.settings.of(project.ai);
  const end = store.sealedUntil;
  const kept = { from: settings.keptFrom(clock.nowMs(), retentionDays), until: end };
  const first = settings.exportedRanges(kept)[0]?.from ?? end;
  const last = until === undefined ? from : addHours(until, -1);
  if (last !== undefined && last >= end)
    throw new AppError('hour_open', `Hour ${formatBeijingHour(last)} (Beijing time) has not ended yet.`);
  if (from !== undefined && from < first) {
    const name = `Hour ${formatBeijingHour(from)} (Beijing time)`;
    throw new AppError('hour_out_of_range', `${name} is not kept; the first that is, is ${formatBeijingHour(first)}.`);
  }
  return { from: from ?? first, until: until ?? end };
}

/** Lists the hours of the range that are stored and that the project can export. */
async function hoursOf(
  { catalog, reader, storeRoot, project }: BackfillOptions,
  { from, until }: Range,
): Promise<readonly Hour[]> {
  const settings = catalog.settings.of(project.ai);
  const stored = (await listHours(storeRoot)).filter((hour) => existsSync(sealPath(storeRoot, hour)));
  const imported = reader
    .committedImports()
    .flatMap(({ commit }) => (commit.ai === project.ai ? commit.hours.map(({ hour }) => hour) : []));
  return [...new Set([...stored, ...imported])]
    .filter((hour) => hour >= from && hour < until && settings.isExported(hour))
    .sort((a, b) => a - b);
}

type Tagging = { readonly rules: readonly Rule[]; readonly folder: string; readonly hours: readonly Hour[] };

/** Tags one hour after the other and gives those that lacked tags. */
async function tagHours(
  options: BackfillOptions,
  { rules, folder, hours }: Tagging,
  damaged: DamagedHour[],
): Promise<readonly Tagged[]> {
  const { store, reader, jobs, storeRoot, project, onProgress } = options;
  const tagged: Tagged[] = [];
  for (const [finished, hour] of hours.entries()) {
    onProgress({ step: 'tagging', hours: hours.length, finished });
    try {
      await store.prepare(hour);
      if (!reader.counts(hour, project.ai).kinds.some(({ kind }) => kind === 'action')) continue;
      const result = await jobs.tagHour({ storeRoot, ai: project.ai, hour, rules, folder });
      if (result.tags > 0) tagged.push({ ...result, hour });
    } catch (error) {
      if (!isLastingDamage(error)) throw error;
      damaged.push({ hour, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return tagged;
}
