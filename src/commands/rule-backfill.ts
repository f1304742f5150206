/** `tidegate rule backfill`: gives past hours the tags of rules made after them, and returns when they can be downloaded. */
import { refuseUnusable } from '../catalog/data-catalog.ts';
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import { formatBeijingHour } from '../events/hour.ts';
import type { Command } from './command.ts';
import { optionalHourOption } from './hour-option.ts';
import { ImportProgressPrinter } from './import-progress.ts';
import { WORKSHOP_OPTIONS, workshopConfigOf } from './server-config.ts';

export const ruleBackfillCommand: Command = {
  words: ['rule', 'backfill'],
  summary:
    'Give the actions of hours that have ended the tags of rules that were made later, as a new revision of those hours.',
  options: [...WORKSHOP_OPTIONS, 'ai', 'rule', 'from-hour', 'until-hour', 'json'],
  required: ['ai'],
  run: async ({ options, print }) => {
    const from = optionalHourOption(options, 'from-hour');
    const until = optionalHourOption(options, 'until-hour');
    if (from !== undefined && until !== undefined && from >= until)
      throw new ConfigurationError(['--until-hour: the hour before which to end must be later than --from-hour.']);
    refuseUnusable(options.text('data'));
    const [{ openWorkshop }, { backfillTags }] = await Promise.all([
      import('../system.ts'),
      import('../imports/backfill-tags.ts'),
    ]);
    const config = workshopConfigOf(options);
    const workshop = await openWorkshop(config);
    try {
      const project = workshop.catalog.projects.findByAi(options.text('ai'));
      if (!project) throw new AppError('unknown_project', `There is no project ${options.text('ai')}.`);
      const progress = new ImportProgressPrinter({ output: process.stderr, totalBytes: undefined });
      const { tags, hours, damaged } = await backfillTags({
        ...workshop,
        project,
        ruleId: options.optionalText('rule'),
        from,
        until,
        clock: config.clock,
        retentionDays: options.integer('retention-days'),
        onProgress: (step) => progress.show(step),
      }).finally(() => progress.end());
      const names = hours.map(formatBeijingHour);
      const failed = damaged.map(({ hour }) => formatBeijingHour(hour));
      if (options.flag('json')) print(JSON.stringify({ tags, hours: names, failed }));
      else if (tags === 0) print('There is no tag to add.');
      else
        print(
          `Added ${tags} tags to ${names.length} hours, ${names[0]!} to ${names.at(-1)!} (Beijing time), FINISHED.`,
        );
      if (failed.length > 0)
        throw new AppError(
          'backfill_incomplete',
          `${failed.length === 1 ? 'Hour' : 'Hours'} ${failed.join(', ')} (Beijing time) could not be read and got no tags: ` +
            [...new Set(damaged.map(({ why }) => why))].join(' '),
        );
    } finally {
      await workshop.close();
    }
  },
};
