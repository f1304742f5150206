import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeLz4Block } from '../../test/data/wire-encoders.ts';
import { decodeLz4Block } from './lz4-block.ts';

const BOUND = 1 << 20;
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** Bytes with repeats near and far, as JSON has them. */
const repetitive = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 60 })), { maxLength: 20 })
  .map((runs) => Buffer.concat(runs.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))));

describe('decodeLz4Block', () => {
  test('gives back what an independent encoder packed', () => {
    fc.assert(
      fc.property(repetitive, (plain) => {
        assert.deepEqual(decodeLz4Block(encodeLz4Block(plain), BOUND), plain);
      }),
      { numRuns: 300 },
    );
  });

  const vectors: readonly (readonly [name: string, block: string, plain: string])[] = [
    ['nothing', '00', ''],
    ['a literal alone', '50 68656c6c6f', 'hello'],
    ['a literal of 15 bytes, whose extension is 0', `f0 00 ${'61'.repeat(15)}`, 'a'.repeat(15)],
    ['a literal of 270 bytes, whose extension is 255 and 0', `f0 ff 00 ${'61'.repeat(270)}`, 'a'.repeat(270)],
    ['a match behind its source', '44 61626364 0400 10 21', 'abcdabcdabcd!'],
    ['a match that overlaps itself at distance 1', '1f 61 0100 0a 50 6263646566', `${'a'.repeat(30)}bcdef`],
    ['a match that overlaps itself at distance 3', '36 616263 0300 10 21', 'abcabcabcabca!'],
    ['a long match of 19 + 255 + 1 bytes', '1f 61 0100 ff 01 10 21', `${'a'.repeat(276)}!`],
    ['an empty literal at the end', '10 61 0100 00', 'aaaaa'],
  ];
  for (const [name, block, plain] of vectors) {
    test(`decodes ${name}`, () => assert.equal(decodeLz4Block(hex(block), BOUND).toString('latin1'), plain));
  }

  const corrupt: readonly (readonly [name: string, block: string, reason: RegExp])[] = [
    ['an empty input', '', /does not end in a literal/],
    ['a block cut inside a literal', '50 6865', /ends inside a literal/],
    ['a block cut inside the length of a literal', 'f0 ff', /ends inside a length/],
    ['a block cut inside an offset', '14 61 01', /ends inside an offset/],
    ['a block cut inside the length of a match', '1f 61 0100', /ends inside a length/],
    ['a block that ends in a match', '14 61 0100', /does not end in a literal/],
    ['an offset of 0', '14 61 0000 10 21', /before its start/],
    ['an offset before the start', '14 61 0200 10 21', /before its start/],
  ];
  for (const [name, block, reason] of corrupt) {
    test(`refuses ${name}`, () =>
      assert.throws(() => decodeLz4Block(hex(block), BOUND), { code: 'undecodable_body', message: reason }));
  }

  test('takes a block that decodes to the bound and refuses one byte more', () => {
    const plain = Buffer.alloc(1000, 'ab');
    const block = encodeLz4Block(plain);
    assert.equal(decodeLz4Block(block, 1000).length, 1000);
    assert.throws(() => decodeLz4Block(block, 999), { code: 'too_large' });
  });

  test('refuses a bomb before it allocates anything', (t) => {
    const bomb = Buffer.concat([hex('1f 61 0100'), Buffer.alloc(8 << 20, 255), hex('00 00')]); // 8 MiB that would be 2 GiB
    const allocate = t.mock.method(Buffer, 'allocUnsafe');
    assert.throws(() => decodeLz4Block(bomb, 64 << 20), { code: 'too_large' });
    assert.equal(allocate.mock.callCount(), 0);
  });

  test('decodes or refuses any bytes, with nothing else thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          assert.ok(decodeLz4Block(Buffer.from(bytes), 4096).length <= 4096);
        } catch (error) {
          assert.equal((error as Error).name, 'AppError');
        }
      }),
      { numRuns: 2000 },
    );
  });
});
