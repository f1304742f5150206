/** `tidegate backup`: copies a data directory while the server runs. */
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import { systemClock } from '../lib/clock.ts';
import type { Command } from './command.ts';

const MAX_NAMED_FAULTS = 5;

export const backupCommand: Command = {
  words: ['backup'],
  summary: 'Copy the data directory into a folder that is empty or not there yet; the server may go on running.',
  positionals: 'TARGET',
  options: ['data', 'json'],
  run: async ({ options, positionals, print, signal }) => {
    const [target, ...more] = positionals;
    if (target === undefined || more.length > 0)
      throw new ConfigurationError(['Name one folder to make the backup in.']);
    const { createBackup } = await import('../backup/create-backup.ts');
    const startedAt = new Date(systemClock.nowMs());
    const { files, faults } = await createBackup({ data: options.text('data'), target, clock: systemClock, signal });
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    if (options.flag('json')) print(JSON.stringify({ startedAt, files: files.length, bytes, faults }, null, 2));
    else
      print(
        `${target} holds ${files.length} files with ${bytes} bytes: everything taken before ${startedAt.toISOString()}.`,
      );
    if (faults.length > 0) {
      const named = faults.slice(0, MAX_NAMED_FAULTS).join(' ');
      throw new AppError(
        'store_corrupt',
        `The backup was made, but the data directory itself has ${faults.length} faults: ${named}`,
      );
    }
  },
};
