/**
 * `tidegate rejected list|download|replay`: what had no place in any table, and a second try for it.
 *
 * They work on the data directory itself, beside a server or without one. `replay` appends to the open hour as a collector does.
 */
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Catalog } from '../catalog/catalog.ts';
import { openExistingCatalog } from '../catalog/data-catalog.ts';
import type { OptionValues } from '../config/parse-options.ts';
import { inDataDirectory } from '../errors/data-directory.ts';
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import { formatBeijingHour, hourOf, type Hour } from '../events/hour.ts';
import type { RejectedEvents, RejectedHour } from '../exports/rejected-events.ts';
import { sourceOf, type NdjsonSource } from '../imports/ndjson-lines.ts';
import type { ReplaySummary } from '../imports/replay-rejected.ts';
import { systemClock } from '../lib/clock.ts';
import { isSystemError } from '../lib/system-error.ts';
import type { HourLogReader } from '../store/hour-log/hour-log-reader.ts';
import type { HourLog } from '../store/hour-log/hour-log.ts';
import type { Command } from './command.ts';
import { hourOption } from './hour-option.ts';
import { sizeOfFile } from './named-file.ts';

const HOURS_AT_ONCE = 100;

export const rejectedListCommand: Command = {
  words: ['rejected', 'list'],
  summary: 'Count the rejected events of a project by hour and reason.',
  options: ['data', 'ai', 'hour', 'retention-days', 'json'],
  required: ['ai'],
  run: ({ options, print }) =>
    withOpened(options, async ({ ai, rejected, kept }) => {
      const hours: RejectedHour[] = [];
      if (options.optionalText('hour') !== undefined) {
        const hour = hourOption(options);
        await rejected.makeReady(hour, kept());
        hours.push(await rejected.countReasons(ai, hour));
      } else {
        const { nowMs, keptFrom } = kept();
        for (let from: Hour | undefined = keptFrom; from !== undefined;) {
          const page = await rejected.listHours(ai, { from, until: hourOf(nowMs), limit: HOURS_AT_ONCE });
          hours.push(...page.hours);
          from = page.next;
        }
      }
      const found = hours.filter(({ events }) => events > 0);
      if (options.flag('json')) print(JSON.stringify(found.map(describe), null, 2));
      else printHours(found, print);
    }),
};

export const rejectedDownloadCommand: Command = {
  words: ['rejected', 'download'],
  summary: 'Write the rejected events of an hour to standard output, one a line, with their reasons.',
  options: ['data', 'ai', 'hour', 'retention-days'],
  required: ['ai', 'hour'],
  run: ({ options }) =>
    withOpened(options, async ({ ai, rejected, kept }) => {
      const hour = hourOption(options);
      await rejected.makeReady(hour, kept());
      try {
        await pipeline(Readable.from(rejected.ndjson(ai, hour), { objectMode: false }), process.stdout, { end: false });
      } catch (error) {
        if (!isSystemError(error, 'EPIPE')) throw error; // whoever reads has had enough, as `head` does
      }
    }),
};

export const rejectedReplayCommand: Command = {
  words: ['rejected', 'replay'],
  summary:
    'Map the rejected events of an hour again, or an edited download of them, and send what is taken now; each once.',
  options: ['data', 'ai', 'hour', 'file', 'retention-days', 'fsync', 'json'],
  required: ['ai'],
  run: ({ options, print, signal }) =>
    withOpened(options, async ({ ai, catalog, store, reader, rejected, kept, storeRoot }) => {
      const { replayRejected } = await import('../imports/replay-rejected.ts');
      const file = options.optionalText('file');
      if ((file === undefined) === (options.optionalText('hour') === undefined))
        throw new ConfigurationError(['Name the hour to replay with --hour, or an edited download with --file.']);
      let source: NdjsonSource;
      if (file === undefined) {
        const hour = hourOption(options);
        await rejected.makeReady(hour, kept());
        const bytes = Readable.from(rejected.ndjson(ai, hour), { objectMode: false }) as AsyncIterable<Buffer>;
        source = { name: `hour ${formatBeijingHour(hour)}`, bytes };
      } else {
        if (file !== '-') await sizeOfFile(file);
        source = sourceOf(file);
      }
      const retentionDays = options.integer('retention-days');
      const summary = await replayRejected(
        { ai, catalog, store, reader, rejected, storeRoot, clock: systemClock, retentionDays, signal },
        source,
      );
      printReplay(summary, options.flag('json'), print);
      if (signal.aborted) process.stderr.write('tidegate: interrupted; run the command again for the rest.\n');
    }),
};

type Opened = {
  readonly ai: string;
  readonly catalog: Catalog;
  readonly store: HourLog;
  readonly reader: HourLogReader;
  readonly rejected: RejectedEvents;
  readonly storeRoot: string;
  /** What is kept at this moment. */
  readonly kept: () => { readonly nowMs: number; readonly keptFrom: Hour };
};

async function withOpened(options: OptionValues, work: (opened: Opened) => Promise<void>): Promise<void> {
  const ai = options.text('ai');
  const data = options.text('data');
  const catalog = await openExistingCatalog(data, systemClock);
  try {
    if (!catalog.projects.findByAi(ai)) throw new AppError('unknown_project', `There is no project ${ai}.`);
    const [{ HourLog }, { HourLogReader }, { storeJobsInPlace }, { RejectedEvents }] = await Promise.all([
      import('../store/hour-log/hour-log.ts'), // here, so that other commands start without them
      import('../store/hour-log/hour-log-reader.ts'),
      import('../store/hour-log/store-jobs.ts'),
      import('../exports/rejected-events.ts'),
    ]);
    const storeRoot = join(data, 'hour-log');
    const syncs = options.optionalText('fsync') !== 'never';
    const store = await inDataDirectory('The hour log', storeRoot, () =>
      HourLog.open({ root: storeRoot, clock: systemClock, jobs: storeJobsInPlace, syncs }),
    );
    try {
      const reader = new HourLogReader(storeRoot);
      const rejected = new RejectedEvents({ reader, store, key: catalog.serverKeys.linkKey });
      const kept = (): ReturnType<Opened['kept']> => {
        const nowMs = systemClock.nowMs();
        return { nowMs, keptFrom: catalog.settings.of(ai).keptFrom(nowMs, options.integer('retention-days')) };
      };
      await work({ ai, catalog, store, reader, rejected, storeRoot, kept });
    } finally {
      await store.close();
    }
  } finally {
    await catalog.close();
  }
}

function describe({ hour, events, reasons }: RejectedHour): object {
  return { hour: formatBeijingHour(hour), events, reasons };
}

function printHours(hours: readonly RejectedHour[], print: (line: string) => void): void {
  if (hours.length === 0) return print('No event of a closed hour was rejected.');
  for (const { hour, events, reasons } of hours) {
    print(`Hour ${formatBeijingHour(hour)} (Beijing time): ${events} rejected`);
    for (const { reason, events: count } of reasons) print(`  ${count}: ${reason}`);
  }
}

function printReplay(summary: ReplaySummary, asJson: boolean, print: (line: string) => void): void {
  if (asJson) return print(JSON.stringify(summary));
  const { events, replayed, sentBefore, ignored, rejected, reasons } = summary;
  print(
    `Of ${events} events ${replayed} were sent again; ${sentBefore} had been before, ${ignored} are of types that are not exported, ${rejected} are rejected still.`,
  );
  for (const [reason, count] of Object.entries(reasons)) print(`  ${count}: ${reason}`);
}
