/**
 * The list of a project's rules as the original gives it: the names behind the ids in action_tag.
 *
 * Called CSV and separated by tabs. Nothing is quoted: a name holds no tab and no line break, because parseRule refuses them, so
 * readers that split at tabs and readers that know CSV see the same, but for a name that begins with a quote.
 */
import type { Rule } from './rule.ts';

const HEADER = ['ruleId', 'eventName', 'eventType'];

/** Builds the list with its header line. */
export function buildRuleList(rules: readonly Pick<Rule, 'ruleId' | 'name' | 'type'>[]): string {
  const lines = rules.map(({ ruleId, name, type }) => [ruleId, name, type]);
  return [HEADER, ...lines].map((fields) => `${fields.join('\t')}\n`).join('');
}
