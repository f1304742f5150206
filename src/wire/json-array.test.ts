import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { looksLikeJson, parseElements } from './json-array.ts';
import { DEFAULT_WIRE_LIMITS, type WireLimits } from './wire-limits.ts';

const parse = (text: string | Buffer, limits: Partial<WireLimits> = {}) =>
  parseElements(Buffer.from(text as string), { ...DEFAULT_WIRE_LIMITS, ...limits });

/** Any UTF-16 units, lone surrogates too. */
const anyString = fc.array(fc.nat(0xffff), { maxLength: 12 }).map((units) => String.fromCharCode(...units));

describe('parseElements', () => {
  test('gives what JSON.parse gives for any array', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.jsonValue({ maxDepth: 4 }), anyString)), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        assert.equal(JSON.stringify(parse(text).values), JSON.stringify(value)); // as text, in which -0 is 0
      }),
      { numRuns: 200 },
    );
  });

  const wholes: readonly (readonly [name: string, text: string, values: unknown[]])[] = [
    ['an empty array', '[]', []],
    ['an array with blanks everywhere', ' \n[\t1 ,\r\n{ "a" : [ ] } ] ', [1, { a: [] }]],
    ['an object, as an array of one', '{}', [{}]],
    ['an object with commas, as an array of one', '{"a":1,"b":[1,2],"c":{}}', [{ a: 1, b: [1, 2], c: {} }]],
    ['a text behind a byte order mark', '\ufeff[{"t":"page"}]', [{ t: 'page' }]],
    ['elements that are no objects', '[1,"a",null,true,[2]]', [1, 'a', null, true, [2]]],
    [
      'brackets, commas and escapes inside strings',
      '["[{,\\"]}\\\\",{"}]\\\\\\"":","}]',
      ['[{,"]}\\', { '}]\\"': ',' }],
    ],
    ['escaped NUL bytes and lone surrogates', '["\\u0000","\\ud800"]', ['\0', '\ud800']],
  ];
  for (const [name, text, values] of wholes) {
    test(`takes ${name}`, () => assert.deepEqual(parse(text).values, values));
  }

  test('puts U+FFFD for bytes that are not UTF-8', () => {
    const text = Buffer.concat([Buffer.from('["a'), Buffer.from([0xff, 0xe8, 0x8b]), Buffer.from('z"]')]);
    assert.deepEqual(parse(text).values, ['a\ufffd\ufffdz']);
  });

  const refused = [
    '', ' ', '[', '{', '[[]', '[}', '[]]', '[] []', '[1,]', '[1 2]', '{"a"}', '["a]', '["a\\', '["\\"]', '[01]', '[1.]', '[-]', '[+1]',
    '[1.2.3]', '[50.00.0]', '{50.0:1}', '{"a":1,9007199254740993 :2}', '[tru]', '[NaN]', '[\0]', '["\0"]', '["\n"]', '[\u00a0]', '1', '"a"', 'null',
  ]; // prettier-ignore
  for (const text of refused) {
    test(`refuses ${JSON.stringify(text)} as no JSON array or object`, () =>
      assert.throws(() => parse(text), { code: 'undecodable_body' }));
  }

  test('refuses a bracket too many before it parses', (t) => {
    const parser = t.mock.method(JSON, 'parse');
    assert.throws(() => parse('[]]'), { code: 'undecodable_body', message: /closes a bracket that is not open/ });
    assert.equal(parser.mock.callCount(), 0);
  });

  test('does not say where, once numbers were put into quotes and places have moved', () => {
    assert.throws(() => parse('[50.0, 1 2]'), { message: /is not valid$/ });
  });

  test('says where the text is not valid, and never a piece of it', () => {
    assert.throws(
      () => parse('[{"secret":1 "x":2}]'),
      (error: Error) => {
        assert.match(error.message, /at character 13$/);
        assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /secret/);
        return true;
      },
    );
    for (const text of ['[{"secret" secret}]', '[secret]', '{"a":50.0,"secret"}']) {
      assert.throws(
        () => parse(text),
        (error: Error) => !`${error.message} ${String(error.cause)}`.includes('secret'),
      );
    }
  });
});

