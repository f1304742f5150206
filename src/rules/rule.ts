/**
 * A tagging rule: gives the actions that fit its conditions its id, one action_tag row for each (docs/rules.md).
 *
 * A rule of type `page` describes a page and no action, so it tags nothing; it is kept and listed, because the clients that read
 * rules.csv look up the names of pages there too.
 */
import { AppError } from '../errors/app-error.ts';
import { CONDITION_NAMES, type ConditionName, type TextConditionName } from './action-fields.ts';
import { queryPartsOf } from './query-parts.ts';
import { STAR } from './star-pattern.ts';

/** What a rule is for: a page, or actions whose event has this `t`. */
export const RULE_TYPES = ['page', 'clck', 'chng', 'sbmt'] as const;
export type RuleType = (typeof RULE_TYPES)[number];

/** A rule as it is made or changed. A condition that is null fits everything. */
export type RuleDraft = {
  readonly name: string;
  readonly type: RuleType;
  /** The whole domain. */
  readonly domain: string | null;
  /** The whole path; `*` stands for any text, also an empty one. */
  readonly path: string | null;
  /** Parts of the query, joined by `&`: each must be one of the action's. */
  readonly query: string | null;
  /** The whole xpath; `*` as in a path. */
  readonly xpath: string | null;
  readonly index: number | null;
  /** The whole text of the element. */
  readonly value: string | null;
  /** The whole target of the link. */
  readonly href: string | null;
};

/** A rule that is kept. */
export type Rule = RuleDraft & {
  /** 8 hex digits, unique in its project. */
  readonly ruleId: string;
};

export const RULE_ID = /^[0-9a-f]{8}$/;

/** What one project may have, so that no project's rules slow its neighbours down. Lengths are in code points. */
export const RULE_LIMITS = {
  rules: 10_000,
  nameLength: 100,
  domainLength: 100,
  textLength: 1_024,
  stars: 10,
  queryParts: 10,
  index: 2 ** 31 - 1,
} as const;

/** Conditions in which `*` stands for any text. */
export const PATTERN_CONDITIONS: readonly ConditionName[] = ['path', 'xpath'];
/** Conditions that a page can have. */
const PAGE_CONDITIONS: readonly ConditionName[] = ['domain', 'path', 'query'];

// eslint-disable-next-line no-control-regex -- control characters are what must not be there
const CONTROL = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/;

/** Values as somebody wrote them; an empty text stands for an absent condition only where the caller has made it one. */
export type RuleInput = Readonly<Partial<Record<'name' | 'type' | ConditionName, unknown>>>;

/** Checks a rule that is to be made. @throws AppError rule_invalid with everything that is wrong with it */
export function parseRule(input: RuleInput): RuleDraft {
  const faults: string[] = [];
  const name = parseName(input.name, faults);
  const type = RULE_TYPES.find((known) => known === input.type);
  if (!type) faults.push(`its type must be one of ${RULE_TYPES.join(', ')}`);
  const text = (condition: TextConditionName): string | null => parseText(input[condition], condition, faults);
  const draft: RuleDraft = {
    name,
    type: type ?? 'page',
    domain: text('domain'),
    path: text('path'),
    query: text('query'),
    xpath: text('xpath'),
    index: parseIndex(input.index, faults),
    value: text('value'),
    href: text('href'),
  };
  const outOfPlace = CONDITION_NAMES.filter(
    (condition) => type === 'page' && draft[condition] !== null && !PAGE_CONDITIONS.includes(condition),
  );
  if (outOfPlace.length > 0) faults.push(`a page has no ${outOfPlace.join(' and no ')}`);
  if (faults.length > 0) throw new AppError('rule_invalid', `The rule cannot be taken: ${faults.join('; ')}.`);
  return draft;
}

/** Gives a rule as people and programs see it: without the conditions that it does not have. */
export function describeRule({ ruleId, name, type, ...conditions }: Rule): Readonly<Record<string, string | number>> {
  const set = CONDITION_NAMES.flatMap((condition) => {
    const value = conditions[condition];
    return value === null ? [] : [[condition, value] as const];
  });
  return { ruleId, name, type, ...Object.fromEntries(set) };
}

function parseName(value: unknown, faults: string[]): string {
  if (typeof value !== 'string' || value.trim() === '') faults.push('its name is missing');
  else if (isLonger(value, RULE_LIMITS.nameLength))
    faults.push(`its name is longer than ${RULE_LIMITS.nameLength} characters`);
  else if (CONTROL.test(value) || !value.isWellFormed())
    faults.push('its name holds a tab, a line break or another control character, which rules.csv has no place for');
  else return value;
  return '';
}

function parseText(value: unknown, condition: TextConditionName, faults: string[]): string | null {
  if (value === undefined || value === null) return null;
  const limit = condition === 'domain' ? RULE_LIMITS.domainLength : RULE_LIMITS.textLength;
  if (typeof value !== 'string') faults.push(`its ${condition} is no text`);
  else if (value === '') faults.push(`its ${condition} is empty; leave it out to take any`);
  else if (isLonger(value, limit)) faults.push(`its ${condition} is longer than ${limit} characters`);
  else if (value.includes('\0') || !value.isWellFormed()) faults.push(`its ${condition} holds what no text can hold`);
  else if (PATTERN_CONDITIONS.includes(condition) && value.split(STAR).length - 1 > RULE_LIMITS.stars)
    faults.push(`its ${condition} has more than ${RULE_LIMITS.stars} *, and would be slow to look for`);
  else if (condition === 'query' && !isCount(queryPartsOf(value).size, RULE_LIMITS.queryParts))
    faults.push(`its query has not 1 to ${RULE_LIMITS.queryParts} parts between its &`);
  else return value;
  return null;
}

function isLonger(text: string, limit: number): boolean {
  return text.length > limit && (text.length > 2 * limit || Array.from(text).length > limit);
}

function isCount(count: number, most: number): boolean {
  return count >= 1 && count <= most;
}

function parseIndex(value: unknown, faults: string[]): number | null {
  if (value === undefined || value === null) return null;
  const index = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  if (typeof index === 'number' && Number.isInteger(index) && index >= 0 && index <= RULE_LIMITS.index) return index;
  faults.push(`its index is no whole number from 0 to ${RULE_LIMITS.index}`);
  return null;
}
