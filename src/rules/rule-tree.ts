/**
 * An index over the rules of one event type: a tree in which each rule stands once.
 *
 * A node asks for the values of an action and goes on where they are known: by a whole value, by what a path or xpath begins
 * or ends with, or by a part of the query. Of its conditions each rule is put under the one that it shares with the fewest others; where many
 * rules share it, the node below divides them by their next. Rules that are few, or that nothing divides any more, are compared
 * one by one.
 *
 * Cost: a few walks along the action's texts, whatever the number of rules; `greatestCost` says how many rules may have to be compared at worst.
 */
import { CONDITION_PLACES, type ActionFields } from './action-fields.ts';
import { ByteTree, type TextVisitor } from './byte-tree.ts';
import type { CompiledRule, Key } from './compiled-rule.ts';
import { MAX_QUERY_PARTS, type QueryParts } from './query-parts.ts';

/** So few rules are compared sooner than divided. */
const FEW_RULES = 4;

/** Asks for one value of an action, by its place in CONDITION_NAMES. */
type Question = {
  readonly by: Key['by'];
  readonly place: number;
  readonly trees: ByteTree<RuleTree>;
};

export type RuleTree = { readonly questions: readonly Question[]; readonly rules: readonly CompiledRule[] };

/** Builds the tree of some rules; `asked` are the questions that led to them. */
export function buildRuleTree(rules: readonly CompiledRule[], asked: ReadonlySet<string> = new Set()): RuleTree {
  if (rules.length <= FEW_RULES) return { questions: [], rules };
  const shares = new Map<string, number>();
  const keysOf = (rule: CompiledRule): readonly Key[] => rule.keys.filter((key) => !asked.has(questionOf(key)));
  for (const rule of rules) for (const key of keysOf(rule)) shares.set(nameOf(key), (shares.get(nameOf(key)) ?? 0) + 1);
  const alone: CompiledRule[] = [];
  const groups = new Map<string, { readonly key: Key; readonly rules: CompiledRule[] }>();
  for (const rule of rules) {
    const key = rarestOf(keysOf(rule), shares);
    if (!key) {
      alone.push(rule);
      continue;
    }
    const group = groups.get(nameOf(key)) ?? { key, rules: [] };
    groups.set(nameOf(key), group);
    group.rules.push(rule);
  }
  const ofQuestion = Map.groupBy(groups.values(), ({ key }) => `${key.by} ${key.condition}`);
  return { questions: [...ofQuestion.values()].map((answers) => buildQuestion(answers, asked)), rules: alone };
}

/** What comparing a rule counts as. */
const COMPARED_BYTES = 16;

/** Finds the rules of a tree that an action fits. One is kept and used for all actions, so that an action costs no objects. */
export class RuleFinder implements TextVisitor<RuleTree> {
  /** Bytes that the rules tried so far may have had to read. */
  readBytes = 0;
  #fields: ActionFields | undefined;
  #found: CompiledRule[] | undefined;

  /** Gives the rules that fit, in no order; undefined when there are none. */
  find(tree: RuleTree, fields: ActionFields): CompiledRule[] | undefined {
    this.#fields = fields;
    this.#found = undefined;
    this.visit(tree);
    this.#fields = undefined;
    return this.#found;
  }

  visit({ rules, questions }: RuleTree): void {
    const fields = this.#fields!;
    for (const rule of rules) {
      this.readBytes += COMPARED_BYTES;
      for (const place of rule.searches) {
        const text = fields.text(place);
        if (text !== null) this.readBytes += text.end - text.start;
      }
      if (rule.fits(fields)) (this.#found ??= []).push(rule);
    }
    for (const question of questions) {
      if (question.by === 'part') {
        this.#visitParts(question.trees, fields.parts());
      } else {
        const text = fields.text(question.place);
        if (text === null) continue;
        const { bytes, start, end } = text;
        if (question.by !== 'value') question.trees.visit(bytes, start, end, this);
        else {
          const below = question.trees.find(bytes, start, end);
          if (below) this.visit(below);
        }
      }
    }
  }

  #visitParts(trees: ByteTree<RuleTree>, { bytes, starts, ends, count }: QueryParts): void {
    for (let part = 0; part < count; part += 1) {
      const below = trees.find(bytes, starts[part]!, ends[part]!);
      if (below) this.visit(below);
    }
  }
}

/** Gives what the dearest action can cost; see rule-set.ts. */
export function greatestCost({ rules, questions }: RuleTree): number {
  let cost = 0;
  for (const rule of rules) cost += rule.cost;
  for (const question of questions) {
    if (question.by === 'prefix' || question.by === 'suffix') cost += question.trees.greatestSum(greatestCost);
    else {
      const costs = question.trees.values.map(greatestCost).sort((a, b) => b - a);
      for (const dearest of costs.slice(0, question.by === 'part' ? MAX_QUERY_PARTS : 1)) cost += dearest;
    }
  }
  return cost;
}

function buildQuestion(
  answers: readonly { readonly key: Key; readonly rules: readonly CompiledRule[] }[],
  asked: ReadonlySet<string>,
): Question {
  const { by, condition } = answers[0]!.key;
  const below = answers.map(
    ({ key, rules }) => [key.text, buildRuleTree(rules, new Set([...asked, questionOf(key)]))] as const,
  );
  // Paths, xpaths and links of one site begin alike: a text that no rule names is told from the others by its last bytes.
  return { by, place: CONDITION_PLACES[condition], trees: new ByteTree(by === 'prefix' ? 'prefix' : 'suffix', below) };
}

/** Finds the key that the fewest rules share; of equal ones a whole value, and of prefixes the longest. */
function rarestOf(keys: readonly Key[], shares: ReadonlyMap<string, number>): Key | undefined {
  const rank = (key: Key): number =>
    (shares.get(nameOf(key)) ?? 0) + (key.by === 'value' ? 0 : 0.5 - key.text.length / 10_000);
  let rarest = keys[0];
  for (const key of keys) if (rank(key) < rank(rarest!)) rarest = key;
  return rarest;
}

/** What need not be asked again on the way to a rule. A query may be asked about once more: it has several parts. */
function questionOf({ by, condition, text }: Key): string {
  return by === 'part' ? `part ${text}` : `${by} ${condition}`;
}

function nameOf({ by, condition, text }: Key): string {
  return `${by} ${condition} ${text}`;
}
