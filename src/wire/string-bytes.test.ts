import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { endOfOrdinary } from './string-bytes.ts';

describe('endOfOrdinary', () => {
  test('finds the first byte that needs a look, whatever stands beside it', () => {
    const telling = fc.constantFrom(
      0x00,
      0x01,
      0x1f,
      0x20,
      0x21,
      0x22,
      0x23,
      0x2b,
      0x2c,
      0x2d,
      0x5b,
      0x5c,
      0x5d,
      0x7f,
      0x80,
      0xa2,
      0xff,
    );
    const byte = fc.oneof(fc.constant(0x61), telling, fc.nat(255));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 24 }), fc.nat(7), fc.nat(24), (bytes, indent, from) => {
        const whole = Uint8Array.from([...Array.from({ length: indent }, () => 0x61), ...bytes]);
        const end = whole.length;
        const start = Math.min(from, end);
        const found = whole.findIndex(
          (value, at) => at >= start && (value < 0x20 || [0x22, 0x5c, 0x2c].includes(value)),
        );
        assert.equal(endOfOrdinary(new DataView(whole.buffer), start, end), found < 0 ? end : found);
      }),
      { numRuns: 20_000 },
    );
  });
});
