import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import lzString from 'lz-string';
import { compress } from 'snappyjs';
import { cpuMs } from '../../test/helpers/cpu-time.ts';
import { encodeLz4Block, xorBody } from '../../test/data/wire-encoders.ts';
import { AppError } from '../errors/app-error.ts';
import type { WireBody } from './body-coding.ts';
import { decodeBody, decodePixel } from './decode-body.ts';
import { DEFAULT_WIRE_LIMITS, type WireLimits } from './wire-limits.ts';

type Hints = Partial<Omit<WireBody, 'body'>>;
const MIB = 1 << 20;
const SNAPPY: Hints = { compressCodec: '2' };
const LZ4: Hints = { compressCodec: '3' };
const WEB: Hints = { allowsLzString: true };
const NO_HINTS = { compressCodec: undefined, cryptCodec: undefined, stm: undefined, allowsLzString: false };

const decode = (body: Buffer | string, hints: Hints = {}, limits: Partial<WireLimits> = {}) =>
  decodeBody({ ...NO_HINTS, ...hints, body: Buffer.from(body as string) }, { ...DEFAULT_WIRE_LIMITS, ...limits });

/** The refusal of a body; fails when it is taken, or when something else is thrown. */
function refusalOf(body: Buffer | string, hints: Hints = {}, limits: Partial<WireLimits> = {}): AppError {
  try {
    decode(body, hints, limits);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  return assert.fail('the body was taken');
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; bytes.length === 0 || rest > 0; rest >>>= 7)
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  return Buffer.from(bytes);
}

/** Remembers the largest buffer asked for while the test runs. */
function watchAllocations(t: TestContext): { largestBytes: number } {
  const seen = { largestBytes: 0 };
  for (const name of ['alloc', 'allocUnsafe'] as const) {
    const allocate = Buffer[name].bind(Buffer);
    t.mock.method(Buffer, name, (bytes: number) => {
      seen.largestBytes = Math.max(seen.largestBytes, bytes);
      return allocate(bytes);
    });
  }
  return seen;
}