describe('the limits of parseElements', () => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

  test('take 64 levels and refuse 65, brackets in strings not counted', () => {
    assert.equal(parse(nested(64)).values.length, 1);
    assert.throws(() => parse(nested(65)), { code: 'too_deep' });
    assert.throws(() => parse('{"a":'.repeat(65) + '1' + '}'.repeat(65)), { code: 'too_deep' });
    assert.equal(parse(JSON.stringify(['['.repeat(100), '\\"['.repeat(100)])).values.length, 2);
  });

  test('refuse 10,000 levels without parsing', (t) => {
    const parser = t.mock.method(JSON, 'parse');
    assert.throws(() => parse(nested(10_000)), { code: 'too_deep' });
    assert.equal(parser.mock.callCount(), 0);
  });

  test('take 100,000 elements and refuse 100,001 without parsing', (t) => {
    const array = (elements: number): string => `[${Array.from({ length: elements }, () => '0').join()}]`;
    assert.equal(parse(array(100_000)).values.length, 100_000);
    const parser = t.mock.method(JSON, 'parse');
    assert.throws(() => parse(array(100_001)), { code: 'too_large' });
    assert.equal(parser.mock.callCount(), 0);
  });

  test('do not count the members of a lone object as elements', () => {
    assert.equal(parse('{"a":1,"b":2,"c":3}', { maxElements: 1 }).values.length, 1);
  });

  test('refuse too many values without parsing, wherever they stand', (t) => {
    assert.equal(parse('[[1,2],{"a":3}]', { maxValues: 5 }).values.length, 2); // [ [ , , {
    const parser = t.mock.method(JSON, 'parse');
    for (const text of ['[[1,2],{"a":3}]', '[[[[[]]]]]', '[1,2,3,4,5]', '{"a":1,"b":2,"c":3,"d":4,"e":5}']) {
      assert.throws(() => parse(text, { maxValues: 4 }), { code: 'too_large' }, text);
    }
    assert.equal(parser.mock.callCount(), 0);
  });
});

describe('an element that is too large', () => {
  test('is set aside with its size and its beginning, and its neighbours are taken', () => {
    const large = JSON.stringify({ t: 'cstm', n: '苹'.repeat(100) });
    const { values, oversize } = parse(`[{"a":1}, ${large}\n,{"b":2}]`, {
      maxElementBytes: 100,
      oversizeHeadBytes: 21,
    });
    assert.deepEqual(values, [{ a: 1 }, undefined, { b: 2 }]);
    assert.deepEqual([...oversize], [[1, { bytes: Buffer.byteLength(large), head: '{"t":"cstm","n":"苹' }]]);
  });

  test('is judged by its own bytes, without the blanks around it', () => {
    const element = '{"a":"12345"}'; // 13 bytes
    const spaced = `[${' '.repeat(50)}${element}${' '.repeat(50)},${element}]`;
    assert.equal(parse(spaced, { maxElementBytes: 13 }).oversize.size, 0);
    assert.deepEqual([...parse(spaced, { maxElementBytes: 12 }).oversize.keys()], [0, 1]);
  });

  test('may be the first, the last, the only one, or a lone object', () => {
    const large = JSON.stringify({ a: 'x'.repeat(50) });
    const sizes = (text: string): unknown[] =>
      [...parse(text, { maxElementBytes: 50 }).oversize].map(([index, { bytes }]) => [index, bytes]);
    assert.deepEqual(sizes(`[${large},1]`), [[0, 58]]);
    assert.deepEqual(sizes(`[1,2,${large}]`), [[2, 58]]);
    assert.deepEqual(sizes(`[${large}]`), [[0, 58]]);
    assert.deepEqual(sizes(` ${large} `), [[0, 58]]);
  });

  test('may be one of 1 MiB by default, and no byte more', () => {
    const element = (bytes: number): string => `"${'x'.repeat(bytes - 2)}"`;
    const { values, oversize } = parse(`[${element(1 << 20)},${element((1 << 20) + 1)}]`);
    assert.equal((values[0] as string).length, (1 << 20) - 2);
    assert.deepEqual([...oversize.keys()], [1]);
    assert.equal(oversize.get(1)?.head.length, 64 * 1024);
  });

  test('has its head cut between two characters, whatever their length', () => {
    for (const character of ['a', 'ü', '苹', '😀']) {
      const element = `"${character.repeat(100)}"`;
      for (let headBytes = 1; headBytes < 20; headBytes += 1) {
        const head = parse(`[${element}]`, { maxElementBytes: 10, oversizeHeadBytes: headBytes }).oversize.get(0)!.head;
        assert.ok(element.startsWith(head), `${head} of ${headBytes} bytes`);
        const missing = headBytes - Buffer.byteLength(head);
        assert.ok(missing >= 0 && missing < Buffer.byteLength(character), `${head} of ${headBytes} bytes`);
      }
    }
    assert.equal(
      parse('["0123456789"]', { maxElementBytes: 4, oversizeHeadBytes: 99 }).oversize.get(0)!.head,
      '"0123456789"',
    );
  });

  test('makes the body undecodable when it is not JSON itself', () => {
    assert.throws(() => parse(`[{"a":1},{"b":"${'x'.repeat(100)}" true}]`, { maxElementBytes: 20 }), {
      code: 'undecodable_body',
    });
  });
});

describe('looksLikeJson', () => {
  test('looks at the first byte that is neither blank nor a byte order mark', () => {
    for (const text of ['[', '{', ' \t\r\n[', '\ufeff {']) assert.equal(looksLikeJson(Buffer.from(text)), true, text);
    for (const text of ['', ' ', '\ufeff', '"[', '\0[', 'x', '\u00a0['])
      assert.equal(looksLikeJson(Buffer.from(text)), false, text);
  });
});
