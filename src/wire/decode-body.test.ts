import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import lzString from 'lz-string';
import { compress } from 'snappyjs';
import { encodeLz4Block, xorBody } from '../../test/data/wire-encoders.ts';
import type { BodyCoding, WireBody } from './body-coding.ts';
import { decodeBody, decodePixel, type DecodedBody } from './decode-body.ts';
import { DEFAULT_WIRE_LIMITS } from './wire-limits.ts';

const STM = 1795469638624; // low byte 0xe0
const EVENTS = [
  { t: 'page', tm: 1795469638313, tl: '商品页', q: 'cid=7&k=v', d: 'shop.example.test' },
  { t: 'cstm', tm: 1795469638624, n: 'buy', var: { item: '苹果😀', price: 14 }, d: 'shop.example.test' },
];
const JSON_BODY = Buffer.from(JSON.stringify(EVENTS));

type Hints = Partial<Omit<WireBody, 'body'>>;
const MOBILE: Hints = { stm: String(STM) };
const WEB: Hints = { stm: String(STM), allowsLzString: true };
const NAMES_XOR: Hints = { ...MOBILE, cryptCodec: '1' };

function decode(body: Buffer, hints: Hints): DecodedBody {
  return decodeBody(
    { compressCodec: undefined, cryptCodec: undefined, stm: undefined, allowsLzString: false, ...hints, body },
    DEFAULT_WIRE_LIMITS,
  );
}

/** Any UTF-16 units, lone surrogates too. */
const anyString = fc.array(fc.nat(0xffff), { maxLength: 12 }).map((units) => String.fromCharCode(...units));

/** How each coding is written, with the request that an SDK sends it in. */
const CODINGS: Readonly<Record<BodyCoding, { encode: (json: Buffer) => Buffer; hints: Hints }>> = {
  json: { encode: (json) => json, hints: { compressCodec: '0' } },
  'json-base64': { encode: (json) => Buffer.from(json.toString('base64')), hints: WEB },
  'json-xor': { encode: (json) => xorBody(json, STM), hints: NAMES_XOR },
  snappy: { encode: (json) => compress(json), hints: { compressCodec: '2' } },
  'snappy-xor': { encode: (json) => xorBody(compress(json), STM), hints: { ...NAMES_XOR, compressCodec: '2' } },
  lz4: { encode: encodeLz4Block, hints: { compressCodec: '3' } },
  'lz4-xor': { encode: (json) => xorBody(encodeLz4Block(json), STM), hints: { ...NAMES_XOR, compressCodec: '3' } },
  'lz-string-bytes': { encode: (json) => Buffer.from(lzString.compressToUint8Array(json.toString())), hints: WEB },
  'lz-string-utf16': { encode: (json) => Buffer.from(lzString.compressToUTF16(json.toString())), hints: WEB },
  'lz-string-base64': { encode: (json) => Buffer.from(lzString.compressToBase64(json.toString())), hints: WEB },
  'lz-string-uri': {
    encode: (json) => Buffer.from(lzString.compressToEncodedURIComponent(json.toString())),
    hints: WEB,
  },
};
const codingNames = Object.keys(CODINGS) as BodyCoding[];

describe('decodeBody with the hints that SDKs send', () => {
  for (const coding of codingNames) {
    test(`reads ${coding}`, () => {
      const { encode, hints } = CODINGS[coding];
      const body = encode(JSON_BODY);
      const before = Buffer.from(body);
      const decoded = decode(body, hints);
      assert.deepEqual(decoded, { values: EVENTS, oversize: new Map(), coding, decodedBytes: JSON_BODY.length });
      assert.deepEqual(body, before, 'the body was changed');
    });
  }

  test('reads any array of objects in any coding', () => {
    const events = fc.array(fc.dictionary(anyString, anyString), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(events, fc.constantFrom(...codingNames), (value, coding) => {
        const { encode, hints } = CODINGS[coding];
        const json = Buffer.from(JSON.stringify(value));
        assert.deepEqual(decode(encode(json), hints).values, JSON.parse(json.toString()));
      }),
      { numRuns: 150 },
    );
  });

  test('reads LZ-String that a header names, off the web paths', () => {
    const body = CODINGS['lz-string-bytes'].encode(JSON_BODY);
    assert.equal(decode(body, { compressCodec: '1' }).coding, 'lz-string-bytes');
  });
});

