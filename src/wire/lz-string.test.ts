import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import library from 'lz-string';
import { isLzStringText, isLzStringUri, unpackLzStringText, unpackLzStringUtf16 } from './lz-string-text.ts';
import { decodeLzString } from './lz-string.ts';

const BOUND = 1 << 20;

/** Strings of any UTF-16 units, few of them, so that there are repeats and surrogates with and without partners. */
const unit = fc.oneof(
  fc.constantFrom(0x61, 0x22, 0x7b, 0, 0xff, 0x100, 0x7ff, 0x800, 0x82f9, 0xfffd, 0xffff),
  fc.constantFrom(0xd83d, 0xde00, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xd7ff, 0xe000),
  fc.integer({ min: 0, max: 0xffff }),
);
const anyText = fc
  .array(fc.tuple(fc.array(unit, { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 30 })), { maxLength: 15 })
  .map((runs) => runs.map(([units, times]) => String.fromCharCode(...units).repeat(times)).join(''));

/** Each form as it arrives, and how it is unpacked to the bit stream. */
const FORMS: readonly (readonly [name: string, encode: (text: string) => Buffer, unpack: (body: Buffer) => Buffer])[] =
  [
    ['bytes', (text) => Buffer.from(library.compressToUint8Array(text)), (body) => body],
    ['UTF-16 text', (text) => Buffer.from(library.compressToUTF16(text), 'utf8'), unpackLzStringUtf16],
    ['Base64', (text) => Buffer.from(library.compressToBase64(text)), unpackLzStringText],
    ['URI form', (text) => Buffer.from(library.compressToEncodedURIComponent(text)), unpackLzStringText],
  ];

/** Packs n(n+1)/2 times `a`: each step names the word that it makes, which is one character longer than the one before. */
function endlessA(steps: number): Buffer {
  const bits: number[] = [0, 0, ...bitsOf(0x61, 8)];
  let width = 3;
  for (let code = 4; code < 4 + steps - 1; code += 1) {
    bits.push(...bitsOf(code, width));
    if (code + 1 >= 2 ** width) width += 1;
  }
  bits.push(...bitsOf(2, width), ...bitsOf(0, 8));
  return Buffer.from(
    Array.from({ length: bits.length >>> 3 }, (_, at) => parseInt(bits.slice(8 * at, 8 * at + 8).join(''), 2)),
  );
}

function bitsOf(value: number, width: number): number[] {
  return Array.from({ length: width }, (_, bit) => (value >>> bit) & 1);
}

