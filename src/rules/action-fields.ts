/** What a rule may look at of an action: one element of the `e` of a clck, chng or sbmt event, with the event's own values. */
import { QueryParts } from './query-parts.ts';

/** The conditions a rule may have, under the names of the CLI, the API and the import. */
export const CONDITION_NAMES = ['domain', 'path', 'query', 'xpath', 'index', 'value', 'href'] as const;
export type ConditionName = (typeof CONDITION_NAMES)[number];

/** Of them, so many come first that are the event's and not the element's. */
export const EVENT_CONDITIONS = 3;
/** By its place in CONDITION_NAMES an action is asked for a value: a name would be looked up every time. */
export const CONDITION_PLACES = Object.fromEntries(CONDITION_NAMES.map((name, place) => [name, place])) as Readonly<
  Record<ConditionName, number>
>;

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

/** A text where it lies: the bytes [start, end) are its UTF-8. */
export class TextSpan {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;

  set(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  setText(text: string): void {
    const bytes = Buffer.from(text);
    this.set(bytes, 0, bytes.length);
  }
}

/**
 * The values of one action, each found only when it is asked for, and once. They are bytes and never become strings: to make six
 * strings of an action costs more than to match it. An object is used for one action after the other.
 */
export abstract class ActionFields {
  /** The event's `t`. */
  type = '';
  readonly #spans = CONDITION_NAMES.map(() => new TextSpan());
  /** Of each value whether it is there; null: not looked for yet. */
  readonly #isThere: (boolean | null)[] = CONDITION_NAMES.map(() => null);
  readonly #parts = new QueryParts();
  #hasParts = false;

  /** Gives a value: a text cut to its width, the index in decimal digits; null where the action has none. It holds until the next action. */
  text(place: number): TextSpan | null {
    const span = this.#spans[place]!;
    const isThere = (this.#isThere[place] ??= this.locate(place, span));
    return isThere ? span : null;
  }

  /** Gives the parts of the query; none where there is no query. */
  parts(): QueryParts {
    if (this.#hasParts) return this.#parts;
    this.#hasParts = true;
    const query = this.text(CONDITION_PLACES.query);
    if (query === null) this.#parts.clear();
    else this.#parts.read(query.bytes, query.start, query.end);
    return this.#parts;
  }

  /** Finds a value, by its place in CONDITION_NAMES; false where the action has none. */
  protected abstract locate(place: number, span: TextSpan): boolean;

  /** Forgets what was found: what is asked for next is another event's. */
  protected forgetEvent(): void {
    for (let place = 0; place < CONDITION_NAMES.length; place += 1) this.#isThere[place] = null;
    this.#hasParts = false;
  }

  /** Forgets what was found of the element: another one of the same event comes next. */
  protected forgetElement(): void {
    for (let place = EVENT_CONDITIONS; place < CONDITION_NAMES.length; place += 1) this.#isThere[place] = null;
  }
}
