/**
 * Anything that an SDK may send, in every coding and to every path, against a model of what the documents say of its rows: every column of
 * every row, the joins, and that a batch sent again, its JSON written otherwise, makes no further row.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import lzString from 'lz-string';
import snappy from 'snappyjs';
import { hourOf } from '../src/events/hour.ts';
import { encodeLz4Block, xorBody } from './data/wire-encoders.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { exportRows, type TableRow, type Tables } from './helpers/export-rows.ts';
import {
  keysOf,
  modelRows,
  readInteger,
  sortedMap,
  TYPES,
  WireNumber,
  type ModelledRow,
  type WireEvent,
} from './helpers/mapping-model.ts';
import { send } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';

const AI = TEST_PROJECT.ai;
const HOUR = hourOf(HOUR_START_MS);
const FIRST_TM = 1_795_472_000_000;
const FACTS = {
  ip: '127.0.0.1',
  userAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0',
  system: 'Windows',
  systemAndVersion: 'Windows 10',
  sendTime: String(HOUR_START_MS + 600_000),
};

const PATHS: readonly (readonly [path: string, platform: string])[] = [
  [`/v3/${AI}/web/pv`, 'Web'],
  [`/v2/${AI}/web/action`, 'Web'],
  [`/custom/${AI}/wap/events`, 'Web'],
  [`/v3/${AI}/android/cstm`, 'Android'],
  [`/v3/${AI}/ios/other`, 'iOS'],
  [`/v3/${AI}/harmonyos/pv`, 'HarmonyOS'],
  [`/v3/${AI}/minp/pv`, 'MinP'],
  [`/projects/${AI}/apps/wx01/collect`, 'MinP'],
];

type Request = { readonly body: Uint8Array; readonly headers?: Readonly<Record<string, string>> };
const STM = 1_795_473_000_123;
const SNAPPY = { 'X-Compress-Codec': '2' };
const LZ4 = { 'X-Compress-Codec': '3' };
const XOR = { 'X-Crypt-Codec': '1' };
/** How SDKs pack a body. */
const CODINGS: Readonly<Record<'web' | 'app', readonly ((json: Buffer) => Request)[]>> = {
  web: [
    (json) => ({ body: json }),
    (json) => ({ body: lzString.compressToUint8Array(json.toString()) }),
    (json) => ({ body: Buffer.from(lzString.compressToUTF16(json.toString())) }),
    (json) => ({ body: Buffer.from(lzString.compressToBase64(json.toString())) }),
    (json) => ({ body: Buffer.from(json.toString('base64')) }),
  ],
  app: [
    (json) => ({ body: json }),
    (json) => ({ body: json, headers: { ...SNAPPY, ...XOR } }), // Android in debug mode
    (json) => ({ body: xorBody(Buffer.from(snappy.compress(json)), STM), headers: { ...SNAPPY, ...XOR } }),
    (json) => ({ body: Buffer.from(snappy.compress(json)), headers: SNAPPY }),
    (json) => ({ body: xorBody(encodeLz4Block(json), STM), headers: { ...LZ4, ...XOR } }),
    (json) => ({ body: xorBody(json, STM), headers: XOR }),
  ],
};

const text = fc.constantFrom(
  'a', '/p/1', 'a,b', 'q"uote', 'back\\slash', ' lead', 'trail ', 'new\nline', 'cr\r\nlf', '苹果', '🍎 x', '\u0001', '\u2028', '\ufeffbom', '', 'null', '0', '{"a":1}',
  'x'.repeat(300), '中'.repeat(1100), '🍎'.repeat(120),
); // prettier-ignore
const number = fc
  .constantFrom('0', '-1', '5', '50.0', '1.25', '9007199254740993', '1.0E10', '1e-7', '39.904200000000003', '-0.5')
  .map((digits) => new WireNumber(digits));
