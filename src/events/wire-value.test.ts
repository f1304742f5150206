import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { cutText, MAP_LIMITS, readInteger, readMap, readNumber, readText, safeText } from './wire-value.ts';

describe('safeText', () => {
  const cases: readonly (readonly [text: string, safe: string])[] = [
    ['plain', 'plain'],
    ['🍎 苹果', '🍎 苹果'],
    ['a\0b', 'a\ufffdb'],
    ['\ud83c', '\ufffd'],
    ['\udf4e\ud83c', '\ufffd\ufffd'],
    ['\ud83c\ud83c\udf4e', '\ufffd🍎'],
    ['\u0001', '\u0001'],
  ];
  for (const [text, safe] of cases) {
    it(`gives ${JSON.stringify(safe)} for ${JSON.stringify(text)}`, () => assert.equal(safeText(text), safe));
  }
});

describe('readText', () => {
  const cases: readonly (readonly [value: unknown, text: string | null])[] = [
    ['', ''],
    [' a ', ' a '],
    [undefined, null],
    [null, null],
    [0, '0'],
    [14, '14'],
    [1.25, '1.25'],
    [1e21, '1e+21'],
    [true, 'true'],
    [false, 'false'],
    [[1, 'a'], '[1,"a"]'],
    [{ a: { b: null } }, '{"a":{"b":null}}'],
  ];
  for (const [value, text] of cases) {
    it(`reads ${JSON.stringify(value)} as ${JSON.stringify(text)}`, () => assert.equal(readText(value), text));
  }
});

describe('readInteger', () => {
  const cases: readonly (readonly [value: unknown, number: number | null])[] = [
    [0, 0],
    [-0, 0],
    [1795469638321, 1795469638321],
    ['1795469638321', 1795469638321],
    [' 12 ', 12],
    ['-5', -5],
    ['2.0', 2],
    ['2.000', 2],
    ['007', 7],
    ['-0', 0],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', null],
    [2 ** 53, null],
    ['12345678901234567', null],
    [1.5, null],
    ['1.5', null],
    ['2.', null],
    ['2.01', null],
    ['1e3', null],
    ['0x10', null],
    ['', null],
    [' ', null],
    ['+5', null],
    ['٣', null],
    [Number.NaN, null],
    [Infinity, null],
    [true, null],
    [null, null],
    [undefined, null],
    [{}, null],
    [['5'], null],
  ];
  for (const [value, number] of cases) {
    it(`reads ${JSON.stringify(value)} as ${number}`, () => assert.equal(readInteger(value), number));
  }
});

describe('readNumber', () => {
  const cases: readonly (readonly [value: unknown, number: number | null])[] = [
    [9.5, 9.5],
    ['50.0', 50],
    ['-33.8688', -33.8688],
    [' 1e3 ', 1000],
    ['+.5', 0.5],
    ['5.', 5],
    ['1e400', null],
    [Infinity, null],
    ['Infinity', null],
    ['NaN', null],
    ['0x10', null],
    ['1,5', null],
    ['', null],
    ['.', null],
    [true, null],
    [null, null],
    [[1], null],
  ];
  for (const [value, number] of cases) {
    it(`reads ${JSON.stringify(value)} as ${number}`, () => assert.equal(readNumber(value), number));
  }
});

describe('cutText', () => {
  const cases: readonly (readonly [text: string, width: number, cut: string])[] = [
    ['abc', 3, 'abc'],
    ['abcd', 3, 'abc'],
    ['', 3, ''],
    ['abc', 0, ''],
    ['苹果汁', 2, '苹果'],
    ['🍎🍎', 2, '🍎🍎'],
    ['🍎🍎🍎', 2, '🍎🍎'],
    ['a🍎b', 2, 'a🍎'],
    ['ab🍎', 2, 'ab'],
    ['🍎', 1, '🍎'],
    ['👨‍👩‍👧', 2, '👨‍'],
  ];
  for (const [text, width, cut] of cases) {
    it(`cuts ${JSON.stringify(text)} to ${width} code points`, () => assert.equal(cutText(text, width), cut));
  }

  it('gives the first code points, and never half of one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.nat(45), (text, width) => {
        assert.equal(cutText(text, width), Array.from(text).slice(0, width).join(''));
      }),
    );
  });
});

const isNotCut = (): void => {
  throw new Error('a cut was told');
};

/** Reads a map, and counts how often a cut was told. */
function readCounted(value: unknown): { readonly map: Record<string, string> | null; readonly cuts: number } {
  let cuts = 0;
  const json = readMap(value, () => (cuts += 1));
  return { map: json === null ? null : (JSON.parse(json) as Record<string, string>), cuts };
}