describe('decodeBody with hints that are wrong', () => {
  const codec2: Hints = { compressCodec: '2' };
  const cases: readonly (readonly [name: string, coding: BodyCoding, hints: Hints])[] = [
    ['plain JSON of Android in debug mode, under both codec headers', 'json', { ...NAMES_XOR, ...codec2 }],
    ['plain JSON under the headers of iOS', 'json', { ...NAMES_XOR, compressCodec: '3' }],
    ['plain JSON on a web path', 'json', WEB],
    ['plain JSON under XOR, when the header is missing', 'json-xor', MOBILE],
    ['snappy without XOR, when XOR is named', 'snappy', { ...NAMES_XOR, ...codec2 }],
    ['snappy without XOR, when XOR is named and stm is missing', 'snappy', { ...codec2, cryptCodec: '1' }],
    ['snappy under XOR, when only snappy is named', 'snappy-xor', { ...MOBILE, ...codec2 }],
    ['snappy under XOR, when only XOR is named', 'snappy-xor', NAMES_XOR],
    ['snappy without a header', 'snappy', {}],
    ['snappy under XOR without a header', 'snappy-xor', MOBILE],
    ['snappy under codec names that nobody knows', 'snappy', { compressCodec: 'zstd', cryptCodec: 'aes' }],
    ['LZ4 without a header', 'lz4', {}],
    ['LZ4 under XOR without a header', 'lz4-xor', MOBILE],
    ['LZ4 when snappy is named', 'lz4', codec2],
    ['LZ-String when snappy is named', 'lz-string-bytes', { ...WEB, ...codec2 }],
    ['snappy on a web path, when it is named', 'snappy', { ...WEB, ...codec2 }],
  ];
  for (const [name, coding, hints] of cases) {
    test(`reads ${name}`, () => {
      const decoded = decode(CODINGS[coding].encode(JSON_BODY), hints);
      assert.deepEqual(decoded.values, EVENTS);
      assert.equal(decoded.coding, coding);
    });
  }

  test('reads a packed body that begins with a bracket by chance', () => {
    const json = Buffer.from(JSON.stringify([{ t: 'x'.repeat(0x5b - 10) }])); // 91 bytes, so that the block begins with "["
    const block = compress(json);
    assert.equal(block.toString('latin1', 0, 1), '[');
    assert.equal(decode(block, { compressCodec: '2' }).coding, 'snappy');
    for (let key = 1; key < 256; key += 1) {
      const hints = { compressCodec: '2', cryptCodec: '1', stm: String(key) };
      assert.equal(decode(xorBody(block, key), hints).coding, 'snappy-xor', `key ${key}`);
    }
  });

  test('reads XOR with a stm of more digits than a double holds, and with one whose low byte is 0', () => {
    const hugeStm = (2n ** 70n + 0xe0n).toString();
    const hints = { compressCodec: '2', cryptCodec: '1' };
    assert.equal(decode(xorBody(compress(JSON_BODY), STM), { ...hints, stm: hugeStm }).coding, 'snappy-xor');
    assert.equal(decode(compress(JSON_BODY), { ...hints, stm: '512' }).coding, 'snappy-xor');
  });
});

describe('decodeBody on recordings of real SDKs', () => {
  type Recording = { method: string; path: string; headers: Record<string, string>; body: string };
  const recordings = (file: string): { body: Buffer; path: string; decoded: DecodedBody }[] =>
    readFileSync(new URL(`../../test/data/recordings/${file}.ndjson`, import.meta.url), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Recording)
      .filter(({ method }) => method === 'POST')
      .map(({ path, headers, body: base64 }) => {
        const body = Buffer.from(base64, 'base64');
        const decoded = decode(body, {
          compressCodec: headers['x-compress-codec'],
          cryptCodec: headers['x-crypt-codec'],
          stm: new URL(path, 'http://x').searchParams.get('stm') ?? undefined,
          allowsLzString: /\/(web|wap)\//.test(path),
        });
        return { body, path, decoded };
      });
  const types = (decoded: DecodedBody): string[] => (decoded.values as { t: string }[]).map(({ t }) => t);

  test('reads the web SDK, LZ-String bytes', () => {
    const requests = recordings('web-gio-1.0');
    for (const { body, decoded } of requests) {
      assert.equal(decoded.coding, 'lz-string-bytes');
      assert.deepEqual(decoded.values, JSON.parse(lzString.decompressFromUint8Array(body)));
    }
    const seen = requests.map(({ decoded }) => types(decoded));
    assert.deepEqual(seen, [['vst', 'page'], ['cstm'], ['evar'], ['ppl'], ['clck'], ['clck'], ['pvar']]);
  });

  test('reads the mini program SDK, plain JSON', () => {
    const seen = recordings('minp-2.0.18').map(({ decoded }) => [decoded.coding, ...types(decoded)]);
    assert.deepEqual(seen, [
      ['json', 'page', 'vst'],
      ['json', 'page', 'cstm', 'pvar', 'evar', 'vstr', 'ppl', 'clck'],
      ['json', 'cls'],
    ]);
  });

  test('reads the Java SDK, snappy without XOR', () => {
    const [request, ...others] = recordings('java-1.0.8');
    assert.equal(others.length, 0);
    assert.equal(request!.decoded.coding, 'snappy');
    assert.deepEqual(request!.decoded.values, [
      {
        cs1: 'u-1',
        t: 'cstm',
        var: { d: 1.25, price: 14, product_name: '苹果' },
        num: 9.5,
        tm: 1795469322573,
        n: 'BuyProduct',
      },
    ]);
  });
});

