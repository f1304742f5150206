/**
 * Counts equal events of one request, by their digests: two equal clicks sent together are two rows.
 *
 * A hash table of its own, because a Map would hash each digest once more, which is a hash already.
 */
import { randomInt } from 'node:crypto';

const FIRST_SLOTS = 64;
/** Not to be guessed, so that nobody can send events that all have the same slot. */
const SEED = randomInt(2 ** 32);

/** Mixes the first 32 bits of a digest. */
function mixed(digest: string): number {
  const bits =
    digest.charCodeAt(0) | (digest.charCodeAt(1) << 8) | (digest.charCodeAt(2) << 16) | (digest.charCodeAt(3) << 24);
  return Math.imul(bits ^ SEED, 0x9e3779b1) >>> 8;
}

export class Occurrences {
  /** 1 + the place of a digest in `#digests`; 0 is free. At most half full. */
  #slots = new Int32Array(FIRST_SLOTS);
  readonly #digests: string[] = [];
  readonly #counts: number[] = [];

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
