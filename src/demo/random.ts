/**
 * Random numbers that are the same for the same seed, so that the sample traffic is too. Never for secrets.
 *
 * The generator is mulberry32: 32 bits of state, good enough to look like people, and a few lines.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Draws from [0, 1). */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Draws a whole number from [from, until). */
  integer(from: number, until: number): number {
    return from + Math.floor(this.fraction() * (until - from));
  }

  /** Is true with this probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** Draws a waiting time around a mean, many short and few long, as between a person's clicks. */
  waitMs(meanMs: number): number {
    return Math.round(-Math.log(1 - this.fraction()) * meanMs);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length)]!; // callers give lists that are not empty
  }

  /** Draws one of the items by their `weight`. */
  pickWeighted<T extends { readonly weight: number }>(items: readonly T[]): T {
    let left = this.fraction() * items.reduce((sum, { weight }) => sum + weight, 0);
    return items.find(({ weight }) => (left -= weight) < 0) ?? items.at(-1)!;
  }

  /** Draws hexadecimal digits. */
  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.integer(0, 16).toString(16)).join('');
  }

  /** Draws decimal digits. */
  digits(digits: number): string {
    return Array.from({ length: digits }, () => this.integer(0, 10)).join('');
  }

  /** Draws an identifier in the form of a random UUID. */
  uuid(): string {
    const variant = this.pick(['8', '9', 'a', 'b']);
    return `${this.hex(8)}-${this.hex(4)}-4${this.hex(3)}-${variant}${this.hex(3)}-${this.hex(12)}`;
  }
}
