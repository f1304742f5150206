/** Rules and actions for tests. */
import { ActionFields, CONDITION_NAMES, type ConditionName, type TextSpan } from './action-fields.ts';
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
export class SentAction extends ActionFields {
  readonly asked = new Map<ConditionName, number>();
  readonly #values: Values;

  constructor(values: Values) {
    super();
    this.#values = values;
    this.type = values.type ?? 'clck';
  }

  override text(place: number): TextSpan | null {
    const name = CONDITION_NAMES[place]!;
    this.asked.set(name, (this.asked.get(name) ?? 0) + 1);
    return super.text(place);
  }

  protected locate(place: number, span: TextSpan): boolean {
    const text = this.#values[CONDITION_NAMES[place]!];
    if (text === undefined) return false;
    const bytes = Buffer.from(`<${text}>`); // it need not be all of the bytes
    span.set(bytes, 1, bytes.length - 1);
    return true;
  }
}

export function action(values: Values): SentAction {
  return new SentAction(values);
}