describe('decodePixel', () => {
  const pixel = (data: string): DecodedBody => decodePixel(data, DEFAULT_WIRE_LIMITS);

  const forms: readonly (readonly [name: string, data: string, coding: BodyCoding])[] = [
    ['the URI form', lzString.compressToEncodedURIComponent(JSON_BODY.toString()), 'lz-string-uri'],
    ['Base64, escaped', encodeURIComponent(lzString.compressToBase64(JSON_BODY.toString())), 'lz-string-base64'],
    ['Base64, not escaped', lzString.compressToBase64(JSON_BODY.toString()), 'lz-string-base64'],
    ['UTF-16 text, escaped', encodeURIComponent(lzString.compressToUTF16(JSON_BODY.toString())), 'lz-string-utf16'],
    ['Base64 of the JSON itself, as from IE 6', JSON_BODY.toString('base64'), 'json-base64'],
    ['Base64 of the JSON itself, escaped', encodeURIComponent(JSON_BODY.toString('base64')), 'json-base64'],
    ['plain JSON, escaped', encodeURIComponent(JSON_BODY.toString()), 'json'],
    ['plain JSON, escaped in lower case', encodeURIComponent(JSON_BODY.toString()).toLowerCase(), 'json'],
  ];
  for (const [name, data, coding] of forms) {
    test(`reads ${name}`, () => {
      const decoded = pixel(data);
      assert.equal(decoded.coding, coding);
      assert.deepEqual(decoded.values, EVENTS);
    });
  }

  test('reads the URI form with any text, whether its plus is escaped or not', () => {
    fc.assert(
      fc.property(anyString, (text) => {
        const data = lzString.compressToEncodedURIComponent(JSON.stringify([text]));
        for (const sent of [data, encodeURIComponent(data), data.replaceAll('+', '%20')]) {
          assert.deepEqual(pixel(sent).values, [text]);
        }
      }),
    );
  });

  test('reads Base64 of JSON with any text, whether its plus is escaped or not', () => {
    fc.assert(
      fc.property(anyString, (text) => {
        const data = Buffer.from(JSON.stringify([text])).toString('base64');
        for (const sent of [data, encodeURIComponent(data), data.replaceAll('+', '%20'), data.replaceAll('=', '')]) {
          const decoded = pixel(sent);
          assert.equal(decoded.coding, 'json-base64');
          assert.deepEqual(decoded.values, JSON.parse(JSON.stringify([text])));
        }
      }),
    );
  });

  test('leaves percent signs that escape nothing as they are', () => {
    assert.deepEqual(pixel('["100%","%zz","%4","%4g%G4","a%41%4a%4A"]').values, [
      '100%',
      '%zz',
      '%4',
      '%4g%G4',
      'aAJJ',
    ]);
  });

  test('refuses a value without content, one that is nothing known, and one that is too long', () => {
    assert.throws(() => pixel(''), { code: 'undecodable_body', status: 400 });
    assert.throws(() => pixel('%7B%22a'), { code: 'undecodable_body' });
    assert.throws(() => pixel('%FF%FE'), { code: 'undecodable_body' });
    assert.throws(() => decodePixel('[1,2]', { ...DEFAULT_WIRE_LIMITS, maxBytes: 4 }), {
      code: 'too_large',
      status: 413,
    });
  });
});

describe('what decoding tells that it spent', () => {
  const limits = { ...DEFAULT_WIRE_LIMITS, maxDecodedBytes: 1_000 };
  const spentOn = (body: Buffer): number => {
    let spentBytes = 0;
    const request: WireBody = {
      body,
      compressCodec: undefined,
      cryptCodec: undefined,
      stm: undefined,
      allowsLzString: true,
    };
    const spend = (bytes: number): number => (spentBytes += bytes);
    try {
      decodeBody(request, limits, spend);
    } catch {
      // refused: what it spent is asked all the same
    }
    return spentBytes;
  };
  const pack = (text: string): Buffer => Buffer.from(lzString.compressToUint8Array(text));

  test('is the size of a body that is taken', () => assert.equal(spentOn(JSON_BODY), JSON_BODY.length));

  test('is what came out of a body that is no JSON', () => assert.equal(spentOn(pack(' '.repeat(900))), 900));

  test('is the bound where a body decodes past it', () => assert.ok(spentOn(pack(' '.repeat(5_000))) >= 1_000));
});
