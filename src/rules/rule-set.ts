/**
 * The rules of a project, ready to be asked which of them an action fits.
 *
 * Who compiles is the catalog, once after each change of a project's rules; who asks is the mapping, at every action that comes in.
 * Synchronous, and allocates nothing for an action that fits no rule.
 */
import { AppError } from '../errors/app-error.ts';
import type { ActionFields, ConditionName } from './action-fields.ts';
import { CONDITION_NAMES } from './action-fields.ts';
import { compileRule } from './compiled-rule.ts';
import type { Rule, RuleType } from './rule.ts';
import { buildRuleTree, greatestCost, RuleFinder, type RuleTree } from './rule-tree.ts';

/** Tags that one action gets; of more rules that fit, those made first. */
export const MAX_TAGS_PER_ACTION = 100;

/**
 * Bytes that the rules may have to read for all actions of one request. Without it 3 MB of a coding, which are 12,000 elements with
 * xpaths as long as they are looked at, keep a collector busy for a minute and a half where a project has a hundred rules of `*text*`. A
 * request of SDKs has some hundred elements of some hundred characters, and stays below a tenth of it.
 */
export const MAX_MATCHED_BYTES = 200_000_000;

/** What matching has cost a request so far. */
export type MatchCost = { bytes: number };

/**
 * What trying one action may cost at most: 1 for a rule that is compared, 10 for one whose pattern is searched for. Ten thousand
 * rules of `*a*`, tried one after the other on every action, would stop a collector.
 */
const MAX_COST = 1_000;

export interface RuleSet {
  /** Whether no action fits: then nothing of it need be looked at. */
  readonly isEmpty: boolean;
  /** What the rules may ask of an action. */
  readonly needs: ReadonlySet<ConditionName>;
  /**
   * Gives the ids of the rules that an action fits, each once; the same empty list whenever there is none. Adds to the cost of the request.
   * @throws AppError too_large when that is beyond MAX_MATCHED_BYTES
   */
  match(fields: ActionFields, cost?: MatchCost): readonly string[];
}

const NONE: readonly string[] = [];

/** The rules of a project that has none. */
export const NO_RULES: RuleSet = { isEmpty: true, needs: new Set(), match: () => NONE };

/** Compiles rules, in the order in which they were made. Takes some milliseconds for a thousand. Rules of pages tag nothing. */
export function compileRules(rules: readonly Rule[]): RuleSet {
  const trees = treesOf(rules);
  if (trees.size === 0) return NO_RULES;
  const needs = new Set(CONDITION_NAMES.filter((condition) => rules.some(isAskedFor(condition))));
  return { isEmpty: false, needs, match: (fields, cost) => matchIn(trees.get(fields.type), fields, cost) };
}

/** @throws AppError rule_limit when the rules together would make the matching of an action slow */
export function refuseSlowRules(rules: readonly Rule[]): void {
  for (const [type, tree] of treesOf(rules)) {
    if (greatestCost(tree) <= MAX_COST) continue;
    throw new AppError(
      'rule_limit',
      `Too many rules of type ${type} would have to be tried on the same action one by one: they have nothing in common ` +
        'with the action but what stands behind a *, or all of it.',
    );
  }
}

function isAskedFor(condition: ConditionName): (rule: Rule) => boolean {
  return (rule) => rule.type !== 'page' && rule[condition] !== null;
}

function treesOf(rules: readonly Rule[]): ReadonlyMap<string, RuleTree> {
  const ofType = Map.groupBy(
    rules.map((rule, order) => ({ type: rule.type, compiled: compileRule(rule, order) })),
    ({ type }) => type,
  );
  const trees = new Map<RuleType, RuleTree>();
  for (const [type, group] of ofType) {
    if (type !== 'page') trees.set(type, buildRuleTree(group.map(({ compiled }) => compiled)));
  }
  return trees;
}

const finder = new RuleFinder();

function matchIn(tree: RuleTree | undefined, fields: ActionFields, cost: MatchCost | undefined): readonly string[] {
  if (!tree) return NONE;
  finder.readBytes = cost?.bytes ?? 0;
  const found = finder.find(tree, fields);
  if (cost) {
    cost.bytes = finder.readBytes;
    if (cost.bytes > MAX_MATCHED_BYTES)
      throw new AppError(
        'too_large',
        'It would take too long to try the rules of the project on the actions of the request.',
      );
  }
  if (!found) return NONE;
  if (found.length > MAX_TAGS_PER_ACTION) {
    found.sort((a, b) => a.order - b.order);
    found.length = MAX_TAGS_PER_ACTION;
  }
  return found.map(({ ruleId }) => ruleId);
}
