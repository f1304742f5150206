import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BitReader } from './bit-reader.ts';

describe('BitReader', () => {
  test('reads numbers of up to 24 bits, the lowest bit first, from bytes that begin with their highest', () => {
    const bits = fc.array(fc.tuple(fc.integer({ min: 1, max: 24 }), fc.nat(0xff_ffff)));
    fc.assert(
      fc.property(bits, (numbers) => {
        const stream = numbers.map(([width, value]) => bitsOf(value, width)).join('');
        const reader = new BitReader(
          Buffer.from((stream.match(/.{1,8}/g) ?? []).map((byte) => parseInt(byte.padEnd(8, '0'), 2))),
        );
        for (const [width, value] of numbers) assert.equal(reader.read(width), value % 2 ** width);
      }),
    );
  });

  test('refuses to read past the end, and a width that its window does not hold', () => {
    const reader = new BitReader(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    assert.throws(() => reader.read(25), { code: 'too_large' });
    assert.equal(reader.read(24), 0xff_ffff);
    assert.throws(() => reader.read(9), { code: 'undecodable_body' });
  });
});

function bitsOf(value: number, width: number): string {
  return Array.from({ length: width }, (_, bit) => (value >>> bit) & 1).join('');
}
