/**
 * Counts equal events of one request, by their digests: two equal clicks sent together are two rows.
 *
 * A hash table of its own, because a Map would hash each digest once more, which is a hash already.
 */
import { randomInt } from 'node:crypto';

const FIRST_SLOTS = 64;
/**
 * Odd and not to be guessed, one for each four bytes that are mixed: without them, events could be searched for whose digests all have the
 * same slot, which is quick as long as only some bits of the digest count.
 */
const FACTORS = Array.from({ length: 4 }, () => randomInt(2 ** 32) | 1);

/** Mixes the first half of a digest: a row id of bits, more than anybody finds twice. */
function mixed(digest: string): number {
  let sum = 0;
  for (let word = 0; word < FACTORS.length; word += 1) sum += Math.imul(wordAt(digest, 4 * word), FACTORS[word]!);
  return (sum | 0) >>> 8;
}

function wordAt(digest: string, at: number): number {
  return (
    digest.charCodeAt(at) |
    (digest.charCodeAt(at + 1) << 8) |
    (digest.charCodeAt(at + 2) << 16) |
    (digest.charCodeAt(at + 3) << 24)
  );
}

export class Occurrences {
  /** 1 + the place of a digest in `#digests`; 0 is free. At most half full. */
  #slots = new Int32Array(FIRST_SLOTS);
  readonly #digests: string[] = [];
  readonly #counts: number[] = [];

  /** Forgets all, for the next request. */
  clear(): void {
    if (this.#slots.length === FIRST_SLOTS) this.#slots.fill(0);
    else this.#slots = new Int32Array(FIRST_SLOTS);
    this.#digests.length = 0;
    this.#counts.length = 0;
  }

  /** Says how often this digest was counted. Digests are as `eventDigest` makes them. */
  count(digest: string): number {
    const place = this.#slots[this.#slotOf(digest)]! - 1;
    return place < 0 ? 0 : this.#counts[place]!;
  }

  /** Counts a digest once more. */
  add(digest: string): void {
    const slot = this.#slotOf(digest);
    const place = this.#slots[slot]! - 1;
    if (place >= 0) {
      this.#counts[place]! += 1;
      return;
    }
    this.#digests.push(digest);
    this.#counts.push(1);
    this.#slots[slot] = this.#digests.length;
    if (2 * this.#digests.length > this.#slots.length) this.#grow();
  }

  #slotOf(digest: string): number {
    const mask = this.#slots.length - 1;
    let slot = mixed(digest) & mask;
    for (let place = this.#slots[slot]!; place !== 0; place = this.#slots[slot]!) {
      if (this.#digests[place - 1] === digest) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    this.#slots = new Int32Array(2 * this.#slots.length);
    for (const [place, digest] of this.#digests.entries()) this.#slots[this.#slotOf(digest)] = place + 1;
  }
}
