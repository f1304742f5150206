/**
 * `tidegate erase backup`: makes a backup anew without some visitors, in its place.
 *
 * Steps: the backup is restored into a folder beside it → the visitors are erased there, as from any data directory → a backup is made of
 * that → it takes the old one's name, and the old one is deleted. Until then the old one is untouched; a command that was killed
 * between the two renames is finished by the next. Takes as much room again as the backup, twice.
 */
import { rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { readFileList } from '../backup/backup-file-list.ts';
import { createBackup } from '../backup/create-backup.ts';
import { restoreBackup } from '../backup/restore-backup.ts';
import { backupListPath } from '../catalog/data-catalog.ts';
import { refuseVisitors, type Erasure } from '../catalog/erasures.ts';
import type { OptionValues } from '../config/parse-options.ts';
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import { isThere, syncFolder } from '../lib/atomic-file.ts';
import { systemClock } from '../lib/clock.ts';
import type { Command } from './command.ts';
import { workUntilErased } from './erase.ts';
import { WORKSHOP_OPTIONS, workshopConfigOf } from './server-config.ts';

export const eraseBackupCommand: Command = {
  words: ['erase', 'backup'],
  summary: 'Make backups anew without some visitors of a project, each in its place.',
  positionals: 'DIR… (backups)',
  options: [...WORKSHOP_OPTIONS.filter((name) => name !== 'data'), 'ai', 'visitor', 'json'],
  required: ['ai', 'visitor'],
  run: async ({ options, positionals, print, signal }) => {
    if (positionals.length === 0) throw new ConfigurationError(['Name the backups behind the options.']);
    refuseVisitors(options.list('visitor'));
    const ai = options.text('ai');
    const erased: { readonly backup: string; readonly hours: readonly object[] | null }[] = [];
    for (const backup of positionals) {
      const erasure = await eraseBackup(resolve(backup), options, signal);
      const hours = erasure ? (erasure.certificate?.hours ?? []) : null;
      erased.push({ backup, hours });
      if (!options.flag('json')) print(`${backup}: ${describeHours(hours, ai)}`);
    }
    if (options.flag('json')) print(JSON.stringify(erased, null, 2));
    // One backup may be older than the project; of a project that none has, the ai is misspelt.
    if (erased.every(({ hours }) => hours === null))
      throw new AppError('unknown_project', `There is no project ${ai} in what was named, and nothing was erased.`);
  },
};

function describeHours(hours: readonly object[] | null, ai: string): string {
  if (hours === null) return `there is no project ${ai} in it, so nothing was to erase.`;
  if (hours.length === 0) return 'none of the visitors was in it.';
  return `visitors were in ${hours.length} ${hours.length === 1 ? 'hour' : 'hours'}, and are in it no more.`;
}

/** Erases from one backup. Undefined when it does not know the project. */
async function eraseBackup(from: string, options: OptionValues, signal: AbortSignal): Promise<Erasure | undefined> {
  const [work, made, old] = [`${from}.erasing`, `${from}.erased`, `${from}.before-erasing`];
  if (!(await isThere(from)) && (await isThere(backupListPath(made)))) await rename(made, from);
  const { startedAt } = await readFileList(from);
  for (const leftover of [work, made, old]) await rm(leftover, { recursive: true, force: true });
  try {
    await restoreBackup({ from, data: work, signal });
    const erasure = await eraseFrom(work, options, signal);
    if (erasure) {
      // The promise of a backup is about its own time, and not about that of its erasure.
      const clock = { nowMs: () => Date.parse(startedAt) };
      const { faults } = await createBackup({ data: work, target: made, clock, signal });
      if (faults.length > 0) throw new AppError('backup_failed', faults.join(' '));
      await rename(from, old);
      await rename(made, from);
      await syncFolder(dirname(from));
    }
    return erasure;
  } finally {
    for (const leftover of [work, made]) await rm(leftover, { recursive: true, force: true });
    if (await isThere(from)) await rm(old, { recursive: true, force: true });
  }
}

async function eraseFrom(data: string, options: OptionValues, signal: AbortSignal): Promise<Erasure | undefined> {
  const { openWorkshop } = await import('../system.ts');
  const workshop = await openWorkshop(workshopConfigOf(options, data));
  try {
    const ai = options.text('ai');
    const { projects, erasures } = workshop.catalog;
    if (!projects.findByAi(ai)) return undefined;
    const { id } = await erasures.create({ ai, visitorIds: options.list('visitor'), nowMs: systemClock.nowMs() });
    return await workUntilErased(workshop, { ai, id }, signal);
  } finally {
    await workshop.close();
  }
}
