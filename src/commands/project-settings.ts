/**
 * `tidegate project set` and `tidegate project history`: changes a project's settings while servers run, and shows who changed what.
 *
 * The options are the names of the settings; what the environment says to a server is not taken for a project's. Every server
 * process on the data directory sees the change at its next request; most are in force from the next hour on (docs/settings.md).
 */
import { userInfo } from 'node:os';
import type { SettingTable } from '../catalog/catalog.ts';
import { openExistingCatalog } from '../catalog/data-catalog.ts';
import { SETTING_NAMES, SETTING_RULES, type SettingName } from '../catalog/project-settings.ts';
import { nextHourAfter, type SettingChange } from '../catalog/setting-timeline.ts';
import { ClientAddresses } from '../collector/client-address.ts';
import type { OptionName } from '../config/option-table.ts';
import type { OptionValues } from '../config/parse-options.ts';
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import { formatBeijingHour, hourOf, HOUR_MS, type Hour } from '../events/hour.ts';
import { systemClock } from '../lib/clock.ts';
import type { Command } from './command.ts';

type Values = Parameters<SettingTable['change']>[1]['values'];

/** The option of each setting. */
export const SETTING_OPTIONS: Readonly<Record<SettingName, OptionName>> = {
  export: 'export',
  retentionDays: 'retention-days',
  packageBytes: 'package-bytes',
  gzipLevel: 'gzip-level',
  extendedColumns: 'extended-columns',
  lineBreaks: 'line-breaks',
  legacyExport: 'legacy-export',
  ingestLimitBytes: 'ingest-limit-bytes',
  callLimit: 'call-limit',
  trustedProxies: 'trusted-proxies',
};

const CHANGED_OPTIONS = SETTING_NAMES.map((name) => SETTING_OPTIONS[name]);

export const projectSetCommand: Command = {
  words: ['project', 'set'],
  summary: "Change a project's settings, from the next hour on; what is not named stays as it is.",
  options: ['data', 'ai', ...CHANGED_OPTIONS, 'reset', 'from', 'at-once', 'by', 'json'],
  required: ['ai'],
  argumentsOnly: [...CHANGED_OPTIONS, 'reset', 'from', 'at-once', 'by'],
  run: async ({ options, print }) => {
    const nowMs = systemClock.nowMs();
    const values = readValues(options);
    const change = { values, fromHour: readFromHour(options, values, nowMs), nowMs, by: readBy(options) };
    const ai = options.text('ai');
    const catalog = await openExistingCatalog(options.text('data'), systemClock);
    try {
      await catalog.settings.change(ai, change);
      const made = (await catalog.settings.history(ai)).slice(-Object.keys(values).length);
      if (options.flag('json')) print(JSON.stringify(made.map(describeChange), null, 2));
      else for (const each of made) print(sentenceOf(each));
    } finally {
      await catalog.close();
    }
  },
};

export const projectHistoryCommand: Command = {
  words: ['project', 'history'],
  summary: "Show every change of a project's settings: what, from which hour on, when and by whom.",
  options: ['data', 'ai', 'json'],
  required: ['ai'],
  run: async ({ options, print }) => {
    const ai = options.text('ai');
    const catalog = await openExistingCatalog(options.text('data'), systemClock);
    try {
      if (!catalog.projects.findByAi(ai)) throw new AppError('unknown_project', `There is no project ${ai}.`);
      const changes = await catalog.settings.history(ai);
      if (options.flag('json')) print(JSON.stringify(changes.map(describeChange), null, 2));
      else if (changes.length === 0) print('No setting of this project was ever changed.');
      else
        for (const change of changes)
          print(`${new Date(change.changedAtMs).toISOString()}  ${change.changedBy}: ${sentenceOf(change)}`);
    } finally {
      await catalog.close();
    }
  },
};

/** What the commands print of a change. */
export function describeChange({ setting, value, fromHour, changedAtMs, changedBy }: SettingChange): object {
  return {
    setting,
    value,
    fromHour: formatBeijingHour(fromHour),
    changedAt: new Date(changedAtMs).toISOString(),
    changedBy,
  };
}

/** Writes a value as the option takes it; what a project does not have is the server's. */
export function formatValue(value: SettingChange['value'] | undefined): string {
  if (value === null || value === undefined) return "the server's own";
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return typeof value === 'object' ? value.join(',') || 'none' : String(value);
}

function sentenceOf({ setting, value, fromHour }: SettingChange): string {
  return `${SETTING_OPTIONS[setting]} is ${formatValue(value)} from hour ${formatBeijingHour(fromHour)} (Beijing time) on.`;
}

/** Reads the values that are given. @throws ConfigurationError when there is none, or one is given and taken back */
function readValues(options: OptionValues): Values {
  const given: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) {
    const value = readValue(options, name);
    if (value !== undefined) given[name] = value;
  }
  const faults: string[] = [];
  for (const option of options.optionalList('reset') ?? []) {
    const name = SETTING_NAMES.find((known) => SETTING_OPTIONS[known] === option);
    if (name === undefined) faults.push(`--reset: "${option}" is none of ${CHANGED_OPTIONS.join(', ')}.`);
    else if (name in given) faults.push(`--${option} is given and reset at once.`);
    else given[name] = null;
  }
  if (faults.length === 0 && Object.keys(given).length === 0) faults.push('Name a setting to change; see --help.');
  if (faults.length > 0) throw new ConfigurationError(faults);
  if (Array.isArray(given.trustedProxies)) new ClientAddresses(given.trustedProxies); // refuses what is none
  return given as Values;
}

function readValue(options: OptionValues, name: SettingName): unknown {
  const option = SETTING_OPTIONS[name];
  switch (name) {
    case 'export':
    case 'extendedColumns':
    case 'legacyExport': {
      const text = options.optionalText(option);
      return text === undefined ? undefined : text === 'on';
    }
    case 'lineBreaks':
      return options.optionalText(option);
    case 'trustedProxies':
      return options.optionalList(option);
    default:
      return options.optionalInteger(option);
  }
}

/** Finds the hour from which the change is in force: never one that has begun, but for what may change at once. */
function readFromHour(options: OptionValues, values: Values, nowMs: number): Hour {
  const next = nextHourAfter(nowMs);
  const fromMs = options.optionalInstantMs('from');
  const isAtOnce = options.flag('at-once');
  const faults: string[] = [];
  if (isAtOnce && fromMs !== undefined) faults.push('--at-once and --from contradict each other.');
  const bound = (Object.keys(values) as SettingName[]).filter((name) => !SETTING_RULES[name].mayChangeAtOnce);
  if (isAtOnce && bound.length > 0)
    faults.push(
      `--at-once: ${bound.map((name) => SETTING_OPTIONS[name]).join(', ')} can change with an hour only; hours that have begun stay as they are.`,
    );
  const from = fromMs === undefined ? next : hourOf(fromMs + HOUR_MS - 1);
  if (from < next) faults.push('--from: hours that have begun stay as they are; name an instant to come.');
  if (faults.length > 0) throw new ConfigurationError(faults);
  return isAtOnce ? hourOf(nowMs) : from;
}

function readBy(options: OptionValues): string {
  const by = options.optionalText('by') ?? osUser();
  if (by.length > 200 || /\p{Cc}/u.test(by))
    throw new ConfigurationError(['--by: at most 200 characters, and no control characters.']);
  return by;
}

/** A container may run as a user that no file names. */
function osUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}