const other = fc.constantFrom(true, false, null, ['a', 'b'], { k: 'v' });
const value = fc.oneof({ weight: 8, arbitrary: text }, { weight: 2, arbitrary: number }, other);
const variables = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.dictionary(fc.constantFrom('price', '名', 'k"q', 'item id', 'tm', '10', 'long'.repeat(20)), value),
  },
  fc.constantFrom(null, [], 'text', new WireNumber('5')),
);
const time = (name: string): fc.Arbitrary<unknown> => fc.constantFrom(name, `"${name}"`, `${name}.0`);
const element = fc.record(
  { x: text, v: value, h: value, idx: fc.oneof(number, fc.constantFrom('4', 'x', '')), obj: value, tm: time('own') },
  { requiredKeys: [] },
);
const bare = fc.record(
  {
    t: fc.constantFrom(...Object.keys(TYPES), 'page', 'clck', 'imp', 'ppl'),
    b: fc.constantFrom('alip', '', null),
    tm: time('own'),
    ptm: time('page'),
    n: fc.constantFrom('buy', '购'.repeat(60)),
    var: variables,
    e: fc.array(element, { minLength: 1, maxLength: 3 }),
    esid: number,
  },
  { requiredKeys: ['t', 'tm', 'n', 'e'] },
);
const filled = fc.tuple(bare, fc.array(fc.tuple(fc.nat(), value), { maxLength: 20 })).map(([event, values]) => {
  const dataType = TYPES[event.t] ?? 'page';
  const keys = keysOf(dataType).filter((key) => !['u', 's', 't', 'tm', 'ptm', 'n', 'var'].includes(key));
  const more = values.map(([place, each]): [string, unknown] => [keys[place % Math.max(keys.length, 1)] ?? 'zz', each]);
  return { ...Object.fromEntries(more), ...event };
});
const request = fc.record({
  place: fc.nat(),
  coding: fc.nat(),
  codingAgain: fc.nat(),
  visitor: fc.nat(79),
  events: fc.array(filled, { minLength: 1, maxLength: 8 }),
  isAscii: fc.boolean(),
  isChunked: fc.boolean(),
});

/** An event with its own time and that of a page of its visitor, in the way it is to write them. */
function withTimes(event: WireEvent, ownMs: number, pageMs: number): WireEvent {
  const put = (written: unknown, ms: number): unknown => {
    const digits = String(written).replace(/own|page/, String(ms));
    return digits.startsWith('"') ? digits.slice(1, -1) : new WireNumber(digits);
  };
  const elements = (event.e as readonly WireEvent[]).map((each, place) =>
    each.tm === undefined ? each : { ...each, tm: put(each.tm, ownMs + 1 + place) },
  );
  return {
    ...event,
    tm: put(event.tm, ownMs),
    e: elements,
    ...(event.ptm === undefined ? {} : { ptm: put(event.ptm, pageMs) }),
  };
}

/** Writes JSON; `isOther` writes the same otherwise: keys from the last to the first, all but ASCII escaped, slashes too, blanks between. */
function writeJson(json: unknown, isOther: boolean): string {
  if (json instanceof WireNumber) return json.text;
  const blank = isOther ? ' \n' : '';
  if (Array.isArray(json)) return `[${blank}${json.map((each) => writeJson(each, isOther)).join(`,${blank}`)}]`;
  if (typeof json === 'object' && json !== null) {
    const entries = Object.entries(json).map(
      ([key, each]) => `${writeJson(key, isOther)}:${blank}${writeJson(each, isOther)}`,
    );
    return `{${(isOther ? entries.reverse() : entries).join(`,${blank}`)}${blank}}`;
  }
  const written = JSON.stringify(json);
  if (!isOther) return written;
  const escape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return written.replace(/[\u007f-\uffff]/g, escape).replaceAll('/', '\\/');
}

/** Sends a batch twice, the second time written and packed otherwise, and adds the rows it is to make. */
async function sendBatch(
  server: TestServer,
  sent: typeof request extends fc.Arbitrary<infer T> ? T : never,
  events: readonly WireEvent[],
): Promise<void> {
  const [path, platform] = PATHS[sent.place % PATHS.length]!;
  const codings = CODINGS[platform === 'Web' ? 'web' : 'app'];
  for (const [coding, isOther] of [
    [sent.coding, sent.isAscii],
    [sent.codingAgain, !sent.isAscii],
  ] as const) {
    const { body, headers } = codings[coding % codings.length]!(Buffer.from(writeJson(events, isOther)));
    const answer = await send(server, {
      path: `${path}?stm=${STM}`,
      body,
      headers: { 'User-Agent': FACTS.userAgent, ...headers },
      isChunked: sent.isChunked,
    });
    assert.equal(answer.status, 200, answer.text);
    assert.equal((JSON.parse(answer.text) as { rejected: number }).rejected, 0, answer.text);
  }
}

type Visitor = { readonly u: string; readonly s?: string };
const keyOf = ({ u, s }: Visitor, timeMs: string | null): string => `${u}|${s ?? ''}|${timeMs}`;

