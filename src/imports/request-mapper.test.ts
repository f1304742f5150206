import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { makeSampleDay } from '../demo/sample-day.ts';
import { addHours, hourFromInteger } from '../events/hour.ts';
import { mapEvents } from '../events/map-events.ts';
import { PageDomains } from '../events/page-domains.ts';
import { UserAgents } from '../events/user-agent.ts';
import { NO_RULES } from '../rules/rule-set.ts';
import { BatchEncoder } from '../store/hour-log/record-codec.ts';
import { parseImportLine } from './import-line.ts';
import type { NdjsonLine } from './ndjson-lines.ts';
import { PlainLine } from './plain-line.ts';
import { RequestMapper } from './request-mapper.ts';

/** A project without rules, whose activations are taken as they are. */
const newRequestMapper = (): RequestMapper =>
  new RequestMapper({ ai: 'ai', rulesOf: () => NO_RULES, decideActivations: () => undefined });

const encoder = new BatchEncoder(256 * 1024 * 1024);
const SENT = '"sendTime":1795469638313,"platform":"web"';

function lineOf(text: string, number = 1): NdjsonLine {
  return { source: 'past.ndjson', bytes: Buffer.from(text), number };
}

/** Puts lines into one request, and gives the stored bytes of what they were mapped to. */
function mapLines(texts: readonly string[]): string {
  const requests = newRequestMapper();
  for (const [place, text] of texts.entries()) {
    requests.read(lineOf(text, place + 1));
    assert.equal(requests.isComplete, false);
    requests.add();
  }
  const { batch, events } = requests.map()!;
  assert.equal(events, texts.length);
  return encoder.encode(batch).toString('latin1');
}

/** Does the same by way of values. */
function mapParsed(texts: readonly string[]): string {
  const lines = texts.map((text) => parseImportLine(lineOf(text)));
  const { pathWord, ip, userAgent } = lines[0]!;
  const elements = lines.map(({ event }) => event);
  const mapper = {
    pageDomains: new PageDomains(),
    userAgents: new UserAgents(),
    onCut: () => undefined,
    rulesOf: () => NO_RULES,
  };
  return encoder
    .encode(mapEvents({ ai: 'ai', pathWord, elements, oversize: new Map(), ip, userAgent }, mapper))
    .toString('latin1');
}

const blank = fc.constantFrom('', '', '', ' ', '\t', '\r', '  ');
const own = fc.constantFrom(
  '"sendTime":1795469638313',
  '"sendTime" : "1795469638313"',
  '"sendTime":1795469638313.0',
  '"sendTime":95469638313',
  '"platform":"web"',
  '"platform":"android"',
  '"platform":"fridge"',
  '"platf\\u006frm":"web"',
  '"ip":"192.0.2.1"',
  '"ip":null',
  '"ip":"a\\"b"',
  '"userAgent":"Mozilla/5.0 (界)"',
  '"userAgent":7',
);
const member = fc.oneof(
  own,
  fc.constantFrom(
    '"t":"cstm"',
    '"tm":1',
    '"u":"u"',
    '"s":"s,{}[]"',
    '"n":"say \\"}\\" \\\\"',
    '"var":{"a":"b","c":"]"}',
  ),
  fc.constantFrom(
    '"e":[{"x":"/div"},{"x":"[1]"}]',
    '"__proto__":{"a":1}',
    '"1":2',
    '"n":1.0',
    '"":""',
    '"a":}',
    '"a"',
    '7',
  ),
  fc.json({ maxDepth: 2 }).map((json) => `"v":${json}`),
);
const line = fc
  .tuple(fc.array(fc.tuple(blank, member, blank), { maxLength: 9 }), blank, fc.constantFrom('', '', '', ',', '}', '{}'))
  .map(([members, behind, odd]) => `${behind}{${members.map((parts) => parts.join('')).join(',')}}${behind}${odd}`);
const likely = line.map((text) => text.replace('{', `{${SENT},`));

