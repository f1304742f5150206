/**
 * Values by text: finds what belongs to a whole text, or to all that a text begins with, or ends with, by walking its bytes once from
 * that side. A radix tree: each node holds as many bytes as its texts share. For suffixes the texts stand from their end.
 *
 * The texts are UTF-8, of which no character begins inside of another, so bytes that fit are characters that fit. The tree is built
 * once and then only asked; its nodes are numbers in one array, so that a walk touches little memory and makes nothing.
 *
 * Cost: linear in the text, with a search among at most 256 children where texts part. Whoever sends texts, or makes them, cannot make
 * it dearer, as with a hash.
 */

// What is known of a node: six numbers, one after the other. Children of a node stand side by side, in the order of their first bytes.
const FIRST_BYTE = 0;
const LABEL = 1;
const LENGTH = 2;
const VALUE = 3;
const CHILDREN = 4;
const CHILDREN_END = 5;
const NODE_NUMBERS = 6;
const NONE = -1;

/** From which side texts are walked. Whole texts can be walked from either: from the one where they differ most it is sooner seen that a text is none of them. */
export type Side = 'prefix' | 'suffix';

/** Is given what a text leads to. An object that is kept, because a function made for every text would cost more than the walk. */
export interface TextVisitor<Value> {
  visit(value: Value): void;
}

type Entry<Value> = { readonly bytes: Uint8Array; readonly value: Value };

export class ByteTree<Value> {
  readonly values: readonly Value[];
  readonly #step: 1 | -1;
  readonly #nodes: Int32Array;
  /** The bytes of all nodes. */
  readonly #labels: Uint8Array;

  /** Builds the tree of texts, of which each may be there once only. */
  constructor(side: Side, values: readonly (readonly [text: string, value: Value])[]) {
    this.#step = side === 'prefix' ? 1 : -1;
    const entries = values.map(([text, value]): Entry<Value> => {
      const bytes = Buffer.from(text);
      return { bytes: side === 'prefix' ? bytes : bytes.reverse(), value };
    });
    entries.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
    this.values = entries.map(({ value }) => value);
    const { nodes, labels } = buildNodes(entries);
    this.#nodes = nodes;
    this.#labels = labels;
  }

  /** Gives the value of the text [start, end). */
  find(bytes: Uint8Array, start: number, end: number): Value | undefined {
    const nodes = this.#nodes;
    const step = this.#step;
    let at = step === 1 ? start : end - 1;
    let node = 0;
    for (let left = end - start; left > 0;) {
      node = this.#follow(node, bytes, at, left);
      if (node === NONE) return undefined;
      const length = nodes[node + LENGTH]!;
      at += step * length;
      left -= length;
    }
    const value = nodes[node + VALUE]!;
    return value === NONE ? undefined : this.values[value];
  }

  /** Gives every value whose prefix, or suffix, the text [start, end) has, the shortest first. */
  visit(bytes: Uint8Array, start: number, end: number, visitor: TextVisitor<Value>): void {
    const nodes = this.#nodes;
    const step = this.#step;
    let at = step === 1 ? start : end - 1;
    let left = end - start;
    for (let node = 0; ;) {
      const value = nodes[node + VALUE]!;
      if (value !== NONE) visitor.visit(this.values[value]!);
      if (left === 0) return;
      node = this.#follow(node, bytes, at, left);
      if (node === NONE) return;
      const length = nodes[node + LENGTH]!;
      at += step * length;
      left -= length;
    }
  }

  /** Gives the greatest sum of a weight over the values that one text can lead to. */
  greatestSum(weightOf: (value: Value) => number): number {
    const nodes = this.#nodes;
    const sums = new Float64Array(nodes.length / NODE_NUMBERS);
    for (let place = sums.length - 1; place >= 0; place -= 1) {
      const node = place * NODE_NUMBERS;
      let behind = 0; // children stand behind their parent, so their sums are known
      for (let child = nodes[node + CHILDREN]!; child < nodes[node + CHILDREN_END]!; child += NODE_NUMBERS)
        behind = Math.max(behind, sums[child / NODE_NUMBERS]!);
      const value = nodes[node + VALUE]!;
      sums[place] = behind + (value === NONE ? 0 : weightOf(this.values[value]!));
    }
    return sums[0]!;
  }

  /** Goes from a node to the child whose bytes come next in a text of which so many are left; NONE when there is none. */
  #follow(node: number, bytes: Uint8Array, from: number, left: number): number {
    const child = childWith(this.#nodes, node, bytes[from]!);
    if (child === NONE) return NONE;
    const labels = this.#labels;
    const label = this.#nodes[child + LABEL]!;
    const length = this.#nodes[child + LENGTH]!;
    if (length > left) return NONE;
    const step = this.#step;
    for (let place = 1, at = from + step; place < length; place += 1, at += step)
      if (bytes[at] !== labels[label + place]) return NONE;
    return child;
  }
}

/** Finds the child that begins with a byte. Children mostly are digits, or letters, without gaps: then the first guess is right. */
function childWith(nodes: Int32Array, node: number, byte: number): number {
  let low = nodes[node + CHILDREN]!;
  const end = nodes[node + CHILDREN_END]!;
  if (low === end) return NONE;
  const guess = low + NODE_NUMBERS * (byte - nodes[low + FIRST_BYTE]!);
  if (guess < low) return NONE;
  if (guess < end && nodes[guess + FIRST_BYTE] === byte) return guess;
  for (let high = end; low < high;) {
    const middle = low + NODE_NUMBERS * (((high - low) / (2 * NODE_NUMBERS)) | 0);
    if (nodes[middle + FIRST_BYTE]! < byte) low = middle + NODE_NUMBERS;
    else high = middle;
  }
  return low < end && nodes[low + FIRST_BYTE] === byte ? low : NONE;
}

/** Builds the nodes of entries in order: first the root, then its children, then theirs. */
function buildNodes(entries: readonly Entry<unknown>[]): { nodes: Int32Array; labels: Uint8Array } {
  const nodes: number[] = [];
  const labels: Uint8Array[] = [];
  let labelBytes = 0;
  // A node for each span of entries that share the bytes before `depth` and the one there.
  const spans = [{ from: 0, until: entries.length, depth: 0 }];
  for (let place = 0; place < spans.length; place += 1) {
    const { from, until, depth } = spans[place]!;
    const first = entries[from]?.bytes ?? new Uint8Array(0);
    const shared = place === 0 ? 0 : sharedLength(first, entries[until - 1]!.bytes, depth);
    const label = first.subarray(depth, shared);
    const isValue = from < until && first.length === shared;
    const children = spans.length;
    for (let start = isValue ? from + 1 : from; start < until;) {
      let end = start + 1;
      while (end < until && entries[end]!.bytes[shared] === entries[start]!.bytes[shared]) end += 1;
      spans.push({ from: start, until: end, depth: shared });
      start = end;
    }
    const value = isValue ? from : NONE;
    nodes.push(label[0] ?? NONE, labelBytes, label.length, value, children * NODE_NUMBERS, spans.length * NODE_NUMBERS);
    labels.push(label);
    labelBytes += label.length;
  }
  return { nodes: Int32Array.from(nodes), labels: Buffer.concat(labels) };
}

/** Gives how many bytes two texts share that share those before `depth`. Of sorted texts, all between them share these too. */
function sharedLength(one: Uint8Array, other: Uint8Array, depth: number): number {
  let shared = depth;
  while (shared < one.length && shared < other.length && one[shared] === other[shared]) shared += 1;
  return shared;
}
