/**
 * Values by prefix, or by suffix: finds all that a text begins with, or ends with, by walking the text once from that side. A radix
 * tree: each node holds as many characters as its prefixes share. A suffix is kept as the prefix that it is from the end.
 */
type Node<Value> = { label: string; value: Value | undefined; children: Map<number, Node<Value>> };

/** Is given what a text leads to. An object that is kept, because a function made for every text would cost more than the walk. */
export interface PrefixVisitor<Value> {
  visit(value: Value): void;
}

export class PrefixTree<Value> {
  readonly #side: 'prefix' | 'suffix';
  readonly #root: Node<Value> = { label: '', value: undefined, children: new Map() };

  constructor(side: 'prefix' | 'suffix') {
    this.#side = side;
  }

  /** Adds a value. A prefix, or suffix, may be added once only. */
  add(affix: string, value: Value): void {
    const prefix = this.#side === 'prefix' ? affix : affix.split('').reverse().join('');
    let node = this.#root;
    let at = 0;
    while (at < prefix.length) {
      const first = prefix.charCodeAt(at);
      const child = node.children.get(first);
      if (!child) {
        node.children.set(first, { label: prefix.slice(at), value, children: new Map() });
        return;
      }
      const shared = sharedLength(child.label, prefix, at);
      if (shared < child.label.length) split(node, child, shared, first);
      node = node.children.get(first)!;
      at += shared;
    }
    node.value = value;
  }

  /** Gives every value whose prefix, or suffix, the text has, the shortest first. */
  visit(text: string, visitor: PrefixVisitor<Value>): void {
    let node = this.#root;
    for (let at = 0; ;) {
      if (node.value !== undefined) visitor.visit(node.value);
      if (at >= text.length) return;
      const child = node.children.get(text.charCodeAt(this.#side === 'prefix' ? at : text.length - 1 - at));
      if (!child || !this.#holds(text, child.label, at)) return;
      at += child.label.length;
      node = child;
    }
  }

  /** Gives the greatest sum of a weight over the values that one text can lead to. */
  greatestSum(weightOf: (value: Value) => number): number {
    const sumFrom = ({ value, children }: Node<Value>): number => {
      let behind = 0;
      for (const child of children.values()) behind = Math.max(behind, sumFrom(child));
      return (value === undefined ? 0 : weightOf(value)) + behind;
    };
    return sumFrom(this.#root);
  }

  #holds(text: string, label: string, at: number): boolean {
    if (this.#side === 'prefix') return text.startsWith(label, at);
    if (text.length - at < label.length) return false;
    for (let place = 0; place < label.length; place += 1)
      if (text.charCodeAt(text.length - 1 - at - place) !== label.charCodeAt(place)) return false;
    return true;
  }
}

function sharedLength(label: string, prefix: string, from: number): number {
  let shared = 0;
  while (shared < label.length && from + shared < prefix.length && label[shared] === prefix[from + shared]) shared += 1;
  return shared;
}

/** Cuts a child in two, so that a node stands where the prefixes part. */
function split<Value>(parent: Node<Value>, child: Node<Value>, shared: number, first: number): void {
  const upper: Node<Value> = { label: child.label.slice(0, shared), value: undefined, children: new Map() };
  parent.children.set(first, upper);
  child.label = child.label.slice(shared);
  upper.children.set(child.label.charCodeAt(0), child);
}
