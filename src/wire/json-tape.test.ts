import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AppError } from '../errors/app-error.ts';
import { parseElements } from './json-array.ts';
import { JsonTape } from './json-tape.ts';
import { DEFAULT_WIRE_LIMITS, type WireLimits } from './wire-limits.ts';

/** What the other way makes of a text; undefined when it refuses it. */
function parsed(text: Buffer): readonly unknown[] | undefined {
  try {
    return parseElements(text, DEFAULT_WIRE_LIMITS).values;
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

/** The elements that a tape has of a text; undefined when it refuses it. */
function taped(tape: JsonTape, text: Buffer, limits: Partial<WireLimits> = {}): readonly unknown[] | undefined {
  if (!tape.read(text, { ...DEFAULT_WIRE_LIMITS, ...limits })) return undefined;
  return Array.from({ length: tape.elements.count }, (_, place) => tape.valueOf(place));
}

/** Says of each element whether it is plain. */
function plainness(text: string): readonly boolean[] {
  const tape = new JsonTape();
  assert.ok(tape.read(Buffer.from(text), DEFAULT_WIRE_LIMITS));
  return Array.from({ length: tape.elements.count }, (_, place) => tape.elements.shapes[place] !== undefined);
}

const anyText = fc.oneof(
  fc.constantFrom('', ' ', 'a', ',', '"', '\\', '\\"', 'a\n', ' b', 'c ', '苹果', '😀', '\u0000', '\u007f', '/'),
  fc.string({ maxLength: 8 }),
);
const anyNumber = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.constantFrom(0, -0, 0.5, 50, 1e21, 1e-7, 2 ** 53),
);
const scalar = fc.oneof(anyText, anyNumber, fc.boolean(), fc.constant(null));
const key = fc.oneof(
  fc.constantFrom('u', 's', 't', 'tm', 'e', 'var', '__proto__', '1', 'ü'),
  fc.string({ maxLength: 4 }),
);
const flat = fc.dictionary(key, scalar, { maxKeys: 5 });
const element = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.dictionary(key, fc.oneof(scalar, flat, fc.array(flat, { maxLength: 3 })), { maxKeys: 6 }),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
);
const anyJson = fc
  .tuple(fc.array(element, { maxLength: 6 }), fc.nat(2))
  .map(([value, indent]) => JSON.stringify(value, undefined, indent));

describe('JsonTape', () => {
  test('gives the same elements as a parser, for any array', () => {
    const tape = new JsonTape(); // one for all, as in a collector
    fc.assert(
      fc.property(anyJson, (json) => {
        const text = Buffer.from(json);
        assert.deepEqual(taped(tape, text) ?? parsed(text), parsed(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test('takes nothing that a parser refuses or understands otherwise, whatever bytes are changed in a text', () => {
    const tape = new JsonTape();
    const bytes = fc.constantFrom(...Buffer.from('"\\,:{}[] \n\t0123.-+eE/nulltruefalse\u0001a'), 0xff, 0xc3);
    const change = fc.record({ at: fc.nat(), bytes: fc.array(bytes, { maxLength: 3 }), deleted: fc.nat(3) });
    let taken = 0;
    fc.assert(
      fc.property(anyJson, fc.array(change, { minLength: 1, maxLength: 2 }), (json, changes) => {
        let text = Buffer.from(json);
        for (const { at, bytes: inserted, deleted } of changes) {
          const place = at % (text.length + 1);
          text = Buffer.concat([text.subarray(0, place), Buffer.from(inserted), text.subarray(place + deleted)]);
        }
        const elements = taped(tape, text);
        if (elements === undefined) return;
        taken += 1;
        assert.deepEqual(elements, parsed(text));
      }),
      { numRuns: 5_000 },
    );
    assert.ok(taken > 200, `only ${taken} changed texts were still arrays`);
  });

  const plain: readonly (readonly [name: string, element: string])[] = [
    ['an object without keys', '{}'],
    ['texts, numbers, words and null', '{"a":"b, c","n":12,"d":-1.5,"z":0.5,"t":true,"f":false,"x":null}'],
    ['a text with escaped quotes and backslashes', '{"a":"12\\" pan \\\\"}'],
    ['objects and arrays of objects inside', '{"var":{"a":"b"},"e":[{"x":"y"},{}],"none":[]}'],
    ['blanks between everything', '{ "a" : 1 ,\n"e" : [ { "x" : "y" } , { } ] }'],
  ];
  for (const [name, text] of plain) test(`calls ${name} plain`, () => assert.deepEqual(plainness(`[${text}]`), [true]));

  const odd: readonly (readonly [name: string, element: string])[] = [
    ['no object', '[1]'],
    ['a text with another escape', '{"a":"\\u0041"}'],
    ['a number that would be printed otherwise', '{"a":1.50}'],
    ['a number with an exponent', '{"a":1e3}'],
    ['a number of 16 digits', '{"a":1234567890123456}'],
    ['a negative zero', '{"a":-0}'],
    ['an array of texts', '{"a":["b"]}'],
    ['objects two levels down', '{"a":{"b":{}}}'],
    ['a key that comes twice', '{"a":1,"a":2}'],
    ['a key that is an index', '{"b":1,"1":2}'],
    ['a key with an escape', '{"\\u0061":1}'],
  ];
  for (const [name, text] of odd)
    test(`leaves ${name} to the parser, and takes its neighbours`, () =>
      assert.deepEqual(plainness(`[{"t":1},${text},{"t":2}]`), [true, false, true]));

  const refused: readonly (readonly [name: string, text: string | Buffer, limits?: Partial<WireLimits>])[] = [
    ['an object', '{}'],
    ['a byte order mark', '\ufeff[]'],
    ['bytes that are not UTF-8', Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d])],
    ['an element that is no JSON', '[{"a":1},{"a":01}]'],
    ['what follows the array', '[{}]x'],
    ['an array that does not end', '[{}'],
    ['more elements than are allowed', '[{},{},{}]', { maxElements: 2 }],
    ['a text longer than an element may be', '[{"a":"aaaaaaaaaaaa"}]', { maxElementBytes: 10 }],
    ['more odd elements than are quickly parsed one by one', `[${Array(60).fill('1').join()}]`],
  ];
  for (const [name, text, limits] of refused)
    test(`refuses ${name}`, () => assert.equal(taped(new JsonTape(), Buffer.from(text as string), limits), undefined));

  test('forgets the keys that it has learned when they become too many', () => {
    const tape = new JsonTape();
    for (let body = 0; body < 300; body += 1) {
      const keys = Array.from({ length: 150 }, (_, place) => `"k${body}_${place}":1`);
      const text = Buffer.from(`[{${keys.join()}},{"a":1}]`);
      assert.deepEqual(taped(tape, text), parsed(text));
    }
  });
});
