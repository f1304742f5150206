/**
 * Texts with `*`, which stands for any text. Never a regular expression made of what a user wrote: such a one may run for longer
 * than the sun burns.
 *
 * The pieces between the stars are found one after the other, each at the first place behind the one before, which finds a way
 * if there is one. Each piece is found by Knuth, Morris and Pratt's algorithm, which never looks at a byte of the text
 * twice: Buffer.indexOf may look at each of them as often as the piece is long. Cost: linear in pattern and text together.
 *
 * Texts are bytes of UTF-8, in which no character begins inside of another: what fits by bytes fits by characters.
 */
import { isSameBytes } from './same-bytes.ts';

export const STAR = '*';

/** A text that holds at least one star, ready to be matched. */
export class StarPattern {
  /** What a text must begin with. */
  readonly prefix: string;
  /** What a text must end with. */
  readonly suffix: string;
  readonly #prefix: Uint8Array;
  readonly #suffix: Uint8Array;
  readonly #pieces: readonly Piece[];
  readonly #leastBytes: number;

  constructor(pattern: string) {
    const parts = pattern.split(STAR);
    this.prefix = parts[0]!;
    this.suffix = parts.at(-1)!;
    this.#prefix = Buffer.from(this.prefix);
    this.#suffix = Buffer.from(this.suffix);
    this.#pieces = parts
      .slice(1, -1)
      .filter((piece) => piece !== '')
      .map((piece) => new Piece(Buffer.from(piece)));
    this.#leastBytes = Buffer.byteLength(parts.join(''));
  }

  /** Whether matching may have to read the whole text. */
  get searches(): boolean {
    return this.#pieces.length > 0;
  }

  /** Says whether the text [start, end) fits. */
  matches(bytes: Uint8Array, start: number, end: number): boolean {
    const prefix = this.#prefix;
    const suffix = this.#suffix;
    if (end - start < this.#leastBytes) return false;
    let at = start + prefix.length;
    const until = end - suffix.length;
    if (!isSameBytes(bytes, start, at, prefix, 0, prefix.length)) return false;
    if (!isSameBytes(bytes, until, end, suffix, 0, suffix.length)) return false;
    for (const piece of this.#pieces) {
      at = piece.endIn(bytes, at, until);
      if (at < 0) return false;
    }
    return true;
  }
}

/** A text without a star, to be found in others. */
class Piece {
  readonly #bytes: Uint8Array;
  /** How much of the piece is still matched when the byte behind so many does not fit. */
  readonly #fallbacks: Uint16Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#fallbacks = new Uint16Array(bytes.length + 1);
    for (let length = 1, matched = 0; length < bytes.length; length += 1) {
      while (matched > 0 && bytes[length] !== bytes[matched]) matched = this.#fallbacks[matched]!;
      if (bytes[length] === bytes[matched]) matched += 1;
      this.#fallbacks[length + 1] = matched;
    }
  }

  /** Finds the piece within [from, until) of a text and gives where it ends; -1 when it is not there. */
  endIn(text: Uint8Array, from: number, until: number): number {
    const piece = this.#bytes;
    let matched = 0;
    for (let at = from; at < until; at += 1) {
      const byte = text[at]!;
      while (matched > 0 && byte !== piece[matched]) matched = this.#fallbacks[matched]!;
      if (byte === piece[matched]) matched += 1;
      if (matched === piece.length) return at + 1;
    }
    return -1;
  }
}
