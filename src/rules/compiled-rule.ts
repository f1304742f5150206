/** One rule as the matcher sees it: by which texts it can be found in an index, and what must be compared then. */
import { CONDITION_NAMES, type ActionFields, type ConditionName, type TextConditionName } from './action-fields.ts';
import { queryPartsOf } from './query-parts.ts';
import { PATTERN_CONDITIONS, type Rule } from './rule.ts';
import { STAR, StarPattern } from './star-pattern.ts';

/** How one condition of a rule can be found: by the whole value, by what the value begins or ends with, or by a part of the query. */
export type Key =
  | { readonly by: 'value'; readonly condition: Exclude<ConditionName, 'query'>; readonly text: string | number }
  | { readonly by: 'prefix' | 'suffix'; readonly condition: 'path' | 'xpath'; readonly text: string }
  | { readonly by: 'part'; readonly condition: 'query'; readonly text: string };

export type CompiledRule = {
  readonly ruleId: string;
  /** Its place among the rules of the project, by age. */
  readonly order: number;
  /** Ways to find it; every rule with a condition of which nothing is known has none for it. */
  readonly keys: readonly Key[];
  /** What comparing it costs, see rule-set.ts. */
  readonly cost: number;
  /** The texts that may have to be read to their end. */
  readonly searches: readonly TextConditionName[];
  readonly fits: (fields: ActionFields) => boolean;
};

const COMPARE_COST = 1;
const SEARCH_COST = 10;

type Test = (fields: ActionFields) => boolean;

/** Compiles a rule; `order` is its place among those of its project. */
export function compileRule(rule: Rule, order: number): CompiledRule {
  const keys: Key[] = [];
  const tests: Test[] = [];
  const searches: TextConditionName[] = [];
  for (const condition of CONDITION_NAMES) {
    const value = rule[condition];
    if (value === null) continue;
    if (condition === 'query') {
      const parts = [...queryPartsOf(String(value))];
      keys.push(...parts.map((text): Key => ({ by: 'part', condition, text })));
      tests.push(partsTest(parts));
      searches.push(condition);
    } else if (typeof value === 'string' && PATTERN_CONDITIONS.includes(condition) && value.includes(STAR)) {
      const pattern = new StarPattern(value);
      for (const by of ['prefix', 'suffix'] as const) {
        if (pattern[by] !== '') keys.push({ by, condition: condition as 'path', text: pattern[by] });
      }
      if (pattern.searches) searches.push(condition as TextConditionName);
      tests.push(patternTest(pattern, condition as TextConditionName));
    } else {
      keys.push({ by: 'value', condition, text: value });
      tests.push((fields) => fields[condition]() === value);
    }
  }
  const cost = searches.length > 0 ? SEARCH_COST : COMPARE_COST;
  return { ruleId: rule.ruleId, order, keys, cost, searches, fits: allOf(tests) };
}

function patternTest(pattern: StarPattern, condition: TextConditionName): Test {
  return (fields) => {
    const text = fields[condition]();
    return text !== null && pattern.matches(text);
  };
}

function partsTest(parts: readonly string[]): Test {
  return (fields) => {
    const query = fields.query();
    if (query === null) return false;
    const sent = queryPartsOf(query);
    return parts.every((part) => sent.has(part));
  };
}

function allOf(tests: readonly Test[]): Test {
  return (fields) => {
    for (const test of tests) if (!test(fields)) return false;
    return true;
  };
}
