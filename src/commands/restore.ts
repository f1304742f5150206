/** `tidegate restore`: makes a data directory out of a backup. */
import type { Command } from './command.ts';

export const restoreCommand: Command = {
  words: ['restore'],
  summary: 'Make a data directory, which is empty or not there yet, out of a backup; every file is checked.',
  options: ['from', 'data', 'json'],
  required: ['from'],
  run: async ({ options, print, signal }) => {
    const { restoreBackup } = await import('../backup/restore-backup.ts');
    const data = options.text('data');
    const { startedAt, files } = await restoreBackup({ from: options.text('from'), data, signal });
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    if (options.flag('json')) print(JSON.stringify({ startedAt, files: files.length, bytes }, null, 2));
    else print(`${data} is what it was at ${startedAt}: ${files.length} files with ${bytes} bytes.`);
  },
};
