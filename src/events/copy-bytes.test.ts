import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isSameWithin } from '../lib/key-bytes.ts';
import { copyWithin, literalOf, WORD_ROOM, writeLiteral } from './copy-bytes.ts';
import { integerOf, writeActionRequestId } from './tape-bytes.ts';
import { actionRequestId } from './ids.ts';

const SIZE = 120;
const bytesOf = fc.uint8Array({ minLength: SIZE, maxLength: SIZE });
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

describe('bytes eight at a time', () => {
  test('are copied as they are, and nothing before them or behind their last word is touched', () => {
    fc.assert(
      fc.property(bytesOf, fc.nat(30), fc.nat(20), fc.nat(30), (before, start, length, gap) => {
        const end = start + length;
        const at = end + gap;
        const after = Uint8Array.from(before);
        assert.equal(copyWithin(viewOf(after), at, start, end), at + length);
        assert.deepEqual(after.subarray(at, at + length), before.subarray(start, end));
        assert.deepEqual(after.subarray(0, at), before.subarray(0, at));
        assert.deepEqual(after.subarray(at + length + WORD_ROOM), before.subarray(at + length + WORD_ROOM));
      }),
    );
  });

  test('are written as they are', () => {
    fc.assert(
      fc.property(bytesOf, fc.uint8Array({ maxLength: 40 }), fc.nat(60), (before, literal, at) => {
        const after = Uint8Array.from(before);
        assert.equal(writeLiteral(viewOf(after), at, literalOf(literal)), at + literal.length);
        assert.deepEqual(after.subarray(at, at + literal.length), literal);
        assert.deepEqual(after.subarray(0, at), before.subarray(0, at));
      }),
    );
  });

  test('are the same if all of them are', () => {
    const part = fc.uint8Array({ maxLength: 40, max: 3 });
    fc.assert(
      fc.property(part, part, fc.boolean(), (a, other, isCopy) => {
        const b = isCopy ? a : other;
        const view = viewOf(Uint8Array.from([...a, ...b]));
        const isSame = isSameWithin(view, 0, a.length, a.length, a.length + b.length);
        assert.equal(isSame, Buffer.compare(a, b) === 0);
      }),
    );
  });
});

test('integerOf reads what Number reads', () => {
  fc.assert(
    fc.property(fc.nat(15), fc.maxSafeInteger(), (digits, number) => {
      const text = String(Math.abs(number)).slice(0, digits) || '0';
      assert.equal(integerOf(viewOf(Buffer.from(`9${text}9`)), 1, 1 + text.length), Number(text));
    }),
  );
});

test('writeActionRequestId writes what actionRequestId makes', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.uint8Array({ minLength: 16, maxLength: 16 }), (isWeb, rowId) => {
      const bytes = Buffer.alloc(40);
      const end = writeActionRequestId(viewOf(bytes), 1, isWeb, rowId);
      assert.equal(bytes.toString('latin1', 1, end), actionRequestId(isWeb, Buffer.from(rowId)));
    }),
  );
});