describe('decodeLzString', () => {
  for (const [name, encode, unpack] of FORMS) {
    test(`gives back any text that the library packed as ${name}, as UTF-8`, () => {
      fc.assert(
        fc.property(anyText, (text) => {
          assert.deepEqual(decodeLzString(unpack(encode(text)), BOUND), Buffer.from(text, 'utf8'));
        }),
        { numRuns: 200 },
      );
    });

    test(`gives back a long text packed as ${name}, whose dictionary outgrows its first size`, () => {
      const text = Array.from({ length: 20_000 }, (_, at) => `${(at * 7919) % 10_007},苹果`).join('');
      assert.deepEqual(decodeLzString(unpack(encode(text)), BOUND), Buffer.from(text, 'utf8'));
    });
  }

  test('writes proper UTF-8 where a surrogate pair is cut between two words', () => {
    const text = '\ud83dx\ud83d\ude00\ud83d\ude01\ud83d\ude00 \ude00'; // the high half repeats with other low halves
    const decoded = decodeLzString(library.compressToUint8Array(text), BOUND).toString('utf8');
    assert.equal(decoded, '\ufffdx😀😁😀 \ufffd');
  });

  test('takes what decodes to the bound and refuses one byte more', () => {
    for (const text of ['ab', 'a'.repeat(1000), '果'.repeat(500), 'ab果'.repeat(300)]) {
      const packed = library.compressToUint8Array(text);
      const bytes = Buffer.byteLength(text);
      assert.equal(decodeLzString(packed, bytes).length, bytes);
      assert.throws(() => decodeLzString(packed, bytes - 1), { code: 'too_large' });
    }
  });

  test('refuses a bomb at the bound, without a buffer past it', (t) => {
    const bomb = endlessA(5800); // 16 MiB in 9 KiB
    assert.ok(bomb.length < 10_000);
    assert.equal(decodeLzString(endlessA(100), BOUND).toString(), 'a'.repeat(5050));
    let largest = 0;
    const allocate = Buffer.allocUnsafe.bind(Buffer);
    t.mock.method(Buffer, 'allocUnsafe', (bytes: number) => {
      largest = Math.max(largest, bytes);
      return allocate(bytes);
    });
    assert.throws(() => decodeLzString(bomb, BOUND), { code: 'too_large' });
    assert.ok(largest > 0 && largest <= BOUND, `${largest} bytes at once`);
  });

  const corrupt: readonly (readonly [name: string, bits: string, reason: RegExp])[] = [
    ['an empty input', '', /ends too early/],
    ['a stream that begins with a word', '11 00000000000000', /begin with a character/],
    ['a stream that ends inside a character', '00 1000', /ends too early/],
    ['a stream without an end', `00 10000110 ${'001'.repeat(2)}`, /ends too early/],
    ['a word that is not made yet', '00 10000110 101 000000', /has not made/], // code 5, when 4 is the next
  ];
  for (const [name, bits, reason] of corrupt) {
    test(`refuses ${name}`, () => {
      const digits = bits.replaceAll(' ', '');
      const bytes = Buffer.from(digits.match(/.{1,8}/g)?.map((byte) => parseInt(byte.padEnd(8, '0'), 2)) ?? []);
      assert.throws(() => decodeLzString(bytes, BOUND), { code: 'undecodable_body', message: reason });
    });
  }

  test('refuses every proper prefix of a packed text', () => {
    const packed = library.compressToUint8Array('[{"t":"page","tl":"商品页"}]');
    for (let length = 0; length < packed.length - 2; length += 1) {
      assert.throws(() => decodeLzString(packed.subarray(0, length), BOUND), { code: 'undecodable_body' }, `${length}`);
    }
  });

  test('agrees with the library on any bytes that both can read', () => {
    let read = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
        const even = bytes.subarray(0, bytes.length & ~1);
        let decoded: Buffer;
        try {
          decoded = decodeLzString(even, BOUND);
        } catch (error) {
          assert.equal((error as Error).name, 'AppError');
          return;
        }
        read += decoded.length > 0 ? 1 : 0;
        assert.deepEqual(decoded, Buffer.from(library.decompressFromUint8Array(even), 'utf8'));
      }),
      { numRuns: 5000 },
    );
    assert.ok(read > 50, `only ${read} inputs were readable`);
  });
});

describe('the text forms of LZ-String', () => {
  test('are told from other bytes, and from each other', () => {
    assert.equal(isLzStringText(Buffer.from('NobwRArm+/==')), true);
    assert.equal(isLzStringText(Buffer.from('NobwRArm+-$\n')), true);
    for (const other of ['', '[{}]', 'a,b', '\0', 'ü']) assert.equal(isLzStringText(Buffer.from(other)), false, other);
    assert.equal(isLzStringUri(Buffer.from(library.compressToBase64('[{"a":1}]'))), false);
    assert.equal(isLzStringUri(Buffer.from('ab-d')), true);
    assert.equal(isLzStringUri(Buffer.from('abc')), true);
  });

  test('take a blank for the plus that a form decoder made it of, and a line end at the end', () => {
    const text = fc
      .sample(anyText, { numRuns: 200, seed: 1 })
      .map((sample) => library.compressToEncodedURIComponent(sample))
      .find((packed) => packed.includes('+'))!;
    const expected = unpackLzStringText(Buffer.from(text));
    assert.deepEqual(unpackLzStringText(Buffer.from(`${text.replaceAll('+', ' ')}\r\n`)), expected);
  });

  test('are refused at a character outside the alphabet or behind the padding', () => {
    for (const text of ['Nob*', 'No=b']) {
      assert.throws(() => unpackLzStringText(Buffer.from(text)), { code: 'undecodable_body' }, text);
    }
    for (const bytes of [Buffer.from([0x80]), Buffer.from('\u001f'), Buffer.from('\u8020'), Buffer.from('😀')]) {
      assert.throws(() => unpackLzStringUtf16(bytes), { code: 'undecodable_body' });
    }
  });
});
