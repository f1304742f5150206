/**
 * `tidegate export retry`: tries the export of an hour again, after a person has mended what it failed for. Of an hour that is FINISHED
 * it has the packages of the 1.0 API made again, which are made of published ones: one that is lost or damaged is replaced.
 *
 * Works on the catalog alone: a running server looks for such tasks twice a second, and one that starts later finds it.
 */
import type { Catalog, ExportTask } from '../catalog/catalog.ts';
import { openExistingCatalog } from '../catalog/data-catalog.ts';
import type { SettingTimeline } from '../catalog/setting-timeline.ts';
import { AppError } from '../errors/app-error.ts';
import { addHours, formatBeijingHour, formatRequestTime, hourEndMs, type Hour } from '../events/hour.ts';
import { systemClock, waitFor } from '../lib/clock.ts';
import type { Command } from './command.ts';
import { hourOption } from './hour-option.ts';

type Print = (line: string) => void;

const POLL_MS = 200;

export const exportRetryCommand: Command = {
  words: ['export', 'retry'],
  summary:
    'Try the export of an hour again that is in ERROR, once what its message names is mended; of one that is FINISHED, make its 1.0 packages again.',
  options: ['data', 'ai', 'hour', 'retention-days', 'wait'],
  required: ['ai', 'hour'],
  run: async ({ options, print }) => {
    const hour = hourOption(options);
    const catalog = await openExistingCatalog(options.text('data'), systemClock);
    try {
      const project = catalog.projects.findByAi(options.text('ai'));
      if (!project) throw new AppError('unknown_project', `There is no project ${options.text('ai')}.`);
      const task = await readTask(catalog, project.ai, hour);
      refuseHour(catalog.settings.of(project.ai), hour, options.integer('retention-days'));
      if (task?.status === 'finished') {
        await retryFinished(catalog, hour, task, print);
        return;
      }
      await catalog.tasks.restart(project.ai, [hour], systemClock.nowMs());
      printWhatHappens(hour, task, print);
      if (options.flag('wait')) await waitForEnd(catalog, project.ai, hour, print);
    } finally {
      await catalog.close();
    }
  },
};

function nameOf(hour: Hour): string {
  return `Hour ${formatBeijingHour(hour)} (Beijing time)`;
}

async function readTask({ tasks }: Catalog, ai: string, hour: Hour): Promise<ExportTask | undefined> {
  const [task] = await tasks.list(ai, { from: hour, until: addHours(hour, 1) });
  return task;
}

/** Refuses an hour that does not exist for the project. @throws AppError retry_refused */
function refuseHour(settings: SettingTimeline, hour: Hour, defaultDays: number): void {
  const nowMs = systemClock.nowMs();
  const days = settings.retentionDays(nowMs, defaultDays);
  const { exportEnabledAtMs } = settings;
  const why =
    hourEndMs(hour) > nowMs
      ? 'has not ended yet'
      : !settings.isExported(hour)
        ? hourEndMs(hour) <= exportEnabledAtMs
          ? `ended before export was enabled at ${formatRequestTime(exportEnabledAtMs)} UTC`
          : 'ended while export was disabled for the project'
        : hour < settings.keptFrom(nowMs, defaultDays)
          ? `is past retention (${days} days); what it exported would be deleted at once`
          : undefined;
  if (why !== undefined) throw new AppError('retry_refused', `${nameOf(hour)} ${why}.`);
}

/** Has the 1.0 packages of a published hour made again. @throws AppError retry_refused when it has none */
async function retryFinished(
  { manifests, legacy }: Catalog,
  hour: Hour,
  { ai }: ExportTask,
  print: Print,
): Promise<void> {
  const manifest = await manifests.newest(ai, hour);
  const revision = manifest ? ` with revision ${manifest.revision}` : '';
  if (await legacy.restart(ai, hour, systemClock.nowMs())) {
    print(`${nameOf(hour)} is FINISHED${revision}. Its packages of the 1.0 API are made again, by the server.`);
    return;
  }
  throw new AppError(
    'retry_refused',
    `${nameOf(hour)} is FINISHED${revision}; another export would publish the same rows as a new revision.`,
  );
}

function printWhatHappens(hour: Hour, task: ExportTask | undefined, print: Print): void {
  if (task?.error) print(`${nameOf(hour)} ${task.status === 'failed' ? 'was in ERROR' : 'waited'}: ${task.error}`);
  print('Its export is tried now if a server runs on this data directory, else when one starts.');
}

/** Waits until the hour is FINISHED. @throws AppError hour_failed */
async function waitForEnd(catalog: Catalog, ai: string, hour: Hour, print: Print): Promise<void> {
  let told: string | null = null;
  for (;;) {
    const task = await readTask(catalog, ai, hour);
    if (!task) throw new AppError('hour_failed', `${nameOf(hour)} is not kept any more.`);
    if (task.status === 'finished') {
      const manifest = await catalog.manifests.newest(ai, hour);
      const facts = manifest ? `: revision ${manifest.revision}, ${manifest.packages.length} packages` : '';
      print(`${nameOf(hour)} is FINISHED${facts}.`);
      return;
    }
    if (task.status === 'failed')
      throw new AppError(
        'hour_failed',
        `${nameOf(hour)} is in ERROR again: ${task.error ?? 'no reason was recorded.'}`,
      );
    if (task.error !== null && task.error !== told) print(`A try failed and is repeated: ${task.error}`);
    told = task.error;
    await waitFor(POLL_MS);
  }
}
