/** `tidegate restore`: makes a data directory out of a backup. */
import { ConfigurationError } from '../errors/app-error.ts';
import type { Command } from './command.ts';

export const restoreCommand: Command = {
  words: ['restore'],
  summary: 'Make a data directory, which is empty or not there yet, out of a backup; every file is checked.',
  positionals: 'DIR (a backup)',
  options: ['data', 'json'],
  run: async ({ options, positionals, print, signal }) => {
    const [from, ...more] = positionals;
    if (from === undefined || more.length > 0) throw new ConfigurationError(['Name the folder of one backup.']);
    const { restoreBackup } = await import('../backup/restore-backup.ts');
    const data = options.text('data');
    const { startedAt, files } = await restoreBackup({ from, data, signal });
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    if (options.flag('json')) print(JSON.stringify({ startedAt, files: files.length, bytes }, null, 2));
    else print(`${data} is what was taken at ${startedAt}: ${files.length} files, ${bytes} bytes.`);
  },
};
