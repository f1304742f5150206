import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from './canonical-json.ts';

describe('canonicalJson', () => {
  const cases: readonly (readonly [json: string, canonical: string])[] = [
    ['{}', '{}'],
    ['[]', '[]'],
    ['null', 'null'],
    ['"a"', '"a"'],
    ['{ "b" : 1 , "a" : [ true , null ] }', '{"a":[true,null],"b":1}'],
    ['{"b":{"d":1,"c":2},"a":{"z":{},"y":[]}}', '{"a":{"y":[],"z":{}},"b":{"c":2,"d":1}}'],
    ['{"10":"a","9":"b","x":"c"}', '{"10":"a","9":"b","x":"c"}'],
    ['{"ﬀ":1,"😀":2,"z":3}', '{"z":3,"😀":2,"ﬀ":1}'],
    ['{"__proto__":{"b":1,"a":2},"constructor":1}', '{"__proto__":{"a":2,"b":1},"constructor":1}'],
    ['{"a":"\\u0000\\ud83c\\u82f9\\n\\""}', '{"a":"\\u0000\\ud83c苹\\n\\""}'],
    ['[1.0,1e2,-0,0.1]', '[1,100,0,0.1]'],
    ['[[3,1,2]]', '[[3,1,2]]'],
  ];
  for (const [json, canonical] of cases) {
    it(`writes ${json} as ${canonical}`, () => assert.equal(canonicalJson(JSON.parse(json)), canonical));
  }

  it('is the same for the same value in any order of keys, and JSON of that value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const canonical = canonicalJson(value);
        assert.deepEqual(JSON.parse(canonical), JSON.parse(JSON.stringify(value)));
        assert.equal(canonicalJson(reversed(value)), canonical);
      }),
    );
  });

  it('tells apart what is not the same', () => {
    const values = [1, '1', [1], ['1'], { a: 1 }, { a: '1' }, { a: null }, {}, null, 'null', '', [[]], [], [null]];
    assert.equal(new Set(values.map(canonicalJson)).size, values.length);
  });

  it('goes as deep as a body may', () => {
    const json = `${'{"a":'.repeat(64)}1${'}'.repeat(64)}`;
    assert.equal(canonicalJson(JSON.parse(json)), json);
  });
});

function reversed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(reversed);
  const entries = Object.entries(value).reverse();
  // Not Object.fromEntries alone: a key __proto__ must stay one of the object's own.
  return JSON.parse(
    `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${JSON.stringify(reversed(member))}`).join()}}`,
  );
}
