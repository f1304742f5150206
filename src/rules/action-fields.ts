/** What a rule may look at of an action: one element of the `e` of a clck, chng or sbmt event, with the event's own values. */

/** The conditions a rule may have, under the names of the CLI, the API and the import. */
export const CONDITION_NAMES = ['domain', 'path', 'query', 'xpath', 'index', 'value', 'href'] as const;
export type ConditionName = (typeof CONDITION_NAMES)[number];

/** Conditions that are texts: all but the index. */
export type TextConditionName = Exclude<ConditionName, 'index'>;

/**
 * How far a value is looked at, in code points: as far as it is stored, so that a back-fill finds what the arrival found.
 * Domain, path, value and href have the widths of their columns, query and xpath those of what is kept beside the row.
 */
export const FIELD_WIDTHS: Readonly<Record<TextConditionName, number>> = {
  domain: 100,
  path: 1_024,
  query: 5_000,
  xpath: 5_000,
  value: 1_024,
  href: 1_024,
};

/**
 * The values of one action, each made only when it is asked for. A rule set may ask for the same one several times, so an
 * implementation keeps what was dear to make. Null where the action has no such value; cut to FIELD_WIDTHS.
 */
export interface ActionFields {
  /** The event's `t`. */
  readonly type: string;
  domain(): string | null;
  path(): string | null;
  query(): string | null;
  xpath(): string | null;
  index(): number | null;
  value(): string | null;
  href(): string | null;
}
