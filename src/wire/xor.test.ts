import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { applyXor, xorKeyOf } from './xor.ts';

describe('xorKeyOf', () => {
  test('takes the low byte of any number of digits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 200n }), (stm) => {
        assert.equal(xorKeyOf(String(stm)), Number(stm & 0xffn));
      }),
    );
  });

  test('knows no key when stm is absent or anything but digits', () => {
    for (const stm of [undefined, '', ' ', '-5', '1.5', '1e3', '0x10', '12 ', '１２']) {
      assert.equal(xorKeyOf(stm), undefined, JSON.stringify(stm));
    }
  });
});

describe('applyXor', () => {
  test('undoes itself and leaves the body as it was', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(255), (bytes, key) => {
        const body = Buffer.from(bytes);
        const xored = applyXor(body, key);
        assert.deepEqual(body, Buffer.from(bytes));
        assert.deepEqual(applyXor(xored, key), body);
        for (const [at, byte] of xored.entries()) assert.equal(byte, bytes[at]! ^ key);
      }),
    );
  });
});
