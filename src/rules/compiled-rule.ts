/** One rule as the matcher sees it: by which texts it can be found in an index, and what must be compared then. */
import { CONDITION_NAMES, CONDITION_PLACES, type ActionFields, type ConditionName } from './action-fields.ts';
import { queryPartsOf } from './query-parts.ts';
import { PATTERN_CONDITIONS, type Rule } from './rule.ts';
import { isSameBytes } from './same-bytes.ts';
import { STAR, StarPattern } from './star-pattern.ts';

/** How one condition of a rule can be found: by the whole value, by what the value begins or ends with, or by a part of the query. */
export type Key =
  | { readonly by: 'value'; readonly condition: Exclude<ConditionName, 'query'>; readonly text: string }
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
  /** The places of the texts that may have to be read to their end. */
  readonly searches: readonly number[];
  readonly fits: (fields: ActionFields) => boolean;
};

const COMPARE_COST = 1;
const SEARCH_COST = 10;

type Test = (fields: ActionFields) => boolean;

/** Compiles a rule; `order` is its place among those of its project. */
export function compileRule(rule: Rule, order: number): CompiledRule {
  const keys: Key[] = [];
  const tests: Test[] = [];
  const searches: number[] = [];
  for (const condition of CONDITION_NAMES) {
    if (rule[condition] === null) continue;
    const value = String(rule[condition]);
    if (condition === 'query') {
      const parts = [...queryPartsOf(value)];
      keys.push(...parts.map((text): Key => ({ by: 'part', condition, text })));
      tests.push(partsTest(parts));
      searches.push(CONDITION_PLACES[condition]);
    } else if (PATTERN_CONDITIONS.includes(condition) && value.includes(STAR)) {
      const pattern = new StarPattern(value);
      for (const by of ['prefix', 'suffix'] as const) {
        if (pattern[by] !== '') keys.push({ by, condition: condition as 'path', text: pattern[by] });
      }
      if (pattern.searches) searches.push(CONDITION_PLACES[condition]);
      tests.push(patternTest(pattern, condition));
    } else {
      keys.push({ by: 'value', condition, text: value });
      tests.push(textTest(value, condition));
    }
  }
  const cost = searches.length > 0 ? SEARCH_COST : COMPARE_COST;
  return { ruleId: rule.ruleId, order, keys, cost, searches, fits: allOf(tests) };
}

function textTest(value: string, condition: ConditionName): Test {
  const bytes = Buffer.from(value);
  const place = CONDITION_PLACES[condition];
  return (fields) => {
    const text = fields.text(place);
    return text !== null && isSameBytes(text.bytes, text.start, text.end, bytes, 0, bytes.length);
  };
}

function patternTest(pattern: StarPattern, condition: ConditionName): Test {
  const place = CONDITION_PLACES[condition];
  return (fields) => {
    const text = fields.text(place);
    return text !== null && pattern.matches(text.bytes, text.start, text.end);
  };
}

function partsTest(parts: readonly string[]): Test {
  const wanted = parts.map((part) => Buffer.from(part));
  return (fields) => {
    const sent = fields.parts();
    for (const part of wanted) if (!sent.holds(part, 0, part.length)) return false;
    return true;
  };
}

function allOf(tests: readonly Test[]): Test {
  return (fields) => {
    for (const test of tests) if (!test(fields)) return false;
    return true;
  };
}
