/** Rules and actions for tests. */
import { CONDITION_NAMES, type ActionFields, type ConditionName } from './action-fields.ts';
import type { Rule, RuleDraft } from './rule.ts';

/** A rule without conditions but these. */
export function rule(ruleId: string, changes: Partial<RuleDraft> = {}): Rule {
  const none = Object.fromEntries(CONDITION_NAMES.map((condition) => [condition, null])) as Record<ConditionName, null>;
  return { ...none, ruleId, name: `rule ${ruleId}`, type: 'clck', ...changes };
}

type Values = { readonly type?: string; readonly index?: number } & Partial<
  Readonly<Record<Exclude<ConditionName, 'index'>, string>>
>;

/** An action with these values, and how often each was asked for. */
export function action(values: Values): ActionFields & { readonly asked: Map<string, number> } {
  const asked = new Map<string, number>();
  const get = <Name extends ConditionName>(name: Name): Values[Name] | null => {
    asked.set(name, (asked.get(name) ?? 0) + 1);
    return values[name] ?? null;
  };
  return {
    asked,
    type: values.type ?? 'clck',
    domain: () => get('domain') ?? null,
    path: () => get('path') ?? null,
    query: () => get('query') ?? null,
    xpath: () => get('xpath') ?? null,
    index: () => get('index') ?? null,
    value: () => get('value') ?? null,
    href: () => get('href') ?? null,
  };
}