describe('decodeBody refuses', () => {
  const json = Buffer.from('[{"t":"page","d":"secret.example.test","p":"/secret/secret/secret"}]');
  const packed = compress(json);
  const lz = Buffer.from(lzString.compressToUint8Array(json.toString()));
  const xored = { ...SNAPPY, cryptCodec: '1' };

  const cases: readonly (readonly [name: string, body: Buffer | string, hints: Hints, code: string, message: RegExp])[] = [
    ['an empty body', '', {}, 'undecodable_body', /^The body is empty\.$/],
    ['a blank body', ' \r\n\t', {}, 'undecodable_body', /does not begin like JSON and fits no other coding\.$/],
    ['a blank body of the web', ' \n', WEB, 'undecodable_body', /as LZ-String/],
    ['a lone bracket', '[', {}, 'undecodable_body', /as plain JSON, the text ends before .*; and no other coding fits\.$/],
    ['a string', '"[]"', {}, 'undecodable_body', /does not begin like JSON/],
    ['a number', '12', {}, 'undecodable_body', /does not begin like JSON/],
    ['null', 'null', {}, 'undecodable_body', /does not begin like JSON/],
    ['JSON with a NUL byte in it', '["a\0b"]', {}, 'undecodable_body', /as plain JSON/],
    ['NUL bytes', Buffer.alloc(100), {}, 'undecodable_body', /./],
    ['NUL bytes as snappy', Buffer.alloc(100), SNAPPY, 'undecodable_body', /as snappy, the snappy block holds more/],
    ['NUL bytes as LZ4', Buffer.alloc(100), LZ4, 'undecodable_body', /as LZ4, the LZ4 block refers to before/],
    ['NUL bytes of the web', Buffer.alloc(100), WEB, 'undecodable_body', /as LZ-String bytes/],
    ['broken JSON', '[{"secret":}]', {}, 'undecodable_body', /as plain JSON, .*not valid/],
    ['broken JSON of the web', '[{"secret":}]', WEB, 'undecodable_body', /as plain JSON, .*; as LZ-String bytes/],
    ['truncated JSON', json.subarray(0, 20), {}, 'undecodable_body', /as plain JSON, the text ends inside a string/],
    ['truncated snappy', packed.subarray(0, -5), SNAPPY, 'undecodable_body', /as snappy, the snappy block ends inside/],
    ['truncated LZ4', encodeLz4Block(json).subarray(0, -5), LZ4, 'undecodable_body', /as LZ4, the LZ4 block ends inside/],
    ['truncated LZ-String', lz.subarray(0, -6), WEB, 'undecodable_body', /as LZ-String bytes, the LZ-String ends too early/],
    ['a wrong XOR key', xorBody(packed, 7), { ...xored, stm: '8' }, 'undecodable_body', /as snappy under XOR, .*; as snappy, /],
    ['XOR without stm', xorBody(packed, 7), xored, 'undecodable_body', /has no stm of digits to undo it with/],
    ['XOR with a stm of letters', xorBody(packed, 7), { ...xored, stm: '7e0' }, 'undecodable_body', /has no stm of digits/],
    ['snappy of something else', compress(Buffer.from('secret')), SNAPPY, 'undecodable_body', /neither an array nor an object/],
    ['10,000 levels', '['.repeat(10_000), {}, 'too_deep', /^The body could not be decoded: as plain JSON, it is nested more than 64 levels deep\.$/],
    ['10,000 levels of the web', '['.repeat(10_000) + ']'.repeat(10_000), WEB, 'too_deep', /as plain JSON/],
    ['10,000 levels under snappy', compress(Buffer.from('{"a":'.repeat(10_000))), SNAPPY, 'too_deep', /as snappy/],
    ['too many elements', `[${'0,'.repeat(100_000)}0]`, {}, 'too_large', /more than 100000 elements/],
    ['too many values', compress(Buffer.from(`[[${'0,'.repeat(5_000_000)}0]]`)), SNAPPY, 'too_large', /more than 5000000 values/],
    ['a body of 9 MiB', Buffer.alloc(9 * MIB, '[1]'), {}, 'too_large', /^The body has 9437184 bytes; at most 8388608 are taken\.$/],
  ]; // prettier-ignore
  for (const [name, body, hints, code, message] of cases) {
    test(name, () => {
      const refusal = refusalOf(body, hints);
      assert.match(refusal.message, message);
      assert.equal(refusal.code, code);
      assert.doesNotMatch(`${refusal.message} ${JSON.stringify(refusal.details)} ${String(refusal.cause)}`, /secret/);
    });
  }

  test('a body one byte past the wire bound, before it looks at it', () => {
    assert.match(refusalOf('[1,2,3]', {}, { maxBytes: 6 }).message, /^The body has 7 bytes; at most 6 are taken\.$/);
    assert.equal(decode('[1,2,3]', {}, { maxBytes: 7 }).values.length, 3);
    const pixel = (): unknown => decodePixel('%5B1%5D', { ...DEFAULT_WIRE_LIMITS, maxBytes: 6 }); // 3 bytes decoded
    assert.throws(pixel, { code: 'too_large', message: 'The query value has 7 bytes; at most 6 are taken.' });
  });

  test('what fits no coding, after a list of tries that depends on the path and the headers', () => {
    const tried = (hints: Hints): unknown => refusalOf(Buffer.from([0xfe, 0xff, 0x01]), hints).details?.tried;
    assert.equal(tried({}), 'snappy lz4');
    assert.equal(tried({ stm: '7' }), 'snappy snappy-xor lz4 lz4-xor json-xor');
    assert.equal(tried({ compressCodec: '3', cryptCodec: '1', stm: '7' }), 'lz4-xor lz4 snappy snappy-xor json-xor');
    assert.equal(tried({ compressCodec: ' 3', cryptCodec: '1 ' }), 'lz4-xor lz4 snappy');
    assert.equal(tried({ cryptCodec: '1', stm: '7' }), 'json-xor snappy snappy-xor lz4 lz4-xor');
    assert.equal(tried({ ...WEB, stm: '7' }), 'lz-string-bytes lz-string-utf16');
    assert.equal(tried({ ...WEB, ...SNAPPY, stm: '7' }), 'snappy snappy-xor lz-string-bytes lz-string-utf16');
  });

  test('a plain body past the decoded bound', () => {
    assert.equal(refusalOf('[1,2,3]', {}, { maxDecodedBytes: 6 }).code, 'too_large');
    assert.equal(decode('[1,2,3]', {}, { maxDecodedBytes: 7 }).values.length, 3);
  });

  test('bombs of each coding without a buffer past the bound', (t) => {
    const lz4Bomb = Buffer.concat([
      Buffer.from([0x1f, 0x5b, 1, 0]),
      Buffer.alloc(4 * MIB, 255),
      Buffer.from([0, 0x10, 0x5d]),
    ]);
    const copies = 1_100_000; // of 64 bytes each: 67 MiB out of 3 MiB
    const snappyBomb = Buffer.concat([
      varint(1 + 64 * copies),
      Buffer.from([0, 0x5b]),
      Buffer.alloc(3 * copies, '\xfe\x01\x00', 'latin1'),
    ]);
    const lzBomb = Buffer.from(lzString.compressToUint8Array('['.repeat(MIB / 8)));
    const seen = watchAllocations(t);
    for (const hints of [LZ4, {}]) assert.equal(refusalOf(lz4Bomb, hints).code, 'too_large');
    for (const hints of [SNAPPY, {}]) assert.equal(refusalOf(snappyBomb, hints).code, 'too_large');
    assert.equal(seen.largestBytes, 0, 'snappy and LZ4 are measured first');
    assert.equal(refusalOf(lzBomb, WEB, { maxDecodedBytes: MIB / 16 }).code, 'too_large');
    assert.ok(seen.largestBytes <= MIB / 16, `${seen.largestBytes} bytes`);
  });

  test('a snappy length of 64 MiB before 20 bytes, as no snappy rather than as too large', (t) => {
    const seen = watchAllocations(t);
    const lie = Buffer.concat([Buffer.from([0x80, 0x80, 0x80, 0x20]), Buffer.alloc(16, 'a')]);
    const refusal = refusalOf(lie, SNAPPY);
    assert.equal(refusal.code, 'undecodable_body');
    assert.ok(seen.largestBytes <= lie.length, `${seen.largestBytes} bytes`);
  });

  test('to go on decoding once twice the bound has come out and was no JSON', () => {
    // 91 bytes that begin with "[" and are a snappy block of 91 bytes: 86 literal ones and a copy of 5.
    const block = Buffer.concat([Buffer.from([0x5b, 0xf0, 85]), Buffer.alloc(86, '-'), Buffer.from([0x05, 0x04])]);
    const tried = (maxDecodedBytes: number): unknown => refusalOf(block, SNAPPY, { maxDecodedBytes }).details?.tried;
    assert.equal(block.length, 91);
    assert.equal(tried(92), 'json snappy lz4');
    assert.equal(tried(91), 'json snappy');
  });
});