describe('a plain line', () => {
  it('is read as the parser reads it', () => {
    const plain = new PlainLine();
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(line, likely), (text) => {
        if (!plain.read(Buffer.from(text))) return;
        taken += 1;
        const target = Buffer.alloc(plain.mostBytes);
        const event = target.toString('utf8', 0, plain.writeTo(target, 0));
        let value: unknown;
        try {
          value = JSON.parse(event);
        } catch {
          assert.throws(() => parseImportLine(lineOf(text)), { code: 'import_invalid' });
          return;
        }
        const { event: parsed, ...facts } = parseImportLine(lineOf(text));
        const { sendTimeMs, pathWord, ip, userAgent } = plain;
        assert.deepEqual({ sendTimeMs, pathWord, ip, userAgent }, facts);
        if (Object.values(value as object).every((each) => typeof each !== 'number')) assert.deepEqual(value, parsed);
      }),
      { numRuns: 3_000 },
    );
    assert.ok(taken > 100, `${taken} lines were plain`);
  });

  it('may have its own keys anywhere, and blanks', () => {
    const plain = new PlainLine();
    const target = Buffer.alloc(1_000);
    for (const text of [
      `{${SENT},"t":"cstm","tm":1}`,
      `{"t":"cstm","tm":1,${SENT}}`,
      ` { "t":"cstm" , "sendTime" : 1795469638313 , "tm":1,"platform":"web" }\r`,
    ]) {
      assert.ok(plain.read(Buffer.from(text)), text);
      assert.equal(target.toString('utf8', 0, plain.writeTo(target, 0)).replaceAll(' ', ''), '{"t":"cstm","tm":1}');
      assert.equal(plain.sendTimeMs, 1_795_469_638_313);
    }
  });
});

describe('a request of an import', () => {
  it('is mapped as its values are, equal events counted', () => {
    const day = { from: hourFromInteger(498_000), until: addHours(hourFromInteger(498_000), 24) };
    const texts = makeSampleDay({ day, visits: 20, seed: 1 });
    const requests = Map.groupBy(texts, (text) => {
      const { pathWord, ip, userAgent } = parseImportLine(lineOf(text));
      return JSON.stringify([pathWord, ip, userAgent]);
    });
    for (const lines of requests.values()) {
      // The same send time for all, so that they are one request.
      const same = lines.map((text) => text.replace(/"sendTime":\d+/, '"sendTime":1795469638313')).slice(0, 200);
      assert.equal(mapLines([...same, ...same]), mapParsed([...same, ...same]));
    }
  });

  it('is mapped as its values are when a line of it is not plain', () => {
    const plain = `{${SENT},"t":"cstm","tm":1,"u":"u","s":"s","d":"shop","n":"event"}`;
    for (const odd of [
      `{"t":"cstm",${SENT.replace('sendTime', 'send\\u0054ime')},"n":"other"}`,
      `{${SENT},"t":"cstm","tm":2,"u":"u","s":"s","n":"\\u0041"}`,
      `{${SENT},"t":"cstm","tm":2,"u":"u","s":"s","n":"n","var":[[1]]}`,
    ])
      assert.equal(mapLines([plain, odd, plain]), mapParsed([plain, odd, plain]));
  });

  it('ends where the client or the send time is another', () => {
    const requests = newRequestMapper();
    requests.read(lineOf(`{${SENT},"t":"cstm"}`));
    requests.add();
    for (const other of [
      `{${SENT},"ip":"192.0.2.1"}`,
      `{${SENT},"userAgent":"x"}`,
      `{${SENT.replace('web', 'ios')}}`,
      `{${SENT.replace('8313', '8314')}}`,
    ]) {
      requests.read(lineOf(other));
      assert.equal(requests.isComplete, true, other);
    }
    requests.read(lineOf(`{"t":"page",${SENT}}`));
    assert.equal(requests.isComplete, false);
  });

  it('names the first line that is wrong, whichever is found first', () => {
    const requests = newRequestMapper();
    requests.read(lineOf(`{${SENT},"t":tru}`, 4)); // plain at first sight
    requests.add();
    assert.throws(() => requests.read(lineOf('{}', 5)), { code: 'import_invalid', message: /^past\.ndjson, line 4: / });
    assert.throws(() => requests.refuse(new Error('later')), { message: /line 4: the text breaks off/ });
    assert.throws(() => requests.map(), { message: /line 4: / });
  });

  it('takes two lines that only together are JSON for what they are', () => {
    const requests = newRequestMapper();
    assert.throws(
      () => {
        requests.read(lineOf(`{${SENT},"t":"cstm","a":1},{"b":2`, 1));
        requests.add();
        requests.map();
      },
      { message: /line 1: / },
    );
  });
});
