/**
 * The shapes of JSON objects: which keys they have, in which order.
 *
 * SDKs send the same few kinds of objects over and over. A shape is learned once, as a path of keys from the root, and after
 * that an object's keys are only compared with what came last time (json-tape.ts). What a reader works out about a shape, it keeps
 * with it (`notes`), so that it is worked out once too.
 *
 * Bounded: keys are the senders' choice. Beyond MAX_SHAPE_KEYS known keys everything known is forgotten.
 */

/** A shape is refused when it would need more care than it is worth: such objects are read the slow way. */
const MAX_KEY_BYTES = 100;
const MAX_KEYS = 200;
const MAX_SHAPE_KEYS = 20_000;
const MAX_COMPARED = 4;
/** `Object.keys` gives such keys first, whatever their place; `__proto__` is no key like others. */
const ODD_KEY = /^(?:0|[1-9]\d*|__proto__)$/;

/** Bytes to compare a text with, four at a time. */
export type KeyText = {
  readonly length: number;
  /** The bytes, with zeros up to a whole word. */
  readonly words: DataView;
  /** How long `words` is; kept, because asking the view costs a call. */
  readonly wholeLength: number;
  /** Which bits of the last word count, if not all do; else 0. */
  readonly lastMask: number;
};

function keyTextOf(text: string): KeyText {
  const bytes = Buffer.from(text);
  const words = new DataView(new ArrayBuffer(Math.ceil(bytes.length / 4) * 4));
  for (const [place, byte] of bytes.entries()) words.setUint8(place, byte);
  const last = bytes.length % 4;
  return {
    length: bytes.length,
    words,
    wholeLength: words.byteLength,
    lastMask: last === 0 ? 0 : -1 << (8 * (4 - last)),
  };
}

/** The keys read so far of an object. Every node is a shape: that of an object which ends here. */
export class Shape {
  /** All keys from the root to here, in the order of the wire. */
  readonly keys: readonly string[];
  /** The last key as it stands in the text, `"key":`. */
  readonly literal: KeyText;
  /** The key that came next most lately: nearly always the one that comes next now. */
  likely: Shape | undefined;
  readonly next = new Map<string, Shape>();
  /** Some of `next`: SDKs leave out a key here and there, and so few are compared more quickly than one is looked up. */
  readonly first: Shape[] = [];
  /** What readers have worked out, one slot each; see SHAPE_NOTES. */
  readonly notes: unknown[] = [undefined, undefined, undefined];

  constructor(keys: readonly string[]) {
    this.keys = keys;
    this.literal = keyTextOf(keys.length === 0 ? '' : `"${keys.at(-1)!}":`);
  }
}

/** Who keeps what in a shape's notes. */
export const SHAPE_NOTES = { canonical: 0, plan: 1, element: 2 } as const;

export class Shapes {
  #root = new Shape([]);
  #knownKeys = 0;

  /** The shape of an object without keys, from which all others are reached. */
  get root(): Shape {
    return this.#root;
  }

  /**
   * Follows a key from a shape, learning it when it is new. Null when objects with it are to be read the slow way: an odd, long,
   * escaped or repeated key, or too many. `key` is the text between the quotes.
   */
  follow(shape: Shape, key: string): Shape | null {
    const known = shape.next.get(key);
    if (known !== undefined) return known;
    const isOdd =
      key.length > MAX_KEY_BYTES || shape.keys.length >= MAX_KEYS || ODD_KEY.test(key) || shape.keys.includes(key);
    if (isOdd || this.#knownKeys > MAX_SHAPE_KEYS) return null; // not kept: there may be any number of such keys
    const child = new Shape([...shape.keys, key]);
    shape.next.set(key, child);
    if (shape.first.length < MAX_COMPARED) shape.first.push(child);
    this.#knownKeys += child.keys.length;
    return child;
  }

  /** Forgets everything when too much is known. Between bodies only: shapes in use must stay. */
  trim(): void {
    if (this.#knownKeys <= MAX_SHAPE_KEYS) return;
    this.#root = new Shape([]);
    this.#knownKeys = 0;
  }
}