describe('decodeBody takes', () => {
  const taken: readonly (readonly [name: string, body: string, hints: Hints, values: unknown[]])[] = [
    ['an empty array', '[]', {}, []],
    ['an empty object', '{}', {}, [{}]],
    ['an empty array of the web', '[]', WEB, []],
    ['a byte order mark', '\ufeff[1]', {}, [1]],
    ['escaped NUL bytes and lone surrogates', '["\\u0000\\udc00"]', {}, ['\0\udc00']],
    ['64-bit ids, whole', '[{"var":{"order":1234567890123456789}}]', {}, [{ var: { order: '1234567890123456789' } }]],
  ];
  for (const [name, body, hints, values] of taken) {
    test(name, () => assert.deepEqual(decode(body, hints).values, values));
  }
});

describe('decodeBody on any bytes with any headers', () => {
  const LIMITS: WireLimits = {
    ...DEFAULT_WIRE_LIMITS,
    maxBytes: 2048,
    maxDecodedBytes: 8192,
    maxValues: 1000,
    maxElements: 100,
  };
  const json = fc
    .array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 12 })
    .map((value) => Buffer.from(JSON.stringify(value)));
  const coded = fc
    .tuple(
      fc.oneof(
        json,
        fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        fc.nat(20_000).map((size) => Buffer.alloc(size, '[1,')),
      ),
      fc.constantFrom<((plain: Buffer) => Buffer)[]>(
        (plain) => plain,
        (plain) => compress(plain),
        encodeLz4Block,
        (plain) => Buffer.from(lzString.compressToUint8Array(plain.toString('latin1'))),
        (plain) => Buffer.from(lzString.compressToUTF16(plain.toString('latin1'))),
        (plain) => Buffer.from(lzString.compressToBase64(plain.toString('latin1'))),
      ),
      fc.constantFrom(0, 0, 7),
    )
    .map(([plain, encode, key]) => xorBody(encode(plain), key));
  /** A body that was cut, or of which some bytes were changed. */
  const damaged = fc
    .tuple(
      coded,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
    )
    .map(([body, kept, changes]) => {
      const cut = Buffer.from(body.subarray(0, Math.ceil(body.length * kept)));
      for (const [at, byte] of changes) if (cut.length > 0) cut[at % cut.length] = byte;
      return cut;
    });
  const codec = fc.constantFrom(undefined, '', '0', '1', '2', '3', '9', 'snappy');
  const request = fc.record({
    body: fc.oneof(
      fc.uint8Array({ maxLength: 2100 }).map((bytes) => Buffer.from(bytes)),
      coded,
      damaged,
    ),
    compressCodec: codec,
    cryptCodec: codec,
    stm: fc.oneof(
      fc.constant(undefined),
      fc.constant('7'),
      fc.nat(255).map(String),
      fc.string(),
      fc.bigInt({ min: 0n }).map(String),
    ),
    allowsLzString: fc.boolean(),
  });

  test('throws nothing but AppError, holds no buffer past the bound and soon ends', (t) => {
    const seen = watchAllocations(t);
    const outcomes = { taken: 0, undecodable_body: 0, too_large: 0 };
    fc.assert(
      fc.property(request, (wire) => {
        const before = Buffer.from(wire.body);
        seen.largestBytes = 0;
        const startMs = cpuMs();
        try {
          const decoded = decodeBody(wire, LIMITS);
          assert.ok(decoded.decodedBytes <= LIMITS.maxDecodedBytes);
          outcomes.taken += 1;
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
          assert.ok(error.code in outcomes, error.code);
          outcomes[error.code as 'too_large'] += 1;
        }
        assert.ok(cpuMs() - startMs < 2000, 'took too long for 2 KiB');
        assert.ok(seen.largestBytes <= 1.7 * LIMITS.maxDecodedBytes, `${seen.largestBytes} bytes at once`); // 5/3: quotes around numbers
        assert.deepEqual(wire.body, before, 'the body was changed');
      }),
      { numRuns: 1500 },
    );
    for (const [outcome, times] of Object.entries(outcomes)) assert.ok(times > 20, `${outcome} only ${times} times`);
  });

  test('is as safe behind decodePixel', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(fc.nat(0xffff), { maxLength: 300 }).map((units) => String.fromCharCode(...units)),
          coded.map((body) => encodeURIComponent(body.toString('latin1'))),
        ),
        (data) => {
          try {
            decodePixel(data, LIMITS);
          } catch (error) {
            if (!(error instanceof AppError)) throw error;
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
