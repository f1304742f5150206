import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readRecordings } from '../../test/helpers/recordings.ts';
import { makeSampleDay } from '../demo/sample-day.ts';
import { compileRules, NO_RULES, type RuleSet } from '../rules/rule-set.ts';
import { rule } from '../rules/rules.test-helper.ts';
import { BatchEncoder } from '../store/hour-log/record-codec.ts';
import type { AppError } from '../errors/app-error.ts';
import { decodeBody } from '../wire/decode-body.ts';
import { parseElements } from '../wire/json-array.ts';
import { JsonTape } from '../wire/json-tape.ts';
import { DEFAULT_WIRE_LIMITS } from '../wire/wire-limits.ts';
import { CanonicalWriter } from './canonical-bytes.ts';
import { literalOf } from './copy-bytes.ts';
import { addHours, hourFromInteger } from './hour.ts';
import { mapEvents, type Mapper } from './map-events.ts';
import { TapeMapper, type TapeRequest } from './map-tape.ts';
import { Occurrences } from './occurrences.ts';
import { PageDomains } from './page-domains.ts';
import { PLAIN_TYPE_OF, PlainEvents } from './plain-events.ts';
import { RecordWriter } from './record-writer.ts';
import { writeCanonical } from './tape-canonical.ts';
import { UserAgents } from './user-agent.ts';

const USER_AGENT = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0';
const REQUEST: TapeRequest = { ai: 'ai', pathWord: 'web', ip: '192.0.2.1', userAgent: USER_AGENT };
const encoder = new BatchEncoder(1024 * 1024 * 1024);

function newMapper(rules: RuleSet = NO_RULES): Mapper {
  return {
    pageDomains: new PageDomains(),
    userAgents: new UserAgents(),
    onCut: () => undefined,
    rulesOf: () => rules,
  };
}

/** Maps bodies one after the other both ways, and compares what is stored. */
class Twins {
  readonly #tape = new JsonTape();
  readonly #quick: TapeMapper;
  readonly #slowMapper: Mapper;

  constructor(rules: RuleSet = NO_RULES) {
    this.#quick = new TapeMapper(this.#tape, newMapper(rules));
    this.#slowMapper = newMapper(rules);
  }

