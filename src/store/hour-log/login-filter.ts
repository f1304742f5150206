/**
 * Remembers a set of login users by a few bits each (a Bloom filter), so that most pages of other users are passed over at once.
 * It may take a user for one of the set who is not, one in some hundred, and never the other way round.
 *
 * Memory: two bytes for each expected user, 32 MiB at most; beyond 16 million users it passes over less and less, and is still right.
 */
const BITS_PER_USER = 16;
const MIN_BITS = 2 ** 12;
const MAX_BITS = 2 ** 28;

export class LoginFilter {
  readonly #words: Uint32Array;
  readonly #mask: number;

  constructor(expectedUsers: number) {
    let bits = MIN_BITS;
    while (bits < MAX_BITS && bits < expectedUsers * BITS_PER_USER) bits *= 2;
    this.#words = new Uint32Array(bits / 32);
    this.#mask = bits - 1;
  }

  /** Takes the bytes [start, end) into the set. */
  add(bytes: Buffer, start: number, end: number): void {
    const first = hashOf(bytes, start, end);
    for (const bit of [first & this.#mask, mix(first) & this.#mask]) this.#words[bit >>> 5]! |= 1 << (bit & 31);
  }

  /** Says whether the bytes [start, end) may be in the set. */
  mayHave(bytes: Buffer, start: number, end: number): boolean {
    const first = hashOf(bytes, start, end);
    return this.#has(first & this.#mask) && this.#has(mix(first) & this.#mask);
  }

  #has(bit: number): boolean {
    return (this.#words[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }
}

/** FNV-1a, finished so that its low bits depend on all bytes. */
function hashOf(bytes: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return mix(hash);
}

/** The finish of MurmurHash3. */
function mix(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
