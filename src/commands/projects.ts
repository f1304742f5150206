/**
 * `tidegate project create|list|show`: the projects of a data directory.
 *
 * They work on the catalog itself, so they need no server, and one that runs sees the change at once.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Project } from '../catalog/catalog.ts';
import type { OptionValues } from '../config/parse-options.ts';
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import { systemClock } from '../lib/clock.ts';
import { openDataCatalog, openExistingCatalog } from '../catalog/data-catalog.ts';
import { SETTING_NAMES, type SettingName } from '../catalog/project-settings.ts';
import type { SettingChange, SettingTimeline } from '../catalog/setting-timeline.ts';
import { formatBeijingHour, hourOf, type Hour } from '../events/hour.ts';
import type { Command } from './command.ts';
import { describeChange, formatValue, SETTING_OPTIONS } from './project-settings.ts';

const LETTERS_AND_DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export const projectCreateCommand: Command = {
  words: ['project', 'create'],
  summary:
    'Make a project and print its keys. ai, uid and keys that shipped apps and scripts already hold can be taken over.',
  options: ['data', 'name', 'export-from', 'ai', 'uid', 'client-id', 'secret-file', 'json'],
  required: ['name'],
  run: async ({ options, print }) => {
    const project = await buildProject(options);
    const catalog = await openDataCatalog(options.text('data'), systemClock);
    try {
      await catalog.projects.create(project);
    } finally {
      await catalog.close();
    }
    printProject(project, options, print);
  },
};

export const projectListCommand: Command = {
  words: ['project', 'list'],
  summary: 'List the projects, without their secrets.',
  options: ['data', 'json'],
  run: async ({ options, print }) => {
    const catalog = await openExistingCatalog(options.text('data'), systemClock);
    const projects = await catalog.projects.list();
    await catalog.close();
    if (options.flag('json'))
      print(
        JSON.stringify(
          projects.map((project) => withoutSecret(describe(project))),
          null,
          2,
        ),
      );
    else if (projects.length === 0) print(hintAtFirstProject(options.text('data')));
    else for (const project of projects) print(`${project.ai}  ${project.uid}  ${project.name}`);
  },
};

export const projectShowCommand: Command = {
  words: ['project', 'show'],
  summary: 'Show one project with its keys and its settings.',
  options: ['data', 'ai', 'json'],
  required: ['ai'],
  run: async ({ options, print }) => {
    const catalog = await openExistingCatalog(options.text('data'), systemClock);
    const ai = options.text('ai');
    const project = catalog.projects.findByAi(ai);
    const timeline = catalog.settings.of(ai);
    await catalog.close();
    if (!project) throw new AppError('unknown_project', `There is no project ${ai}.`);
    const now = hourOf(systemClock.nowMs());
    const planned = timeline.plannedAfter(now);
    if (options.flag('json')) {
      const settings = Object.fromEntries(SETTING_NAMES.map((name) => [name, ownValue(timeline, name, now) ?? null]));
      print(JSON.stringify({ ...describe(project), settings, planned: planned.map(describeChange) }, null, 2));
      return;
    }
    printProject(project, options, print);
    print('');
    for (const name of SETTING_NAMES)
      print(`${SETTING_OPTIONS[name].padEnd(20)}${formatValue(ownValue(timeline, name, now))}`);
    for (const { setting, value, fromHour } of planned)
      print(
        `${SETTING_OPTIONS[setting].padEnd(20)}${formatValue(value)}, from hour ${formatBeijingHour(fromHour)} (Beijing time) on`,
      );
  },
};

/** Gives what the project itself says; the server's options are known to the server alone. */
function ownValue(timeline: SettingTimeline, name: SettingName, hour: Hour): SettingChange['value'] | undefined {
  return name === 'export' ? timeline.isExported(hour) : timeline.find(name, hour);
}

/** Says how the first project of a data directory is made. */
export function hintAtFirstProject(data: string): string {
  return `There is no project yet; make one with: tidegate project create --data ${data} --name NAME`;
}

type Description = {
  readonly ai: string;
  readonly uid: string;
  readonly clientId: string;
  readonly secret: string;
  readonly name: string;
  readonly exportEnabledAt: string;
};

function describe({ ai, uid, clientId, secret, name, exportEnabledAtMs }: Project): Description {
  return { ai, uid, clientId, secret, name, exportEnabledAt: new Date(exportEnabledAtMs).toISOString() };
}

function withoutSecret({ secret: _secret, ...rest }: Description): Omit<Description, 'secret'> {
  return rest;
}

function printProject(project: Project, options: OptionValues, print: (line: string) => void): void {
  const description = describe(project);
  if (options.flag('json')) return print(JSON.stringify(description, null, 2));
  for (const [key, value] of Object.entries(description)) print(`${key.padEnd(16)}${value}`);
}

/** Builds a project from the options; what is not given is drawn. @throws ConfigurationError for values that no client could use */
async function buildProject(options: OptionValues): Promise<Project> {
  const nowMs = systemClock.nowMs();
  const secretFile = options.optionalText('secret-file');
  const project: Project = {
    ai: options.optionalText('ai') ?? randomBytes(8).toString('hex'),
    uid: options.optionalText('uid') ?? drawText(8),
    clientId: options.optionalText('client-id') ?? randomBytes(16).toString('hex'),
    secret: secretFile === undefined ? randomBytes(32).toString('hex') : await readSecret(secretFile),
    name: options.text('name'),
    exportEnabledAtMs: options.optionalInstantMs('export-from') ?? nowMs,
    createdAtMs: nowMs,
  };
  const faults: string[] = [];
  if (!/^[0-9A-Za-z-]{1,64}$/.test(project.ai)) faults.push('--ai: only letters, digits and -, at most 64.');
  if (!/^[0-9A-Za-z]{8}$/.test(project.uid)) faults.push('--uid: eight letters and digits.');
  if (!/^[\x21-\x7e]{1,128}$/.test(project.clientId))
    faults.push('--client-id: printable ASCII without blanks, at most 128, since it is sent in a header.');
  if (project.name.length > 200 || /\p{Cc}/u.test(project.name))
    faults.push('--name: at most 200 characters, and no control characters.'); // each project is a line of the list
  if (faults.length > 0) throw new ConfigurationError(faults);
  return project;
}

async function readSecret(path: string): Promise<string> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigurationError([
      `--secret-file: ${path} cannot be read (${error instanceof Error ? error.message : String(error)}).`,
    ]);
  }
  const secret = content.split(/\r?\n/, 1)[0]!.trim();
  if (secret === '') throw new ConfigurationError([`--secret-file: the first line of ${path} is empty.`]);
  return secret;
}

function drawText(length: number): string {
  return Array.from({ length }, () => LETTERS_AND_DIGITS[randomInt(LETTERS_AND_DIGITS.length)]).join('');
}
