import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteTree, type Side } from './byte-tree.ts';

/** Finds a text that stands between others. */
function find(tree: ByteTree<string>, text: string): string | undefined {
  const bytes = Buffer.from(`a${text}a`);
  return tree.find(bytes, 1, bytes.length - 1);
}

function visited(tree: ByteTree<string>, text: string): readonly string[] {
  const bytes = Buffer.from(`a${text}a`);
  const values: string[] = [];
  tree.visit(bytes, 1, bytes.length - 1, { visit: (value) => values.push(value) });
  return values;
}

function treeOf(side: Side, texts: readonly string[]): ByteTree<string> {
  return new ByteTree(
    side,
    texts.map((text) => [text, text]),
  );
}

// Letters that follow each other and letters with gaps between; 苹 and 苺 share two bytes of three, 果 none with them, 😀 has four.
const text = fc
  .array(fc.constantFrom('a', 'b', 'c', 'x', '0', '9', '苹', '苺', '果', '😀'), { minLength: 1, maxLength: 5 })
  .map((letters) => letters.join(''));
const texts = fc.uniqueArray(text, { maxLength: 40 });

describe('ByteTree', () => {
  for (const side of ['prefix', 'suffix'] as const)
    it(`finds a whole text, and no other, from the side of the ${side}`, () => {
      fc.assert(
        fc.property(texts, fc.array(text, { maxLength: 10 }), (known, asked) => {
          const tree = treeOf(side, known);
          for (const each of [...known, ...asked, ''])
            assert.equal(find(tree, each), known.includes(each) ? each : undefined);
        }),
        { numRuns: 500 },
      );
    });

  for (const side of ['prefix', 'suffix'] as const)
    it(`finds all that a text has as a ${side}, the shortest first`, () => {
      const has = (whole: string, part: string): boolean =>
        side === 'prefix' ? whole.startsWith(part) : whole.endsWith(part);
      fc.assert(
        fc.property(texts, fc.array(text, { maxLength: 10 }), (known, asked) => {
          const tree = treeOf(side, known);
          for (const each of [...known, ...asked, '']) {
            const expected = known.filter((part) => has(each, part)).sort((a, b) => a.length - b.length);
            assert.deepEqual(visited(tree, each), expected);
          }
        }),
        { numRuns: 500 },
      );
    });

  it('knows the greatest sum of the values that one text leads to', () => {
    const tree = treeOf('prefix', ['a', 'ab', 'abc', 'abd', 'b', 'bc']);
    const weights: Readonly<Record<string, number>> = { a: 1, ab: 10, abc: 2, abd: 5, b: 9, bc: 4 };
    assert.equal(
      tree.greatestSum((value) => weights[value]!),
      16,
    );
    assert.equal(
      treeOf('suffix', []).greatestSum(() => 1),
      0,
    );
  });
});