/** A row as it can be compared: instead of its ids the page that it is on. */
function comparable(row: TableRow, onPage: string | null): string {
  const { pageRequestId: _page, vstRequestId: _visit, actionRequestId: _action, ...columns } = row;
  return JSON.stringify({ ...columns, onPage });
}

function withSortedMap(row: TableRow): TableRow {
  const maps = Object.entries(row).filter(([column, each]) => column.endsWith('Variable') && each !== null);
  return { ...row, ...Object.fromEntries(maps.map(([column, each]) => [column, sortedMap(JSON.parse(each!) as object as Record<string, unknown>)])) }; // prettier-ignore
}

test('whatever is sent in whatever way comes out as the documents say, once', async (t) => {
  const server = await startTestServer(t);
  const modelled: (ModelledRow & { readonly page: string | null })[] = [];
  const pageDomains = new Map<string, unknown>();
  const later: (() => void)[] = [];
  const hasVisit = new Set<number>();
  let clockMs = FIRST_TM;
  for (const sent of fc.sample(request, { seed: 20_261_127, numRuns: 200 })) {
    const visitor = {
      u: `visitor ${sent.visitor}`,
      ...(sent.visitor % 3 === 0 ? {} : { s: `session "${sent.visitor}"` }),
    };
    const pageMs = clockMs + 1;
    const events = sent.events
      .filter(({ t: type }) => type !== 'vst' || (!hasVisit.has(sent.visitor) && hasVisit.add(sent.visitor)))
      .map((event) => withTimes({ ...event, ...visitor }, (clockMs += 10), pageMs + 9));
    await sendBatch(server, sent, events);
    const [, platform] = PATHS[sent.place % PATHS.length]!;
    for (const event of events) {
      if (event.t === 'page') pageDomains.set(keyOf(visitor, readInteger(event.tm)), event.d);
      later.push(() => {
        const facts = { ...FACTS, platform, isWeb: platform === 'Web' };
        for (const row of modelRows(event, facts, (pageTime) => pageDomains.get(keyOf(visitor, pageTime)))) {
          const pageTime = row.dataType === 'page' ? row.row.time! : row.pageTime;
          const isOnPage = pageTime !== null && 'pageRequestId' in row.row;
          modelled.push({ ...row, page: isOnPage ? keyOf(visitor, pageTime) : null });
        }
      });
    }
  }
  for (const add of later) add(); // a page may come after what is on it
  const tables = await exportRows(server, HOUR);
  const pages = pagesById(tables);
  for (const dataType of new Set(Object.values(TYPES))) {
    await t.test(`rows of ${dataType}`, () => {
      const expected = modelled.filter((row) => row.dataType === dataType);
      assert.ok(expected.length > 40, `${expected.length} rows`);
      assert.deepEqual(
        tables[dataType].map((row) => comparable(withSortedMap(row), pageOf(row, pages))).sort(),
        expected.map(({ row, page }) => comparable(row, nameOf(page, pages))).sort(),
      );
    });
  }
});

type Pages = { readonly byId: ReadonlyMap<string, string>; readonly keys: ReadonlySet<string> };

/** Names the pages by visitor, session and time, and checks that ids and names belong together, those of visits too. */
function pagesById({ page, visit }: Tables): Pages {
  const byId = new Map(
    page.map((row) => [row.pageRequestId!, `${row.visitUserId}|${row.sessionId ?? ''}|${row.time}`]),
  );
  assert.equal(byId.size, page.length);
  const visits = new Map<string, string>();
  for (const row of [...page, ...visit]) {
    const session = `${row.visitUserId}|${row.sessionId ?? ''}`;
    assert.equal(visits.get(session) ?? row.vstRequestId, row.vstRequestId);
    visits.set(session, row.vstRequestId!);
  }
  assert.equal(new Set(visits.values()).size, visits.size);
  return { byId, keys: new Set(byId.values()) };
}

/** The page that a row's id leads to; one that was not sent by its time alone. */
function pageOf({ pageRequestId }: TableRow, { byId }: Pages): string | null {
  return typeof pageRequestId === 'string'
    ? (byId.get(pageRequestId) ?? `no page, ${pageRequestId.slice(0, 13)}`)
    : null;
}

function nameOf(page: string | null, { keys }: Pages): string | null {
  return page === null || keys.has(page) ? page : `no page, ${page.split('|')[2]!}`;
}
