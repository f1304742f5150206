import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { csvField, plainDecimal } from './csv.ts';

describe('csvField', () => {
  const cases: readonly (readonly [value: string, field: string])[] = [
    ['plain', 'plain'],
    ['', '""'],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say \\"hi\\""'],
    ['C:\\new', '"C:\\\\new"'],
    ['\\', '"\\\\"'],
    ['\\N', '"\\\\N"'],
    ['line\nbreak', '"line\nbreak"'],
    ['carriage\rreturn', '"carriage\rreturn"'],
    [' leading', '" leading"'],
    ['trailing ', '"trailing "'],
    ['\ttab', '"\ttab"'],
    ['in side', 'in side'],
    ['商品页 🍎', '商品页 🍎'],
    ["it's", "it's"],
  ];
  for (const [value, field] of cases) {
    it(`writes ${JSON.stringify(value)} as ${JSON.stringify(field)}`, () => assert.equal(csvField(value), field));
  }
});

describe('plainDecimal', () => {
  const cases: readonly (readonly [value: number, text: string])[] = [
    [99.99, '99.99'],
    [-0.5, '-0.5'],
    [1e21, '1000000000000000000000'],
    [-1.25e22, '-12500000000000000000000'],
    [1e-7, '0.0000001'],
    [-1.5e-9, '-0.0000000015'],
    [9007199254740991, '9007199254740991'],
    [0, '0'],
  ];
  for (const [value, text] of cases) it(`writes ${value} as ${text}`, () => assert.equal(plainDecimal(value), text));

  it('never writes an exponent and always reads back as the same number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = plainDecimal(value);
        assert.doesNotMatch(text, /e/i);
        assert.equal(Number(text), value === 0 ? 0 : value);
      }),
    );
  });
});
