/** Reads numbers of any width out of an LZ-String bit stream: bytes from the highest bit down, numbers from the lowest up. */
import { AppError } from '../errors/app-error.ts';

/** Widest number that fits the 32-bit window beside the rest of one byte. */
const MAX_WIDTH = 24;

/** Each byte with its bits in reverse order: after that, both orders are the lowest first and a number is one mask. */
const REVERSED = Uint8Array.from({ length: 256 }, (_, byte) => {
  let reversed = 0;
  for (let bit = 0; bit < 8; bit += 1) reversed |= ((byte >>> bit) & 1) << (7 - bit);
  return reversed;
});

/** A place in the bit stream, moved on by each read. */
export class BitReader {
  readonly #input: Uint8Array;
  #at = 0;
  #window = 0;
  #windowBits = 0;

  constructor(input: Uint8Array) {
    this.#input = input;
  }

  /**
   * Reads the next number of `width` bits.
   * @throws AppError undecodable_body at the end of the input; too_large when `width` is more than 24 bits.
   */
  read(width: number): number {
    if (width > MAX_WIDTH) throw new AppError('too_large', `it has a dictionary of more than 2^${MAX_WIDTH} words`);
    while (this.#windowBits < width) {
      if (this.#at === this.#input.length) throw new AppError('undecodable_body', 'the LZ-String ends too early');
      this.#window |= REVERSED[this.#input[this.#at]!]! << this.#windowBits;
      this.#at += 1;
      this.#windowBits += 8;
    }
    const value = this.#window & ((1 << width) - 1);
    this.#window >>>= width;
    this.#windowBits -= width;
    return value;
  }
}
