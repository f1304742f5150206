/**
 * The values of one action on a tape, for the rules: where they lie in the text of the body.
 *
 * The same texts as WireActionFields gives of the parsed event. Only for actions that PlainEvents has written a row of: so every value
 * is a text, a number or a word, none is wider than it is looked at, and an index is a whole number as JavaScript prints it.
 */
import {
  ActionFields,
  EVENT_CONDITIONS,
  FIELD_WIDTHS,
  CONDITION_NAMES,
  type TextSpan,
} from '../rules/action-fields.ts';
import { VALUE, type JsonTape } from '../wire/json-tape.ts';
import { ELEMENT_HREF, ELEMENT_INDEX, ELEMENT_VALUE, ELEMENT_XPATH, type KeyPlaces } from './column-plan.ts';
import { copyUnescaped } from './tape-bytes.ts';

const NONE = -1;

export class TapeActionFields extends ActionFields {
  readonly #tape: JsonTape;
  /** Where each of CONDITION_NAMES is among the values of the event, or of the element; NONE where there is none. */
  readonly #places = new Int32Array(CONDITION_NAMES.length).fill(NONE);
  /** Room for the texts with escapes, as what they stand for. */
  readonly #unescaped = CONDITION_NAMES.map((name) => Buffer.alloc(name === 'index' ? 0 : FIELD_WIDTHS[name]));

  constructor(tape: JsonTape) {
    super();
    this.#tape = tape;
  }

  /** Turns to another event, whose values begin at `first`. */
  ofEvent(type: string, { d, p, q }: KeyPlaces, first: number): void {
    this.type = type;
    this.forgetEvent();
    this.#places[0] = placeOf(d, first);
    this.#places[1] = placeOf(p, first);
    this.#places[2] = placeOf(q, first);
  }

  /** Turns to an element of the event: to where it has ELEMENT_KEYS, and where its values begin. */
  ofElement(keys: Int32Array, first: number): void {
    this.forgetElement();
    this.#places[3] = placeOf(keys[ELEMENT_XPATH]!, first);
    this.#places[4] = placeOf(keys[ELEMENT_INDEX]!, first);
    this.#places[5] = placeOf(keys[ELEMENT_VALUE]!, first);
    this.#places[6] = placeOf(keys[ELEMENT_HREF]!, first);
  }

  protected locate(place: number, span: TextSpan): boolean {
    const tape = this.#tape;
    const { kinds, starts, ends } = place < EVENT_CONDITIONS ? tape.values : tape.innerValues;
    const value = this.#places[place]!;
    if (value < 0 || kinds[value] === VALUE.null) return false;
    const start = starts[value]!;
    const end = ends[value]!;
    if (kinds[value] === VALUE.escapedText) {
      const room = this.#unescaped[place]!;
      span.set(room, 0, copyUnescaped(room, 0, tape.json, start, end));
    } else span.set(tape.json, start, end);
    return true;
  }
}

function placeOf(key: number, first: number): number {
  return key < 0 ? NONE : first + key;
}
