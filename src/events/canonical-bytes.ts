/**
 * Writes the canonical JSON of a value (canonical-json.ts) as UTF-8 into a buffer that is used again: the same bytes, at a third of
 * the cost of a string that is built, flattened and encoded. Every event that comes in passes here, to be hashed.
 *
 * ASCII is copied character by character; whatever has to be escaped or is no ASCII is left to JSON.stringify. Objects with the same
 * keys in the same order have their keys sorted and encoded once. Synchronous; what `write` gives holds until the next call.
 */
const FIRST_BYTES = 64 * 1024;
/** A buffer that a large event has made larger is not kept: events may be larger than a thousand others. */
const KEPT_BYTES = 1024 * 1024;
/** Keys are the senders' choice: beyond this many, what is known of them is forgotten. */
const MAX_KNOWN_KEYS = 20_000;
const MAX_KNOWN_KEY_LENGTH = 100;

/** The keys of one kind of object in canonical order, and what stands before each member: `{"a":` and then `,"b":`. */
type Shape = { readonly keys: readonly string[]; readonly prefixes: readonly Uint8Array[] };

/** Shapes by their keys as they came, one level for each key. */
type ShapeNode = { readonly next: Map<string, ShapeNode>; shape?: Shape };

export class CanonicalWriter {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #at = 0;
  #root: ShapeNode = { next: new Map() };
  #knownKeys = 0;

  /** Gives the bytes of `head` and of the value's canonical JSON. */
  write(head: string, value: unknown): Buffer {
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
    this.#at = 0;
    this.#encode(head);
    this.#value(value);
    return this.#bytes.subarray(0, this.#at);
  }

  #value(value: unknown): void {
    if (typeof value === 'string') this.#string(value);
    else if (typeof value !== 'object' || value === null)
      this.#ascii(value === undefined ? 'null' : JSON.stringify(value));
    else if (Array.isArray(value)) this.#array(value);
    else this.#object(value as Readonly<Record<string, unknown>>);
  }

  #array(values: readonly unknown[]): void {
    this.#byte(0x5b);
    for (let place = 0; place < values.length; place += 1) {
      if (place > 0) this.#byte(0x2c);
      this.#value(values[place]);
    }
    this.#byte(0x5d);
  }

  #object(object: Readonly<Record<string, unknown>>): void {
    const { keys, prefixes } = this.#shapeOf(Object.keys(object));
    if (keys.length === 0) this.#byte(0x7b);
    for (let place = 0; place < keys.length; place += 1) {
      const prefix = prefixes[place]!;
      this.#reserve(prefix.length);
      const bytes = this.#bytes;
      const at = this.#at;
      for (let from = 0; from < prefix.length; from += 1) bytes[at + from] = prefix[from]!;
      this.#at = at + prefix.length;
      this.#value(object[keys[place]!]);
    }
    this.#byte(0x7d);
  }

  #string(text: string): void {
    this.#reserve(text.length + 2);
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = 0x22;
    for (let place = 0; place < text.length; place += 1) {
      const unit = text.charCodeAt(place);
      if (unit < 0x20 || unit > 0x7e || unit === 0x22 || unit === 0x5c) {
        this.#encode(JSON.stringify(text));
        return;
      }
      bytes[at++] = unit;
    }
    bytes[at++] = 0x22;
    this.#at = at;
  }

  #ascii(text: string): void {
    this.#reserve(text.length);
    const bytes = this.#bytes;
    const at = this.#at;
    for (let place = 0; place < text.length; place += 1) bytes[at + place] = text.charCodeAt(place);
    this.#at = at + text.length;
  }

  #encode(text: string): void {
    this.#reserve(3 * text.length);
    this.#at += this.#bytes.write(text, this.#at);
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = byte;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }

  #shapeOf(wireKeys: readonly string[]): Shape {
    let node: ShapeNode | undefined = this.#root;
    for (let place = 0; place < wireKeys.length && node; place += 1) node = node.next.get(wireKeys[place]!);
    return node?.shape ?? this.#learn(wireKeys);
  }

  #learn(wireKeys: readonly string[]): Shape {
    const keys = wireKeys.toSorted();
    const prefixes = keys.map((key, place) => Buffer.from(`${place === 0 ? '{' : ','}${JSON.stringify(key)}:`));
    const shape = { keys, prefixes };
    if (wireKeys.length > MAX_KNOWN_KEYS || wireKeys.some((key) => key.length > MAX_KNOWN_KEY_LENGTH)) return shape;
    this.#knownKeys += wireKeys.length;
    if (this.#knownKeys > MAX_KNOWN_KEYS) {
      this.#root = { next: new Map() };
      this.#knownKeys = wireKeys.length;
    }
    let node = this.#root;
    for (const key of wireKeys) {
      const next = node.next.get(key) ?? { next: new Map() };
      node.next.set(key, next);
      node = next;
    }
    node.shape = shape;
    return shape;
  }
}
