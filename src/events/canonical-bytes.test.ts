import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CanonicalWriter } from './canonical-bytes.ts';
import { canonicalJson } from './canonical-json.ts';

describe('CanonicalWriter', () => {
  const writer = new CanonicalWriter();
  const written = (value: unknown): string => writer.write('', value).toString();

  it('writes what canonicalJson writes, value after value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }), (value) => {
        assert.equal(written(value), canonicalJson(value));
      }),
      { numRuns: 1_000 },
    );
  });

  it('writes texts that need care as JSON.stringify does', () => {
    for (const text of [
      '',
      '"',
      '\\',
      '\n',
      '\u0000',
      '\u007f',
      '苹果',
      '😀',
      '\ud83c',
      '\udf4f\ud83c',
      'a\u2028b',
      'é',
    ]) {
      assert.equal(written({ text }), JSON.stringify({ text }));
      assert.equal(written({ [text]: 1 }), JSON.stringify({ [text]: 1 }));
    }
  });

  it('tells apart objects whose keys only look alike when put together', () => {
    const objects = [{ ab: 1, c: 2 }, { a: 1, bc: 2 }, { abc: 1 }, { a: 1 }, { a: 1, b: 2 }, { b: 2, a: 1 }, {}];
    for (let round = 0; round < 2; round += 1)
      for (const object of objects) assert.equal(written(object), canonicalJson(object));
  });

  it('puts the head before it, and grows for what is large', () => {
    const large = {
      text: 'x'.repeat(300_000),
      more: '苹'.repeat(300_000),
      numbers: Array.from({ length: 100_000 }, (_, n) => n),
    };
    assert.equal(writer.write('头\0', large).toString(), `头\0${canonicalJson(large)}`);
    assert.equal(writer.write('', { a: 1 }).toString(), '{"a":1}');
  });

  it('stays right when more keys come than it remembers', () => {
    for (let number = 0; number < 3_000; number += 1) {
      const object = Object.fromEntries(
        Array.from({ length: 20 }, (_, place) => [`k${(number * 31 + place) % 4_099}`, place]),
      );
      assert.equal(written(object), canonicalJson(object));
    }
  });
});
