/** `tidegate backup`: copies a data directory while the server runs. */
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import { systemClock } from '../lib/clock.ts';
import type { Command } from './command.ts';

const MAX_NAMED_FAULTS = 5;

export const backupCommand: Command = {
  words: ['backup'],
  summary: 'Copy the data directory into a folder that is empty or not there yet; the server may go on running.',
  positionals: 'DIR (where to)',
  options: ['data', 'json'],
  run: async ({ options, positionals, print, signal }) => {
    const [target, ...more] = positionals;
    if (target === undefined || more.length > 0)
      throw new ConfigurationError(['Name one folder to make the backup in.']);
    const { createBackup } = await import('../backup/create-backup.ts');
    const data = options.text('data');
    const { startedAt, files, faults } = await createBackup({ data, target, clock: systemClock, signal });
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    if (options.flag('json')) print(JSON.stringify({ startedAt, files: files.length, bytes, faults }, null, 2));
    else
      print(
        `${target} holds what was stored before ${startedAt.toISOString()}: ${files.length} files, ${bytes} bytes.`,
      );
    if (faults.length === 0) return;
    const others = faults.length > MAX_NAMED_FAULTS ? ` (and ${faults.length - MAX_NAMED_FAULTS} more)` : '';
    throw new AppError(
      'verification_failed',
      `The backup was made, but the data directory itself is damaged: ${faults.slice(0, MAX_NAMED_FAULTS).join(' ')}${others}`,
    );
  },
};
