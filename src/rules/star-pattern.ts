/**
 * Texts with `*`, which stands for any text. Never a regular expression made of what a user wrote: such a one may run for longer
 * than the sun burns.
 *
 * The pieces between the stars are found one after the other, each at the first place behind the one before, which finds a way
 * if there is one. String.indexOf, which is some ten times faster than anything written here, finds where a piece may begin, but
 * may look at each character of the text as often as what it looks for is long: so it is given the beginning of the piece only. A
 * longer piece is found from there on by Knuth, Morris and Pratt's algorithm, which never looks at a character twice. Cost: linear in
 * pattern and text together.
 */
export const STAR = '*';

/** A text that holds at least one star, ready to be matched. */
export class StarPattern {
  /** What a text must begin with. */
  readonly prefix: string;
  /** What a text must end with. */
  readonly suffix: string;
  readonly #pieces: readonly Piece[];
  readonly #leastLength: number;

  constructor(pattern: string) {
    const parts = pattern.split(STAR);
    this.prefix = parts[0]!;
    this.suffix = parts.at(-1)!;
    this.#pieces = parts
      .slice(1, -1)
      .filter((piece) => piece !== '')
      .map((piece) => new Piece(piece));
    this.#leastLength = pattern.length - (parts.length - 1);
  }

  /** Whether matching may have to read the whole text. */
  get searches(): boolean {
    return this.#pieces.length > 0;
  }

  matches(text: string): boolean {
    if (text.length < this.#leastLength || !text.startsWith(this.prefix) || !text.endsWith(this.suffix)) return false;
    const until = text.length - this.suffix.length;
    let at = this.prefix.length;
    for (const piece of this.#pieces) {
      at = piece.endIn(text, at, until);
      if (at < 0) return false;
    }
    return true;
  }
}

/** So many characters of a piece are looked for by String.indexOf. */
const HEAD_UNITS = 32;

/** A text without a star, to be found in others. */
class Piece {
  readonly #text: string;
  readonly #head: string;
  /** How much of the piece is still matched when the character behind so many does not fit. */
  readonly #fallbacks: Uint16Array;

  constructor(text: string) {
    this.#text = text;
    this.#head = text.slice(0, HEAD_UNITS);
    this.#fallbacks = new Uint16Array(text.length + 1);
    for (let length = 1, matched = 0; length < text.length; length += 1) {
      while (matched > 0 && text.charCodeAt(length) !== text.charCodeAt(matched)) matched = this.#fallbacks[matched]!;
      if (text.charCodeAt(length) === text.charCodeAt(matched)) matched += 1;
      this.#fallbacks[length + 1] = matched;
    }
  }

  /** Finds the piece within [from, until) of a text and gives where it ends; -1 when it is not there. */
  endIn(text: string, from: number, until: number): number {
    const piece = this.#text;
    const begin = text.indexOf(this.#head, from);
    if (begin < 0 || begin + piece.length > until) return -1;
    if (piece.length <= HEAD_UNITS) return begin + piece.length;
    let matched = 0;
    for (let at = begin; at < until; at += 1) {
      const unit = text.charCodeAt(at);
      while (matched > 0 && unit !== piece.charCodeAt(matched)) matched = this.#fallbacks[matched]!;
      if (unit === piece.charCodeAt(matched)) matched += 1;
      if (matched === piece.length) return at + 1;
    }
    return -1;
  }
}
