/**
 * Writes the parts of docs/ that are made from tables in src/ and from the figures in bench/results/.
 *
 *   node scripts/docs.ts            writes them
 *   node scripts/docs.ts --check    writes nothing; names the files that are out of date and ends with 1
 *
 * Made whole are docs/errors.md, docs/configuration.md and the graphs in docs/performance/. Other files have blocks between two
 * comments, `<!-- made by scripts/docs.ts: NAME -->` and `<!-- end -->`; what stands around them is written by hand.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { performanceBlocks, performanceGraphs } from '../bench/page/performance-page.ts';
import type { Command } from '../src/commands/command.ts';
import { COMMANDS } from '../src/commands/commands.ts';
import { environmentName, OPTION_TABLE, type OptionName, type OptionSpec } from '../src/config/option-table.ts';
import { ERROR_CATALOGUE } from '../src/errors/catalogue.ts';
import { columnsOf, DATA_TYPES } from '../src/events/data-types.ts';
import { extendedColumnsOf } from '../src/events/extended-columns.ts';
import { LEGACY_TABLES, legacyLayoutOf, type LegacyColumn } from '../src/events/legacy-tables.ts';
import { HTTP_LIMITS } from '../src/http/server.ts';
import { DEFAULT_WIRE_LIMITS } from '../src/wire/wire-limits.ts';

const ROOT = new URL('../', import.meta.url);
const NOTICE = '<!-- made by scripts/docs.ts; change the table that it is made from -->';

const WHOLE_FILES: Readonly<Record<string, () => string>> = {
  'docs/errors.md': errorsPage,
  'docs/configuration.md': configurationPage,
  ...performanceGraphs(),
};

const BLOCKS: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  'docs/wire-codings.md': { 'wire limits': wireLimits },
  'docs/package-format.md': { columns: columnTables, 'extended columns': extendedColumnTable },
  'docs/api.md': { 'http limits': httpLimits },
  'docs/api-1.0.md': { 'legacy tables': legacyTables },
  'docs/performance.md': performanceBlocks(),
};

/** A file of docs/ as it should be, and whether it is. */
export type RenderedDoc = { readonly path: string; readonly text: string; readonly isFresh: boolean };

/** Renders every file that has made parts. @throws Error when a file lacks one of its blocks */
export function renderDocs(): readonly RenderedDoc[] {
  const whole = Object.entries(WHOLE_FILES).map(([path, page]) => rendered(path, page()));
  const filled = Object.entries(BLOCKS).map(([path, blocks]) => rendered(path, fillBlocks(path, blocks)));
  return [...whole, ...filled];
}

function rendered(path: string, text: string): RenderedDoc {
  return { path, text, isFresh: readIfThere(path) === text };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(new URL(path, ROOT), 'utf8');
  } catch {
    return undefined; // not written yet
  }
}

function fillBlocks(path: string, blocks: Readonly<Record<string, () => string>>): string {
  let text = readFileSync(new URL(path, ROOT), 'utf8');
  for (const [name, make] of Object.entries(blocks)) {
    const begin = `<!-- made by scripts/docs.ts: ${name} -->\n`;
    const from = text.indexOf(begin);
    const until = text.indexOf('<!-- end -->', from);
    if (from < 0 || until < 0) throw new Error(`${path} has no block "${name}"`);
    text = `${text.slice(0, from)}${begin}\n${make().trim()}\n\n${text.slice(until)}`;
  }
  return text;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function errorsPage(): string {
  const rows = Object.entries(ERROR_CATALOGUE).map(([code, { status, advice }]) => [
    `\`${code}\``,
    `${status}`,
    advice,
  ]);
  return `${NOTICE}

# Errors

Every error has a code that never changes. The message says what is wrong in this case; the advice below is sent with it.

* Over HTTP the body is \`{"code", "message", "details"?, "requestId"}\`; [api.md](api.md#errors) says which calls have
  another form. From status 500 on the API's message is a fixed sentence, and the cause is in the server's log under the request
  id.
* On the command line the message and the advice are printed on standard error. The program ends with 1 when it failed and
  with 2 when its options were wrong, which it says for every option at once.
* An export that failed for good shows the message of its last error as \`errorMsg\`.

${table(['code', 'HTTP status', 'what to do'], rows)}
`;
}

function configurationPage(): string {
  const names = Object.keys(OPTION_TABLE) as OptionName[];
  return `${NOTICE}

# Configuration

Options are given on the command line. What configures the server can also be given in the environment, where it holds for every command: the
options with a variable [below](#options). The command line wins over the environment, and the environment over the default. There is no
configuration file.

* \`--name VALUE\` and \`--name=VALUE\` are the same. A flag such as \`--json\` needs no value; any other option needs one that is not
  empty, but for a list.
* What a command is to do is said on its line alone: a variable that somebody has forgotten narrows no rule and erases no visitor.
* A variable that begins with \`TIDEGATE_\` and names none of these options stops the program, because a misspelt one would do nothing.
  An empty one is as one that is not set.
* All faults are said at once, and the program ends with 2.

## Commands

${COMMANDS.map(commandSection).join('\n\n')}

\`tidegate COMMAND --help\` says the same on a terminal, and \`tidegate --version\` the version.

## Options

${table(
  ['option', 'variable', 'value', 'default', 'what it does'],
  names.map((name) => optionRow(name)),
)}
`;
}

function commandSection(command: Command): string {
  const usage = ['tidegate', ...command.words, '[OPTIONS]', command.positionals ?? ''].join(' ').trim();
  const options = command.options.map(
    (name) => `\`--${name}\`${command.required?.includes(name) ? ' (required)' : ''}`,
  );
  return `### \`${usage}\`

${command.summary}

Options: ${options.join(', ')}.${command.argumentsOnly === undefined ? '' : argumentsOnlySentence(command.argumentsOnly)}`;
}

function argumentsOnlySentence(names: readonly OptionName[]): string {
  return ` From the command line alone, without a default: ${names.map((name) => `\`--${name}\``).join(', ')}.`;
}

function optionRow(name: OptionName): string[] {
  const spec: OptionSpec = OPTION_TABLE[name];
  const standard = spec.default === undefined || spec.default === '' ? '' : `\`${spec.default}\``;
  const variable = environmentName(name);
  return [`\`--${name}\``, variable === undefined ? '' : `\`${variable}\``, valueOf(spec), standard, spec.description];
}