  /** Returns how many tags both have made. */
  compare(json: string, request: TapeRequest = REQUEST): number {
    const text = Buffer.from(json);
    assert.ok(this.#tape.read(text, DEFAULT_WIRE_LIMITS), 'the body is not on the tape');
    const { values, oversize } = parseElements(text, DEFAULT_WIRE_LIMITS);
    const quick = this.#quick.map(request);
    const slow = mapEvents({ ...request, elements: values, oversize }, this.#slowMapper);
    assert.deepEqual(quick.rejections, slow.rejections);
    assert.deepEqual(quick.receipts, slow.receipts);
    assert.equal(encoder.encode(quick).toString('latin1'), encoder.encode(slow).toString('latin1'));
    return quick.receipts.find(({ line }) => line === 'action_tag')?.rows ?? 0;
  }
}

const oddText = fc.constantFrom('', ' ', ',', 'a,b', ' a', 'a ', '"', '\\', 'a"b,c\\', '\n', '苹果', '😀', 'x'.repeat(60), '界'.repeat(40), 'w'.repeat(1_100)); // prettier-ignore
const text = fc.oneof(fc.constantFrom('a', 'shop.test', '/p/1', 'k=v&q=1'), oddText, fc.string({ maxLength: 6 }));
const number = fc.oneof(fc.nat(20), fc.constantFrom(1.5, -3, 0, 50.25, 1e-7, 1e21, 2 ** 53));
const wrong = fc.oneof(
  number,
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom([], {}, ['a'], { a: 'b' }, '12', '007'),
);
const mostly = (usual: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: wrong }, { weight: 1, arbitrary: oddText });
const time = mostly(fc.constantFrom(1_795_469_638_313, 1_795_469_638_314, 0, '1795469638313'));
const variables = mostly(fc.dictionary(fc.constantFrom('item', 'price', 'k k', '键', '"'), fc.oneof(text, wrong)));
const elementOfAction = fc.record(
  { x: mostly(text), v: mostly(text), h: mostly(text), idx: mostly(number), obj: mostly(text), tm: time, img: text },
  { requiredKeys: [] },
);
const plainKeys = Object.fromEntries(
  'p q rf rp tl o cs1 pg cs2 cs10 ps1 ps10 av b l sh sw os osv cv ch db dm ph ui adrid imei oaid ua'
    .split(' ')
    .map((name) => [name, mostly(text)]),
);
const event = fc
  .record(
    {
      t: fc.oneof(
        {
          weight: 9,
          arbitrary: fc.constantFrom('vst', 'page', 'clck', 'chng', 'sbmt', 'cstm', 'pvar', 'evar', 'vstr'),
        },
        { weight: 1, arbitrary: fc.constantFrom('activate', 'imp', 'ppl', 'new', '', 5, null, 't\\x') },
      ),
      u: mostly(fc.constantFrom('visitor-1', 'visitor-2')),
      s: mostly(fc.constantFrom('session-1', 'session-2')),
      tm: time,
      ptm: time,
      d: mostly(fc.constantFrom('shop.test', 'other.test')),
      n: mostly(fc.constantFrom('buy', 'look')),
      num: mostly(number),
      lat: mostly(number),
      lng: mostly(number),
      var: variables,
      e: mostly(fc.array(elementOfAction, { maxLength: 3 })),
      elem: fc.oneof(fc.constant(null), fc.array(elementOfAction, { maxLength: 2 })),
      ...plainKeys,
    },
    { requiredKeys: [] },
  )
  .map((value) => ({ ...value, ...('u' in value || Object.keys(value).length % 5 === 0 ? {} : { u: 'visitor-1' }) }));
const usualEvent = event.map((value) => ({
  t: 'clck',
  u: 'visitor-1',
  tm: 1_795_469_638_313,
  n: 'buy',
  e: [{}],
  ...value,
}));

const rules = compileRules([
  rule('0000000a'),
  rule('0000000b', { type: 'chng', path: '/p/*' }),
  rule('0000000c', { xpath: 'a', domain: 'shop.test' }),
  rule('0000000d', { value: 'a"b,c\\' }),
  rule('0000000e', { href: '\\' }),
  rule('0000000f', { query: 'k=v' }),
  rule('00000010', { index: 12 }),
  rule('00000011', { xpath: '*"*' }),
]);

const storesTheSame = (of: string, ruleSet: RuleSet): void =>
  void test(`stores byte for byte what the slow way stores, whatever is sent to a project ${of}`, () => {
    const twins = new Twins(ruleSet); // remembers pages and domains from body to body
    const element = fc.oneof(
      { weight: 8, arbitrary: usualEvent },
      { weight: 2, arbitrary: event },
      { weight: 1, arbitrary: wrong },
    );
    const pathWord = fc.constantFrom('web', 'android', 'ios', 'minp', 'wap', 's2s');
    fc.assert(
      fc.property(fc.array(element, { maxLength: 8 }), pathWord, fc.nat(1), (elements, word, indent) => {
        twins.compare(JSON.stringify([...elements, ...elements.slice(0, 2)], undefined, indent), {
          ...REQUEST,
          pathWord: word,
        });
      }),
      { numRuns: 3_000 },
    );
  });

/** What conditions are drawn from: what is sent, as it is stored. */
const sentTexts = ['a', 'shop.test', '/p/1', 'a"b,c\\', '"', '\\', '苹果', '😀', ' a', '1.5', 'true', '12', 'x'.repeat(60)] as const; // prettier-ignore
const condition = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | null> =>
  fc.option(value, { freq: 1, nil: null });
const sentText = fc.constantFrom(...sentTexts);
const pattern = fc.oneof(sentText, fc.constantFrom('*', '/p/*', '*"*', '*\\', '*果', '苹*', '*b,*', 'x*x'));
const elementThatFits = fc.record(
  { x: mostly(sentText), v: mostly(sentText), h: mostly(sentText), idx: mostly(fc.constantFrom(0, 1, 12)) },
  { requiredKeys: [] },
);
const drafts = fc.array(
  fc.record(
    {
      type: fc.constantFrom('clck' as const, 'clck' as const, 'chng' as const, 'page' as const),
      domain: condition(fc.constantFrom('shop.test', 'other.test', '苹果')),
      path: condition(pattern),
      query: condition(fc.constantFrom('k=v', 'q=1', 'q=1&k=v', '"')),
      xpath: condition(pattern),
      index: condition(fc.constantFrom(0, 1, 12)),
      value: condition(sentText),
      href: condition(sentText),
    },
    { requiredKeys: [] },
  ),
  { minLength: 10, maxLength: 40, size: 'max' },
);

describe('TapeMapper', () => {
  test('finds the rules that the slow way finds, whatever the rules and the actions', () => {
    const click = fc.record(
      {
        t: fc.constantFrom('clck', 'clck', 'chng', 'sbmt'),
        u: fc.constantFrom('visitor-1', '访客', 'v'.repeat(64)),
        s: fc.constantFrom('session-1', ''),
        tm: fc.constantFrom(1_795_469_638_313, 0),
        d: mostly(fc.constantFrom('shop.test', 'other.test')),
        p: mostly(sentText),
        q: mostly(fc.constantFrom('k=v&q=1', 'k=v&k=v', '&&q=1', '"')),
        e: fc.array(elementThatFits, { minLength: 1, maxLength: 4 }),
      },
      { requiredKeys: ['t', 'u', 'tm', 'e'] },
    );
    let tagged = 0;
    fc.assert(
      fc.property(drafts, fc.array(click, { minLength: 1, maxLength: 5 }), (conditions, clicks) => {
        const ruleSet = compileRules(
          conditions.map((each, place) => rule((0xfedcba98 - place).toString(16), { ...each })),
        );
        tagged += new Twins(ruleSet).compare(JSON.stringify(clicks));
      }),
      { numRuns: 300 },
    );
    assert.ok(tagged > 1_000, `${tagged} tags`);
  });

  test('finds rules by texts with escapes and letters of several bytes', () => {
    for (const odd of ['"', '\\', 'a"b,c\\', '\\"\\', '苹"果', '😀'])
      for (const [name, event, element] of [
        ['domain', { d: odd }, {}],
        ['path', { p: odd }, {}],
        ['query', { q: odd }, {}],
        ['xpath', {}, { x: odd }],
        ['value', {}, { v: odd }],
        ['href', {}, { h: odd }],
      ] as const) {
        const click = { t: 'clck', u: 'u', tm: 1, ...event, e: [element, {}] };
        const tagged = new Twins(compileRules([rule('0000000a', { [name]: odd })])).compare(JSON.stringify([click]));
        assert.equal(tagged, Object.keys(element).length > 0 ? 1 : 2, `${name} ${odd}`);
      }
  });

  test('stores a hundred tags of each of many elements as the slow way does', () => {
    const many = Array.from({ length: 120 }, (_, place) => rule((place + 16 ** 7).toString(16), { index: place % 2 }));
    const elements = Array.from({ length: 300 }, (_, place) => ({ idx: place % 3, v: 'x'.repeat(place) }));
    const click = { t: 'clck', u: 'visitor-1', s: 's', tm: 1_795_469_638_313, e: elements };
    const tagged = new Twins(compileRules(many)).compare(JSON.stringify([click, { ...click, e: [{ idx: 2 }] }]));
    assert.equal(tagged, 200 * 60);
  });

  test('counts the rows of elements called elem before it makes any', () => {
    const elem = Array.from({ length: 5_000 }, () => ({}));
    const click = { t: 'clck', u: 'visitor-1', s: 's', tm: 1_795_469_638_313 };
    const clicks = Array.from({ length: 20 }, (_, place) => ({ ...click, ...(place % 2 ? {} : { e: null }), elem }));
    new Twins().compare(JSON.stringify(clicks));
    const json = Buffer.from(JSON.stringify([...clicks, { ...click, elem: [{}] }]));
    const tape = new JsonTape();
    assert.ok(tape.read(json, DEFAULT_WIRE_LIMITS));
    assert.throws(() => new TapeMapper(tape, newMapper()).map(REQUEST), { code: 'too_large', message: /100001 rows/ });
  });

  storesTheSame('without rules', NO_RULES);
  storesTheSame('with tagging rules', rules);

  test('stores a day of a shop on all platforms as the slow way does', () => {
    const from = hourFromInteger(495_000);
    const lines = makeSampleDay({ day: { from, until: addHours(from, 24) }, visits: 300, seed: 1 });
    const twins = new Twins();
    const events = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    const named = events.map(({ platform, sendTime: _, ip: __, userAgent: ___, ...rest }) => ({ platform, rest }));
    for (const [pathWord, each] of Map.groupBy(named, ({ platform }) => String(platform))) {
      for (let first = 0; first < each.length; first += 20)
        twins.compare(JSON.stringify(each.slice(first, first + 20).map(({ rest }) => rest)), { ...REQUEST, pathWord });
    }
  });

  const requests: readonly (readonly [name: string, changes: Partial<TapeRequest>])[] = [
    ['without a user agent', { userAgent: null }],
    ['with a user agent that is too long', { userAgent: 'x'.repeat(600) }],
    ['with a user agent that needs quotes', { userAgent: '"a", b' }],
    ['without an address', { ip: null }],
    ['from an IPv6 address', { ip: '2001:db8:1234:5678:9abc:def0:1234:5678' }],
  ];
  for (const [name, changes] of requests)
    test(`maps a visit ${name} as the slow way does`, () =>
      void new Twins().compare('[{"t":"vst","u":"u","s":"s","tm":1795469638313},{"t":"activate","u":"u","tm":1}]', {
        ...REQUEST,
        ...changes,
      }));

  test('finds the domain of an event on a page that comes later in the same body', () => {
    const twins = new Twins();
    twins.compare(
      '[{"t":"cstm","u":"u","s":"s","tm":2,"ptm":1,"n":"a"},{"t":"page","u":"u","s":"s","tm":1,"d":"a,b"}]',
    );
    twins.compare('[{"t":"pvar","u":"u","s":"s","tm":3,"ptm":1}]');
  });

  test('finds activations, and gives the values of a request that holds one', () => {
    const tape = new JsonTape();
    const mapper = new TapeMapper(tape, newMapper());
    for (const [type, holds] of [
      ['activate', true],
      ['\\u0061ctivate', true],
      ['page', false],
    ] as const) {
      const json = `[{"t":"page","u":"u","tm":1},{"t":"${type}","u":"u","tm":1}]`;
      assert.ok(tape.read(Buffer.from(json), DEFAULT_WIRE_LIMITS));
      assert.equal(mapper.holdsActivations(), holds);
      assert.deepEqual(mapper.values(), JSON.parse(json));
    }
  });

  test('refuses more rows than one request may make, before it makes them', () => {
    const click = `{"t":"clck","u":"u","tm":1,"e":[${Array(5_000).fill('{}').join()}]}`;
    const tape = new JsonTape();
    assert.ok(tape.read(Buffer.from(`[${Array(21).fill(click).join()}]`), DEFAULT_WIRE_LIMITS));
    assert.throws(() => new TapeMapper(tape, newMapper()).map(REQUEST), { code: 'too_large', message: /105000 rows/ });
  });

  test('takes what the slow way takes, and refuses the rest, where rows grow out of all proportion to the body', () => {
    const click = (p: string): string =>
      `{"t":"clck","u":"u","tm":1,"p":"${p}","e":[${Array(4_900).fill('{}').join()}]}`;
    for (const [letter, clicks] of [
      ['x', 19],
      ['x', 20],
      ['界', 7],
    ] as const) {
      const json = Buffer.from(
        `[${Array(clicks)
          .fill(click(letter.repeat(1_000)))
          .join()}]`,
      );
      const outcome = (map: () => { readonly receipts: readonly { readonly rows: number }[] }): unknown => {
        try {
          return map().receipts.map(({ rows }) => rows);
        } catch (error) {
          return (error as AppError).code;
        }
      };
      const tape = new JsonTape();
      assert.ok(tape.read(json, DEFAULT_WIRE_LIMITS));
      const elements = JSON.parse(json.toString()) as unknown[];
      assert.deepEqual(
        outcome(() => new TapeMapper(tape, newMapper()).map(REQUEST)),
        outcome(() => mapEvents({ ...REQUEST, elements, oversize: new Map() }, newMapper())),
      );
    }
  });

  test('refuses rows that grow out of all proportion to the body', () => {
    const click = `{"t":"clck","u":"u","tm":1,"p":"${'x'.repeat(1024)}","q":"${'x'.repeat(5000)}","e":[${Array(4_900).fill('{}').join()}]}`;
    const tape = new JsonTape();
    assert.ok(tape.read(Buffer.from(`[${Array(20).fill(click).join()}]`), DEFAULT_WIRE_LIMITS));
    assert.throws(() => new TapeMapper(tape, newMapper()).map(REQUEST), { code: 'too_large' });
  });
});

describe('PlainEvents', () => {
  for (const sdk of ['web-gio-1.0', 'minp-2.0.18'])
    test(`maps every event that ${sdk} sends for a table the quick way`, () => {
      const tape = new JsonTape();
      const plain = new PlainEvents(new RecordWriter(1024 * 1024), new PageDomains(), tape);
      let mapped = 0;
      for (const { method, path, body } of readRecordings(sdk)) {
        if (method !== 'POST') continue;
        const wire = {
          body: Buffer.from(body, 'base64'),
          compressCodec: undefined,
          cryptCodec: undefined,
          stm: undefined,
        };
        const { isOnTape } = decodeBody(
          { ...wire, allowsLzString: path.includes('/web/') },
          DEFAULT_WIRE_LIMITS,
          undefined,
          tape,
        );
        assert.ok(isOnTape);
        const shared = { occurrences: new Occurrences(), matchCost: { bytes: 0 }, rules: NO_RULES };
        plain.begin({ ai: 'ai', isWeb: true, fields: WEB_FIELDS, ...shared });
        for (let place = 0; place < tape.elements.count; place += 1) plain.rememberDomain(place);
        for (let place = 0; place < tape.elements.count; place += 1) {
          const dataType = PLAIN_TYPE_OF.get(plain.typeOf(place) ?? '');
          if (dataType === undefined) continue;
          assert.ok(plain.map(place, dataType, plain.typeOf(place)!) > 0, JSON.stringify(tape.valueOf(place)));
          mapped += 1;
        }
      }
      assert.ok(mapped > 4, `${mapped} events`);
    });
});

const EMPTY = literalOf(new Uint8Array(0));
const WEB_FIELDS = { ip: EMPTY, userAgent: EMPTY, pathPlatform: EMPTY, osName: EMPTY, osNameAndVersion: EMPTY };

describe('writeCanonical', () => {
  test('gives the bytes of the canonical JSON of a plain element', () => {
    const tape = new JsonTape();
    const canonical = new CanonicalWriter();
    fc.assert(
      fc.property(fc.array(event, { maxLength: 4 }), fc.nat(1), (elements, indent) => {
        const json = Buffer.from(JSON.stringify(elements, undefined, indent));
        assert.ok(tape.read(json, DEFAULT_WIRE_LIMITS));
        const bytes = Buffer.alloc(2 * json.length + 100);
        bytes.set(json);
        for (let place = 0; place < tape.elements.count; place += 1) {
          if (tape.elements.shapes[place] === undefined) continue;
          const end = writeCanonical(new DataView(bytes.buffer, bytes.byteOffset), json.length, tape, place);
          assert.equal(bytes.toString('utf8', json.length, end), canonical.write('', tape.valueOf(place)).toString());
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
