/**
 * The values of one action on a tape, for the rules: read from the bytes when they are asked for, each once.
 *
 * The same texts as WireActionFields gives of the parsed event. Only for actions that PlainEvents has written a row of, so every value
 * is a text, a number or a word.
 */
import { FIELD_WIDTHS, type ActionFields } from '../rules/action-fields.ts';
import { VALUE, type JsonTape } from '../wire/json-tape.ts';
import { cutText } from './wire-value.ts';

/** Where the values of an action are, by their places on the tape; -1 where there is none. */
export type ActionPlaces = {
  /** Of the event. */
  readonly d: number;
  readonly p: number;
  readonly q: number;
  /** Of the element. */
  readonly x: number;
  readonly idx: number;
  readonly v: number;
  readonly h: number;
};

export class TapeActionFields implements ActionFields {
  type = '';
  readonly #tape: JsonTape;
  #places: ActionPlaces = { d: -1, p: -1, q: -1, x: -1, idx: -1, v: -1, h: -1 };
  /** Undefined: not read yet. */
  #domain: string | null | undefined;
  #path: string | null | undefined;
  #query: string | null | undefined;
  #xpath: string | null | undefined;
  #value: string | null | undefined;
  #href: string | null | undefined;

  constructor(tape: JsonTape) {
    this.#tape = tape;
  }

  /** Gives the values of another event's element. */
  ofEvent(type: string, places: ActionPlaces): this {
    this.type = type;
    this.#domain = undefined;
    this.#path = undefined;
    this.#query = undefined;
    return this.ofElement(places);
  }

  /** Gives the values of another element of the same event. */
  ofElement(places: ActionPlaces): this {
    this.#places = places;
    this.#xpath = undefined;
    this.#value = undefined;
    this.#href = undefined;
    return this;
  }

  domain(): string | null {
    if (this.#domain === undefined) this.#domain = this.#text(this.#tape.values, this.#places.d, FIELD_WIDTHS.domain);
    return this.#domain;
  }
  path(): string | null {
    if (this.#path === undefined) this.#path = this.#text(this.#tape.values, this.#places.p, FIELD_WIDTHS.path);
    return this.#path;
  }
  query(): string | null {
    if (this.#query === undefined) this.#query = this.#text(this.#tape.values, this.#places.q, FIELD_WIDTHS.query);
    return this.#query;
  }
  xpath(): string | null {
    if (this.#xpath === undefined) this.#xpath = this.#text(this.#tape.innerValues, this.#places.x, FIELD_WIDTHS.xpath);
    return this.#xpath;
  }
  index(): number | null {
    const text = this.#text(this.#tape.innerValues, this.#places.idx, Infinity);
    return text === null ? null : Number(text);
  }
  value(): string | null {
    if (this.#value === undefined) this.#value = this.#text(this.#tape.innerValues, this.#places.v, FIELD_WIDTHS.value);
    return this.#value;
  }
  href(): string | null {
    if (this.#href === undefined) this.#href = this.#text(this.#tape.innerValues, this.#places.h, FIELD_WIDTHS.href);
    return this.#href;
  }

  #text({ kinds, starts, ends }: JsonTape['values'], value: number, width: number): string | null {
    if (value < 0 || kinds[value] === VALUE.null) return null;
    const text = this.#tape.json.toString('utf8', starts[value], ends[value]);
    return cutText(kinds[value] === VALUE.escapedText ? text.replace(/\\(["\\])/g, '$1') : text, width);
  }
}
