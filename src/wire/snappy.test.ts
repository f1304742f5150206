import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compress } from 'snappyjs';
import { decodeSnappy } from './snappy.ts';

const BOUND = 1 << 20;
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

const repetitive = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 60 })), { maxLength: 20 })
  .map((runs) => Buffer.concat(runs.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))));

describe('decodeSnappy', () => {
  test('gives back what the encoder packed', () => {
    fc.assert(
      fc.property(repetitive, (plain) => {
        assert.deepEqual(decodeSnappy(compress(plain), BOUND), plain);
      }),
      { numRuns: 300 },
    );
  });

  test('decodes all kinds of tags', () => {
    // literal "abcd", copy of 4 at 1-byte offset 4, copy of 3 at 2-byte offset 1, copy of 2 at 4-byte offset 8
    assert.equal(decodeSnappy(hex('0d 0c 61626364 01 04 0a 0100 07 08000000'), BOUND).toString(), 'abcdabcddddda');
    const long = Buffer.alloc(300, 'x');
    assert.deepEqual(decodeSnappy(Buffer.concat([hex('ac02 f4 2b01'), long]), BOUND), long); // 2-byte literal length
  });

  const corrupt: readonly (readonly [name: string, block: string, reason: RegExp])[] = [
    ['an empty input', '', /begin with a length/],
    ['a length that never ends', 'ffffffffffff', /begin with a length/],
    ['a length past 32 bits', 'ffffffff7f 00', /begin with a length/],
    ['a block cut inside a literal', '05 10 6162', /ends inside a literal/],
    ['a block cut inside the length of a literal', '64 f4 01', /ends inside a tag/],
    ['a block cut inside a 1-byte offset', '08 0c 61626364 01', /ends inside a tag/],
    ['a block cut inside a 2-byte offset', '08 0c 61626364 0e 04', /ends inside a tag/],
    ['a block cut inside a 4-byte offset', '08 0c 61626364 0f 040000', /ends inside a tag/],
    ['a copy at offset 0', '08 0c 61626364 01 00', /before its start/],
    ['a copy from before the start', '08 0c 61626364 01 05', /before its start/],
    ['a copy whose offset would be negative in 32 bits', '08 0c 61626364 0f fcffffff', /before its start/],
    ['a literal whose length would be negative in 32 bits', '0a fc faffffff 0102030405', /ends inside a literal/],
    ['more output than the length says', '03 0c 61626364', /more than its length says/],
    ['less output than the length says', '05 0c 61626364', /less than its length says/],
  ];
  for (const [name, block, reason] of corrupt) {
    test(`refuses ${name}`, () =>
      assert.throws(() => decodeSnappy(hex(block), BOUND), { code: 'undecodable_body', message: reason }));
  }

  test('refuses a short literal in the long form at the end, which the library does not read', () => {
    assert.throws(() => decodeSnappy(hex('01 f0 00 61'), BOUND), { code: 'undecodable_body', message: /snappyjs/ });
  });

  test('takes a block that decodes to the bound and refuses one byte more', () => {
    const block = compress(Buffer.alloc(1000, 'ab'));
    assert.equal(decodeSnappy(block, 1000).length, 1000);
    assert.throws(() => decodeSnappy(block, 999), { code: 'too_large' });
  });

  test('refuses a length of 64 MiB before 20 bytes without allocating anything', (t) => {
    const lie = Buffer.concat([hex('80808020'), Buffer.alloc(16, 'a')]);
    const allocations = [t.mock.method(Buffer, 'alloc'), t.mock.method(Buffer, 'allocUnsafe')];
    assert.throws(() => decodeSnappy(lie, 64 << 20), { code: 'undecodable_body' });
    for (const allocate of allocations) assert.equal(allocate.mock.callCount(), 0);
  });

  test('decodes or refuses any bytes, with nothing else thrown', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.uint8Array({ maxLength: 200 }), (length, bytes) => {
        try {
          assert.equal(decodeSnappy(Buffer.from([length, ...bytes]), BOUND).length, length);
        } catch (error) {
          assert.equal((error as Error).name, 'AppError', String(error));
        }
      }),
      { numRuns: 3000 },
    );
  });
});
