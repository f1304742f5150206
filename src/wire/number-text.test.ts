import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseElements } from './json-array.ts';
import { DEFAULT_WIRE_LIMITS } from './wire-limits.ts';

const parse = (text: string): readonly unknown[] => parseElements(Buffer.from(text), DEFAULT_WIRE_LIMITS).values;

/** Any number that JSON can write. */
const digits = fc.stringMatching(/^[0-9]{1,20}$/);
const jsonNumber = fc
  .record({
    sign: fc.constantFrom('', '-'),
    whole: fc.oneof(fc.constant('0'), fc.stringMatching(/^[1-9][0-9]{0,20}$/)),
    fraction: fc.oneof(
      fc.constant(''),
      fc.tuple(fc.constantFrom('', '0', '00000', '000000'), digits).map((parts) => `.${parts.join('')}`),
    ),
    exponent: fc.oneof({ weight: 3, arbitrary: fc.constant('') }, fc.stringMatching(/^[eE][+-]?[0-9]{1,3}$/)),
  })
  .map(({ sign, whole, fraction, exponent }) => sign + whole + fraction + exponent);

describe('a number on the wire', () => {
  test('stays a number when JavaScript prints it as it is written, else becomes its text', () => {
    fc.assert(
      fc.property(jsonNumber, (text) => {
        const expected = String(Number(text)) === text ? Number(text) : text;
        assert.deepEqual(parse(`[${text}]`), [expected]);
        assert.deepEqual(parse(`{"a":[1, ${text} ,"x"],"b": ${text}\n}`), [{ a: [1, expected, 'x'], b: expected }]);
      }),
      { numRuns: 3000 },
    );
  });

  const kept = [
    '9007199254740993', '-9007199254740993', '12345678901234567890', '50.0', '1.10', '-0', '0.0', '-0.0', '1e3', '1E400', '0.0000001',
    '100000000000000000000000', '3.14159265358979323846', '0.1000000000000000055', '1.0e0',
  ]; // prettier-ignore
  test('becomes text: integers past 2^53, trailing zeros, more digits than a double holds, exponents', () => {
    assert.deepEqual(parse(`[${kept.join()}]`), kept);
  });

  const plain = [
    '0',
    '1',
    '-1',
    '1795469638624',
    '999999999999999',
    '9007199254740991',
    '9007199254740992',
    '0.5',
    '1e-7',
    '-14.25',
    '0.000001',
    '121.4737',
    '1.25',
  ];
  test('stays a number otherwise', () => {
    assert.deepEqual(parse(`[${plain.join()}]`), plain.map(Number));
  });

  test('becomes text under tm, ptm and stm of an object inside an event, such as var', () => {
    const inside = '{"tm":50.0,"ptm" : 1e3,"stm":12345678901234567890,"b":[{"tm":2.50}]}';
    const expected = { tm: '50.0', ptm: '1e3', stm: '12345678901234567890', b: [{ tm: 2.5 }] };
    assert.deepEqual(parse(`[{"var":${inside},"tm":1.0},{"tm":2.0,"var" :\n${inside}}]`), [
      { var: expected, tm: 1 },
      { tm: 2, var: expected },
    ]);
    assert.deepEqual(parse(`{"tm":1.0,"var":${inside},"ptm":3.0}`), [{ tm: 1, var: expected, ptm: 3 }]);
  });

  test('stays a number under the keys tm, ptm and stm, and only there', () => {
    const text =
      '{"tm":1795469638624.0,"ptm" : 50.0,"stm":\n1e3,"atm":50.0,"tms":50.0,"m":50.0,"x\\"tm":50.0,"tm\\\\":50.0,"e":[{"tm":2.50}],"var":{"a":["tm",50.0]}}';
    assert.deepEqual(parse(text), [
      {
        tm: 1795469638624, ptm: 50, stm: 1000, atm: '50.0', tms: '50.0', m: '50.0', 'x"tm': '50.0', 'tm\\': '50.0', e: [{ tm: 2.5 }], var: { a: ['tm', '50.0'] },
      },
    ]); // prettier-ignore
  });

  test('is not looked for inside strings', () => {
    assert.deepEqual(parse('["50.0 \\" 50.0",{"50.0":"1e3"}]'), ['50.0 " 50.0', { '50.0': '1e3' }]);
  });
});
