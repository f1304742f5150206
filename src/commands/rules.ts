/**
 * `tidegate rule add|list|set|remove|import`: the tagging rules of a project.
 *
 * They work on the catalog itself, so they need no server; one that runs goes by the change at its next request.
 */
import { readFile } from 'node:fs/promises';
import type { Catalog } from '../catalog/catalog.ts';
import { openExistingCatalog } from '../catalog/data-catalog.ts';
import type { OptionName } from '../config/option-table.ts';
import type { OptionValues } from '../config/parse-options.ts';
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import { systemClock } from '../lib/clock.ts';
import { isSystemError } from '../lib/system-error.ts';
import { CONDITION_NAMES, type ConditionName } from '../rules/action-fields.ts';
import { parseRuleCsv, RULE_CSV_HEADER } from '../rules/rule-csv.ts';
import { describeRule, parseRule, type Rule, type RuleInput } from '../rules/rule.ts';
import type { Command } from './command.ts';
import { sizeOfFile } from './named-file.ts';

type Print = (line: string) => void;

const RULE_OPTIONS: readonly OptionName[] = ['name', 'type', ...CONDITION_NAMES];
/** Ten thousand rules with all that a rule may hold have less. */
const MAX_CSV_BYTES = 64 * 1024 * 1024;

export const ruleAddCommand: Command = {
  words: ['rule', 'add'],
  summary: 'Make a tagging rule. Actions that arrive from now on and fit its conditions get its ruleId in action_tag.',
  options: ['data', 'ai', ...RULE_OPTIONS, 'json'],
  required: ['ai', 'name', 'type'],
  run: ({ options, print }) =>
    withProject(options, async (catalog, ai) => {
      printRule(await catalog.rules.create(ai, parseRule(inputOf(options))), options, print);
    }),
};

export const ruleListCommand: Command = {
  words: ['rule', 'list'],
  summary: 'List the tagging rules of a project, oldest first.',
  options: ['data', 'ai', 'json'],
  required: ['ai'],
  run: ({ options, print }) =>
    withProject(options, async (catalog, ai) => {
      const rules = await catalog.rules.list(ai);
      if (options.flag('json')) print(JSON.stringify(rules.map(describeRule), null, 2));
      else if (rules.length === 0) print('There is no rule yet; make one with: tidegate rule add');
      else for (const rule of rules) print(lineOf(rule));
    }),
};

export const ruleSetCommand: Command = {
  words: ['rule', 'set'],
  summary:
    'Change a tagging rule: what is given takes the place of what was, the rest stays. Tags that it has given stay.',
  options: ['data', 'ai', 'rule', ...RULE_OPTIONS, 'clear', 'json'],
  required: ['ai', 'rule'],
  run: ({ options, print }) =>
    withProject(options, async (catalog, ai) => {
      const before = await findRule(catalog, ai, options.text('rule'));
      const changes = changesOf(options);
      const draft = parseRule({ ...before, ...changes });
      printRule(await catalog.rules.replace(ai, before.ruleId, draft), options, print);
    }),
};

export const ruleRemoveCommand: Command = {
  words: ['rule', 'remove'],
  summary: 'Delete a tagging rule. Tags that it has given stay.',
  options: ['data', 'ai', 'rule', 'json'],
  required: ['ai', 'rule'],
  run: ({ options, print }) =>
    withProject(options, async (catalog, ai) => {
      const rule = await findRule(catalog, ai, options.text('rule'));
      await catalog.rules.delete(ai, rule.ruleId);
      printRule(rule, options, print);
    }),
};

export const ruleImportCommand: Command = {
  words: ['rule', 'import'],
  summary: `Make or replace tagging rules from a CSV file, all or none. Its header: ${RULE_CSV_HEADER}.`,
  positionals: 'FILE',
  options: ['data', 'ai', 'json'],
  required: ['ai'],
  run: async ({ options, positionals, print }) => {
    if (positionals.length !== 1) throw new ConfigurationError(['Name one CSV file of rules.']);
    const drafts = parseRuleCsv(await readCsv(positionals[0]!));
    await withProject(options, async (catalog, ai) => {
      const rules = await catalog.rules.import(ai, drafts);
      if (options.flag('json')) print(JSON.stringify(rules.map(describeRule), null, 2));
      else print(`Imported ${rules.length} ${rules.length === 1 ? 'rule' : 'rules'}.`);
    });
  },
};

/** Opens the catalog for one command on a project's rules. @throws AppError unknown_project */
async function withProject(
  options: OptionValues,
  work: (catalog: Catalog, ai: string) => Promise<void>,
): Promise<void> {
  const catalog = await openExistingCatalog(options.text('data'), systemClock);
  try {
    const ai = options.text('ai');
    if (!catalog.projects.findByAi(ai)) throw new AppError('unknown_project', `There is no project ${ai}.`);
    await work(catalog, ai);
  } finally {
    await catalog.close();
  }
}

async function findRule({ rules }: Catalog, ai: string, ruleId: string): Promise<Rule> {
  const rule = await rules.find(ai, ruleId);
  if (!rule) throw new AppError('unknown_rule', `The project ${ai} has no rule ${ruleId}.`);
  return rule;
}

/** Gives what the options say of a rule; absent ones are left out. */
function inputOf(options: OptionValues): RuleInput {
  return Object.fromEntries(
    RULE_OPTIONS.flatMap((name) => {
      const value = name === 'index' ? options.optionalInteger(name) : options.optionalText(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Gives what a rule is to have otherwise. @throws ConfigurationError when that is nothing, or something and its contrary */
function changesOf(options: OptionValues): RuleInput {
  const cleared = clearedConditions(options);
  const given = inputOf(options);
  const both = cleared.filter((condition) => condition in given);
  if (both.length > 0) throw new ConfigurationError(both.map((name) => `--${name} is given and cleared at once.`));
  if (cleared.length === 0 && Object.keys(given).length === 0)
    throw new ConfigurationError(['Name what to change; see --help.']);
  return { ...Object.fromEntries(cleared.map((condition) => [condition, null])), ...given };
}

function clearedConditions(options: OptionValues): readonly ConditionName[] {
  return options.list('clear').map((name) => {
    const condition = CONDITION_NAMES.find((known) => known === name);
    if (condition) return condition;
    throw new ConfigurationError([`--clear: "${name}" is none of ${CONDITION_NAMES.join(', ')}.`]);
  });
}

async function readCsv(path: string): Promise<string> {
  try {
    if ((await sizeOfFile(path)) > MAX_CSV_BYTES)
      throw new AppError('import_invalid', `The file ${path} is larger than ${MAX_CSV_BYTES} bytes.`);
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    if (isSystemError(error, 'ERR_ENCODING_INVALID_ENCODED_DATA'))
      throw new AppError('import_invalid', `The file ${path} is no UTF-8.`, { cause: error });
    throw error;
  }
}

function printRule(rule: Rule, options: OptionValues, print: Print): void {
  const description = describeRule(rule);
  if (options.flag('json')) return print(JSON.stringify(description, null, 2));
  for (const [key, value] of Object.entries(description)) print(`${key.padEnd(16)}${value}`);
}

function lineOf(rule: Rule): string {
  const { ruleId, name, type, ...conditions } = describeRule(rule);
  const shown = Object.entries(conditions).map(([condition, value]) => `${condition}=${JSON.stringify(value)}`);
  return [ruleId, type, name, ...shown].join('  ');
}
