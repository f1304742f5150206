/**
 * `tidegate link add|list|remove`: the tracking links of a project.
 *
 * They work on the catalog itself, so they need no server, and one that runs knows the link at the next hit.
 */
import { parseLinkSchemes, parseLinkTarget } from '../ads/link-target.ts';
import type { Catalog, Project } from '../catalog/catalog.ts';
import { openExistingCatalog } from '../catalog/data-catalog.ts';
import type { TrackingLink } from '../catalog/tracking-link.ts';
import type { OptionValues } from '../config/parse-options.ts';
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import { systemClock } from '../lib/clock.ts';
import type { Command } from './command.ts';

type Print = (line: string) => void;

export const linkAddCommand: Command = {
  words: ['link', 'add'],
  summary: 'Make a tracking link and print it with its id and address.',
  options: [
    ...(['data', 'ai', 'name', 'target', 'campaign', 'channel', 'variable'] as const),
    ...(['link-schemes', 'public-url', 'json'] as const),
  ],
  required: ['ai', 'name', 'target'],
  run: async ({ options, print }) => {
    const target = parseLinkTarget(options.text('target'), parseLinkSchemes(options.list('link-schemes')));
    const variables = parseVariables(options.list('variable'));
    const [campaign, channel] = [options.optionalText('campaign'), options.optionalText('channel')];
    const link = await withProject(options, ({ links }, { ai }) =>
      links.create(
        {
          ai,
          name: options.text('name'),
          target,
          campaign: campaign === undefined ? undefined : { name: campaign },
          channel: channel === undefined ? undefined : { name: channel },
          variables,
        },
        systemClock.nowMs(),
      ),
    );
    printLink(link, options, print);
  },
};

export const linkListCommand: Command = {
  words: ['link', 'list'],
  summary: 'List the tracking links of a project.',
  options: ['data', 'ai', 'public-url', 'json'],
  required: ['ai'],
  run: async ({ options, print }) => {
    const links = await withProject(options, (catalog, { ai }) => catalog.links.list(ai));
    const described = links.map((link) => describe(link, options));
    if (options.flag('json')) print(JSON.stringify(described, null, 2));
    else if (links.length === 0) print('The project has no link yet; make one with: tidegate link add');
    else for (const { linkId, name, target } of links) print(`${linkId}  ${name}  ${target}`);
  },
};

export const linkRemoveCommand: Command = {
  words: ['link', 'remove'],
  summary:
    'Remove a tracking link: hits on it are answered with 404 from now on. Clicks before still count for activations.',
  options: ['data', 'ai', 'link', 'public-url', 'json'],
  required: ['ai', 'link'],
  run: async ({ options, print }) => {
    const link = await withProject(options, ({ links }, { ai }) =>
      links.archive(ai, options.text('link'), systemClock.nowMs()),
    );
    if (options.flag('json')) printLink(link, options, print);
    else print(`The link ${link.linkId} (${link.name}) is removed.`);
  },
};

/** @throws AppError unknown_project */
async function withProject<Result>(
  options: OptionValues,
  work: (catalog: Catalog, project: Project) => Promise<Result>,
): Promise<Result> {
  const catalog = await openExistingCatalog(options.text('data'), systemClock);
  try {
    const project = catalog.projects.findByAi(options.text('ai'));
    if (!project) throw new AppError('unknown_project', `There is no project ${options.text('ai')}.`);
    return await work(catalog, project);
  } finally {
    await catalog.close();
  }
}

/** @throws ConfigurationError */
function parseVariables(words: readonly string[]): Record<string, string> {
  const entries = words.map((word): [string, string] => {
    const mark = word.indexOf('=');
    if (mark < 1) throw new ConfigurationError([`--variable: "${word}" is no NAME=VALUE.`]);
    return [word.slice(0, mark), word.slice(mark + 1)];
  });
  if (new Set(entries.map(([name]) => name)).size < entries.length)
    throw new ConfigurationError(['--variable: a variable is given twice.']);
  return Object.fromEntries(entries);
}

function describe(link: TrackingLink, options: OptionValues): Record<string, unknown> {
  const { linkId, name, target, campaign, channel, variables, status, createdAtMs } = link;
  const base = options.optionalText('public-url');
  return {
    linkId,
    name,
    trackingUrl: `${base ?? ''}/l/${linkId}`,
    target,
    campaignId: campaign?.id ?? null,
    campaignName: campaign?.name ?? null,
    channelId: channel?.id ?? null,
    channelName: channel?.name ?? null,
    variables,
    status,
    createdAt: new Date(createdAtMs).toISOString(),
  };
}

function printLink(link: TrackingLink, options: OptionValues, print: Print): void {
  const description = describe(link, options);
  if (options.flag('json')) return print(JSON.stringify(description, null, 2));
  for (const [key, value] of Object.entries(description)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (value !== null) print(`${key.padEnd(16)}${text}`);
  }
  if (options.optionalText('public-url') === undefined)
    print('Put the address of the server before the path; with --public-url it is printed whole.');
}
