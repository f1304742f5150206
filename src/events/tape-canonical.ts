/**
 * Writes the canonical JSON (canonical-json.ts) of a plain element of a tape: its own bytes, with the keys of each object in order
 * and without blanks. The same bytes as CanonicalWriter makes of the parsed element, at a fraction of the cost.
 */
import { SHAPE_NOTES, type Shape } from '../wire/json-shape.ts';
import { VALUE, type JsonTape } from '../wire/json-tape.ts';
import { copyWithin, literalOf, writeLiteral, type Literal } from './copy-bytes.ts';

/** The places of a shape's keys in canonical order, and what stands before each member: `{"a":` and then `,"b":`. */
type CanonicalOrder = { readonly places: readonly number[]; readonly prefixes: readonly Literal[] };

/**
 * Writes a plain element at a place of `bytes`, at whose front the text of the tape stands, and gives the end of what is written.
 * There must be room for as many bytes as the element has in the text, and for WORD_ROOM more.
 */
export function writeCanonical(bytes: DataView, at: number, tape: JsonTape, element: number): number {
  const { elements, values } = tape;
  return writeObject(bytes, at, tape, elements.shapes[element]!, values, elements.firsts[element]!);
}

function writeObject(
  bytes: DataView,
  from: number,
  tape: JsonTape,
  shape: Shape,
  values: JsonTape['values'],
  first: number,
): number {
  const { places, prefixes } = orderOf(shape);
  const { kinds, starts, ends } = values;
  let at = from;
  if (places.length === 0) bytes.setUint8(at++, 0x7b);
  for (let place = 0; place < places.length; place += 1) {
    at = writeLiteral(bytes, at, prefixes[place]!);
    const value = first + places[place]!;
    const kind = kinds[value]!;
    if (kind === VALUE.object || kind === VALUE.objects) {
      at = writeNested(bytes, at, tape, value, kind === VALUE.objects);
      continue;
    }
    const quotes = kind >= VALUE.text ? 1 : 0;
    at = copyWithin(bytes, at, starts[value]! - quotes, ends[value]! + quotes);
  }
  bytes.setUint8(at, 0x7d);
  return at + 1;
}

function writeNested(bytes: DataView, from: number, tape: JsonTape, value: number, isArray: boolean): number {
  const { inner, innerValues, values } = tape;
  const first = values.starts[value]!;
  const end = values.ends[value]!;
  let at = from;
  if (isArray) bytes.setUint8(at++, 0x5b);
  for (let object = first; object < end; object += 1) {
    if (object > first) bytes.setUint8(at++, 0x2c);
    at = writeObject(bytes, at, tape, inner.shapes[object]!, innerValues, inner.firsts[object]!);
  }
  if (isArray) bytes.setUint8(at++, 0x5d);
  return at;
}

function orderOf(shape: Shape): CanonicalOrder {
  const known = shape.notes[SHAPE_NOTES.canonical] as CanonicalOrder | undefined;
  if (known !== undefined) return known;
  const keys = shape.keys.toSorted();
  const order: CanonicalOrder = {
    places: keys.map((key) => shape.keys.indexOf(key)),
    prefixes: keys.map((key, place) => literalOf(Buffer.from(`${place === 0 ? '{' : ','}${JSON.stringify(key)}:`))),
  };
  shape.notes[SHAPE_NOTES.canonical] = order;
  return order;
}
