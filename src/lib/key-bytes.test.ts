import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compareBytes, equalLength, isSameWithin, viewOf } from './key-bytes.ts';

const byte = fc.constantFrom(0, 1, 0x7f, 0x80, 0xff);
const bytes = fc.array(byte, { maxLength: 40 });
/** Two keys that go different ways somewhere, and two that differ in one place at most. */
const alike = fc.oneof(
  fc
    .tuple(bytes, bytes, bytes)
    .map(([shared, a, b]) => [Buffer.from([...shared, ...a]), Buffer.from([...shared, ...b])] as const),
  fc
    .tuple(bytes, fc.nat({ max: 39 }), byte)
    .map(
      ([key, place, other]) =>
        [Buffer.from(key), Buffer.from(key.map((own, at) => (at === place ? other : own)))] as const,
    ),
);
const before = fc.nat({ max: 9 });

describe('keys in bytes', () => {
  it('are in the order in which Buffer.compare has them, wherever they lie', () => {
    fc.assert(
      fc.property(alike, before, before, ([a, b], aStart, bStart) => {
        const [aView, bView] = [viewBehind(aStart, a), viewBehind(bStart, b)];
        const order = compareBytes(aView, aStart, aStart + a.length, bView, bStart, bStart + b.length);
        assert.equal(Math.sign(order), Buffer.compare(a, b));
      }),
      { numRuns: 2_000 },
    );
  });

  it('are equal up to their first difference', () => {
    fc.assert(
      fc.property(alike, ([a, b]) => {
        const length = Math.min(a.length, b.length);
        const first = a.subarray(0, length).findIndex((byte, place) => byte !== b[place]);
        assert.equal(equalLength(viewOf(a), 0, viewOf(b), 0, length), first < 0 ? length : first);
      }),
      { numRuns: 2_000 },
    );
  });

  it('are the same within one view only when they have one length and all their bytes', () => {
    fc.assert(
      fc.property(alike, ([a, b]) => {
        const both = viewOf(Buffer.concat([a, b]));
        const isSame = isSameWithin(both, 0, a.length, a.length, a.length + b.length);
        assert.equal(isSame, a.equals(b));
      }),
      { numRuns: 2_000 },
    );
  });
});

/** A view that ends with these bytes, so that nothing may be read behind them. */
function viewBehind(start: number, key: Buffer): DataView {
  return viewOf(Buffer.concat([Buffer.alloc(start, 0xaa), key]));
}
