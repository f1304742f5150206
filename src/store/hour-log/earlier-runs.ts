/**
 * Finds the runs of the hours whose pages tell whose server events are (link-server-events.ts). An hour that is damaged, or that
 * is not there, is done without: one hour's damage is its own.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { addHours, formatUtcHour, type Hour } from '../../events/hour.ts';
import { HourLogReader } from './hour-log-reader.ts';
import { isLastingDamage } from './lasting-damage.ts';
import { readyPath, sealPath } from './layout.ts';
import { LINK_HOURS, type LinkedRuns } from './link-server-events.ts';

export type EarlierRuns = {
  /** The runs of the hours before, oldest first. */
  readonly runPaths: readonly string[];
  /** Those of the hour just before. */
  readonly tailRunPaths: readonly string[];
  /** What is done without, a sentence each. */
  readonly faults: readonly string[];
};

/** Prepares the hours before this one, where it can be done, and lists their runs. Imported ones are among them. */
export async function findEarlierRuns(
  root: string,
  hour: Hour,
  prepare: (hour: Hour) => Promise<void>,
): Promise<EarlierRuns> {
  const reader = new HourLogReader(root);
  const faults: string[] = [];
  let runPaths: readonly string[] = [];
  let tailRunPaths: readonly string[] = [];
  for (let back = LINK_HOURS; back > 0; back -= 1) {
    const earlier = addHours(hour, -back);
    tailRunPaths = [];
    try {
      if (existsSync(sealPath(root, earlier))) await prepare(earlier);
      else if (!existsSync(readyPath(root, earlier)) && !holdsImports(reader, earlier)) continue; // past retention, or never was
      tailRunPaths = reader.runPaths(earlier);
    } catch (error) {
      if (!isLastingDamage(error)) throw error;
      faults.push(`Hour ${formatUtcHour(earlier)} (UTC): ${error instanceof Error ? error.message : String(error)}`);
    }
    runPaths = [...runPaths, ...tailRunPaths];
  }
  return { runPaths, tailRunPaths, faults };
}

/**
 * Links with the runs of the hours before. Does it anew when something could not be read and other runs count by then: an erasure
 * has put them into the place of those that were listed, and nobody else's visits may be lost by that.
 */
export async function linkWithEarlierRuns(
  folder: string,
  find: () => Promise<EarlierRuns>,
  link: (earlier: EarlierRuns) => Promise<LinkedRuns>,
): Promise<LinkedRuns> {
  for (let earlier = await find(); ;) {
    const linked = await link(earlier);
    const now = linked.faults.length > 0 ? await find() : earlier;
    if (JSON.stringify(now.runPaths) === JSON.stringify(earlier.runPaths))
      return { runs: linked.runs, faults: [...earlier.faults, ...linked.faults] };
    for (const run of linked.runs) await rm(join(folder, run), { force: true });
    earlier = now;
  }
}

function holdsImports(reader: HourLogReader, hour: Hour): boolean {
  return reader.committedImports().some(({ commit }) => commit.hours.some((entry) => entry.hour === hour));
}