function valueOf({ type, placeholder, unit }: OptionSpec): string {
  switch (type.kind) {
    case 'flag':
      return 'flag';
    case 'choice':
      return type.choices.map((choice) => `\`${choice}\``).join(', ');
    case 'integer':
      return `${type.min} to ${type.max}${unit === undefined ? '' : ` ${unit}`}`;
    default:
      return placeholder ?? 'text';
  }
}

function wireLimits(): string {
  const limits = DEFAULT_WIRE_LIMITS;
  return table(
    ['limit', 'value', 'beyond it'],
    [
      ['body on the wire', `${mib(limits.maxBytes)}, \`--max-body-bytes\``, '413 `too_large`'],
      ['decoded body', `${mib(limits.maxDecodedBytes)}, \`--max-decoded-bytes\``, '413 `too_large`'],
      ['nesting, the outermost bracket counted', `${limits.maxDepth} levels`, '400 `too_deep`'],
      ['elements of the array', thousands(limits.maxElements), '413 `too_large`'],
      ['commas and opening brackets in the whole text', thousands(limits.maxValues), '413 `too_large`'],
      ['one element', mib(limits.maxElementBytes), 'the element is rejected, its neighbours are taken'],
      [
        'kept of a rejected element that was too large',
        `its first ${limits.oversizeHeadBytes / 1024} KiB`,
        'the rest is dropped',
      ],
    ],
  );
}

function columnTables(): string {
  return DATA_TYPES.map((dataType) => {
    const rows = columnsOf(dataType).map(({ name, type, width }) => [
      `\`${name}\``,
      type,
      width === undefined ? '' : `${width}`,
    ]);
    return `#### ${dataType}\n\n${table(['column', 'type', 'width'], rows)}`;
  }).join('\n\n');
}

function legacyTables(): string {
  return LEGACY_TABLES.map((name) => {
    const { dataType, columns } = legacyLayoutOf(name);
    const rows = columns.map((column) => [`\`${column.name}\``, legacySource(column)]);
    return `#### ${name}\n\nThe rows of ${dataType}.\n\n${table(['column', 'what it holds'], rows)}`;
  }).join('\n\n');
}

function legacySource(column: LegacyColumn): string {
  if ('from' in column) return `\`${column.from}\``;
  if ('constant' in column) return `always \`${column.constant}\``;
  const MADE = { resolution: 'width and height, below', attribute: '[a JSON object](#attribute)', nothing: 'null' };
  return MADE[column.made];
}

function extendedColumnTable(): string {
  const rows = DATA_TYPES.flatMap((dataType) =>
    extendedColumnsOf(dataType).map(({ name, type, width }) => [dataType, `\`${name}\``, type, `${width ?? ''}`]),
  );
  return table(['data type', 'column', 'type', 'width'], rows);
}

function httpLimits(): string {
  return table(
    ['what', 'limit'],
    [
      ['request line and headers', `${HTTP_LIMITS.maxHeaderBytes / 1024} KiB, else 431, or 414 when it is the URL`],
      ['headers, from the start of the request', `${HTTP_LIMITS.headersTimeoutMs / 1000} s, else 408`],
      ['whole request', `${HTTP_LIMITS.requestTimeoutMs / 1000} s, else 408`],
      [
        'no byte in either direction while a request runs',
        `${HTTP_LIMITS.idleTimeoutMs / 1000} s, then the connection is cut`,
      ],
      ['idle connection is kept open', `${HTTP_LIMITS.keepAliveTimeoutMs / 1000} s`],
      ['running answers when the server stops', `${HTTP_LIMITS.stopTimeoutMs / 1000} s, then they are cut`],
    ],
  );
}

function mib(bytes: number): string {
  return `${bytes / 1024 / 1024} MiB`;
}

function thousands(count: number): string {
  return count.toLocaleString('en-US');
}

if (import.meta.main) {
  const stale = renderDocs().filter((doc) => !doc.isFresh);
  if (!process.argv.includes('--check')) {
    for (const { path, text } of stale) {
      mkdirSync(new URL('.', new URL(path, ROOT)), { recursive: true });
      writeFileSync(new URL(path, ROOT), text);
    }
  } else if (stale.length > 0) {
    console.error(`Out of date: ${stale.map(({ path }) => path).join(', ')}. Run: node scripts/docs.ts`);
    process.exit(1);
  }
}