describe('readMap', () => {
  const uncut: readonly (readonly [value: unknown, json: string | null])[] = [
    [undefined, null],
    [null, null],
    [{}, null],
    [[], null],
    [{ a: null }, null],
    [{ a: '' }, '{"a":""}'],
    [{ '': 'a' }, '{"":"a"}'],
    [{ b: 1, a: true, c: null, d: [1, { e: 2 }] }, '{"b":"1","a":"true","d":"[1,{\\"e\\":2}]"}'],
    [{ 苹果: '"\\\n🍎' }, '{"苹果":"\\"\\\\\\n🍎"}'],
    [{ 'a\0': '\ud83c' }, '{"a\ufffd":"\ufffd"}'],
    [JSON.parse('{"__proto__":"x","constructor":"y"}'), '{"__proto__":"x","constructor":"y"}'],
  ];
  for (const [value, json] of uncut) {
    it(`reads ${JSON.stringify(value)} without counting a cut`, () => {
      assert.equal(readMap(value, isNotCut), json);
    });
  }

  for (const value of ['text', 5, true, [1], [null]]) {
    it(`counts ${JSON.stringify(value)}, which is no map`, () => {
      assert.deepEqual(readCounted(value), { map: null, cuts: 1 });
    });
  }

  it('keeps keys of 50 and values of 1,000 code points, and cuts longer ones', () => {
    const key = '🍎'.repeat(50);
    const text = '苹'.repeat(1000);
    assert.deepEqual(readCounted({ [key]: text }), { map: { [key]: text }, cuts: 0 });
    assert.deepEqual(readCounted({ [`${key}x`]: `${text}x` }), { map: { [key]: text }, cuts: 1 });
  });

  it('keeps the first of keys that are cut to the same, for readers refuse a map with a key twice', () => {
    const key = 'k'.repeat(50);
    const json = readMap(
      { [`${key}1`]: 'one', [`${key}2`]: 'two', [key]: 'three', 'a\0': 'x', 'a\ufffd': 'y' },
      () => 0,
    );
    assert.equal(json, `{"${key}":"one","a\ufffd":"x"}`);
    assert.equal(readCounted({ [key]: '1', [`${key}2`]: '2' }).cuts, 1);
  });

  it('keeps 100 keys, and counts one cut for all that follow', () => {
    const entries = Array.from({ length: 150 }, (_, number) => [`key${number}`, String(number)]);
    assert.equal(readCounted(Object.fromEntries(entries.slice(0, 100))).cuts, 0);
    const { map, cuts } = readCounted(Object.fromEntries(entries));
    assert.deepEqual(map, Object.fromEntries(entries.slice(0, 100)));
    assert.equal(cuts, 1);
  });

  it('does not count entries that are null among the 100', () => {
    const entries = Array.from({ length: 300 }, (_, number) => [`key${number}`, number % 3 === 0 ? 'x' : null]);
    assert.deepEqual([Object.keys(readCounted(Object.fromEntries(entries)).map!).length], [100]);
  });

  it('ends before its JSON would be longer than 64 KiB', () => {
    const value = Object.fromEntries(Array.from({ length: 100 }, (_, number) => [`k${number}`, '苹'.repeat(900)]));
    let cuts = 0;
    const json = readMap(value, () => (cuts += 1))!;
    assert.ok(Buffer.byteLength(json) <= MAP_LIMITS.encodedBytes);
    assert.ok(Buffer.byteLength(json) > MAP_LIMITS.encodedBytes - 2800, 'one more entry would not have fitted');
    assert.equal(Object.keys(JSON.parse(json) as object).length, 24);
    assert.equal(cuts, 1);
  });

  it('is taken whole at exactly 64 KiB, and not one byte longer', () => {
    // 65 entries of 1,007 bytes with their commas, two braces, less one comma, and one entry to fill up.
    const value = Object.fromEntries(Array.from({ length: 65 }, (_, number) => [String(number + 10), 'x'.repeat(999)]));
    const base = Buffer.byteLength(readMap(value, isNotCut)!);
    const fill = MAP_LIMITS.encodedBytes - base - ',"z":""'.length;
    assert.equal(Buffer.byteLength(readMap({ ...value, z: 'x'.repeat(fill) }, isNotCut)!), MAP_LIMITS.encodedBytes);
    assert.equal(readCounted({ ...value, z: 'x'.repeat(fill + 1) }).map?.z, undefined);
  });
});
