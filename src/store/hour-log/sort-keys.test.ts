import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { viewOf } from '../../lib/key-bytes.ts';
import { sortKeys } from './sort-keys.ts';

/** Gives the numbers of these keys as `sortKeys` does; records with equal keys go by their weight. */
function sorted(keys: readonly Buffer[], weights: readonly number[]): number[] {
  const starts: number[] = [];
  let end = 3; // the first does not begin with the buffer
  for (const key of keys) {
    starts.push(end);
    end += key.length;
  }
  const bytes = Buffer.concat([Buffer.alloc(3, 7), ...keys, Buffer.alloc(9, 7)]);
  const order: number[] = [];
  const given = {
    view: viewOf(bytes),
    count: keys.length,
    keyStart: (record: number) => starts[record]!,
    keyEnd: (record: number) => starts[record]! + keys[record]!.length,
    compareEqual: (a: number, b: number) => weights[a]! - weights[b]!,
  };
  sortKeys(given, (record) => order.push(record));
  return order;
}

function expected(keys: readonly Buffer[], weights: readonly number[]): number[] {
  return keys
    .map((_, number) => number)
    .sort((a, b) => keys[a]!.compare(keys[b]!) || weights[a]! - weights[b]! || a - b);
}

/** Few beginnings and few bytes, zeros among them: most keys share much, and some are the beginning of another. */
const someKeys = fc
  .array(fc.tuple(fc.nat(3), fc.array(fc.constantFrom(0, 1, 0x80, 0xff), { maxLength: 9 }), fc.nat(2)), {
    maxLength: 300,
  })
  .map((parts) => ({
    keys: parts.map(([head, tail]) => Buffer.concat([Buffer.alloc(head * 11, 'v'), Buffer.from(tail)])),
    weights: parts.map(([, , weight]) => weight),
  }));

describe('sortKeys', () => {
  it('gives records by the bytes of their keys, then as they are compared, then as they came', () => {
    fc.assert(
      fc.property(someKeys, ({ keys, weights }) => {
        assert.deepEqual(sorted(keys, weights), expected(keys, weights));
      }),
      { numRuns: 40 },
    );
  });

  it('sorts many records of one beginning, and many that are equal', () => {
    const keys = Array.from({ length: 3000 }, (_, i) => Buffer.from(`visitor\0session\0${(i * 7919) % 250}`));
    const weights = keys.map((_, i) => (i * 31) % 5);
    assert.deepEqual(sorted(keys, weights), expected(keys, weights));
  });
});
