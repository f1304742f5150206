/** `tidegate import`: fills past hours from NDJSON files and returns when they can be downloaded. */
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import { formatBeijingHour } from '../events/hour.ts';
import type { ImportSummary } from '../imports/import-events.ts';
import { sourceOf } from '../imports/ndjson-lines.ts';
import type { Command } from './command.ts';
import { ImportProgressPrinter } from './import-progress.ts';
import { sizeOfFile } from './named-file.ts';
import { WORKSHOP_OPTIONS, workshopConfigOf } from './server-config.ts';

export const importCommand: Command = {
  words: ['import'],
  summary: 'Fill past hours of a project from NDJSON: one wire event a line, with its sendTime (ms) and platform.',
  positionals: 'FILE… (- for standard input)',
  options: [...WORKSHOP_OPTIONS, 'ai', 'json'],
  required: ['ai'],
  run: async ({ options, positionals, print }) => {
    if (positionals.length === 0) throw new ConfigurationError(['Name the files to import, or - for standard input.']);
    const totalBytes = await sizeOf(positionals);
    const [{ openWorkshop }, { importEvents }] = await Promise.all([
      import('../system.ts'),
      import('../imports/import-events.ts'),
    ]);
    const config = workshopConfigOf(options);
    const workshop = await openWorkshop(config);
    try {
      const project = workshop.catalog.projects.findByAi(options.text('ai'));
      if (!project) throw new AppError('unknown_project', `There is no project ${options.text('ai')}.`);
      const progress = new ImportProgressPrinter({ output: process.stderr, totalBytes });
      const summary = await importEvents(
        {
          ...workshop,
          project,
          clock: config.clock,
          retentionDays: options.integer('retention-days'),
          onProgress: (step) => progress.show(step),
          onWarning: (message) => config.logger.warn(message),
        },
        positionals.map(sourceOf),
      ).finally(() => progress.end());
      printSummary(summary, options.flag('json'), print);
    } finally {
      await workshop.close();
    }
  },
};

/** Adds up the files' sizes; undefined when standard input is among them. */
async function sizeOf(names: readonly string[]): Promise<number | undefined> {
  let bytes = 0;
  for (const name of names) {
    if (name === '-') return undefined;
    bytes += await sizeOfFile(name);
  }
  return bytes;
}

function printSummary(summary: ImportSummary, asJson: boolean, print: (line: string) => void): void {
  const { events, rejected, ignored, reasons } = summary;
  const hours = summary.hours.map(formatBeijingHour);
  if (asJson) return print(JSON.stringify({ events, rejected, ignored, reasons, hours }));
  const span =
    hours.length === 0
      ? 'no hour'
      : `${hours.length} ${hours.length === 1 ? 'hour' : 'hours'}, ${hours[0]!} to ${hours.at(-1)!} (Beijing time), FINISHED`;
  print(`Imported ${events} events (${rejected} rejected, ${ignored} ignored) into ${span}.`);
  for (const [reason, count] of Object.entries(reasons)) print(`  rejected ${count}: ${reason}`);
}
