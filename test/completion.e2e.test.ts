/**
 * The web SDK of 2018 sends cstm and pvar without a domain: it is found on the page, from memory where the server knows the page
 * when the event comes, and among the pages of the hour after its seal where it does not.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addHours, HOUR_MS, hourOf } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { exportRows, onlyRow, type TableRow } from './helpers/export-rows.ts';
import { sendEvents } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT } from './helpers/test-server.ts';

const HOUR = hourOf(HOUR_START_MS);
const PATH = `/v2/${TEST_PROJECT.ai}/web/pv`;
const TM = 1_795_472_990_000;
type Event = Readonly<Record<string, unknown>>;

const page = (u: string, d: unknown = 'shop.example.test', tm = TM): Event => ({ t: 'page', u, s: 's', tm, d, p: '/' });
const custom = (u: string, tm = TM + 10): Event => ({ t: 'cstm', u, s: 's', tm, ptm: TM, p: '/', n: 'buy' });
const pageVariable = (u: string): Event => ({ t: 'pvar', u, s: 's', tm: TM + 20, ptm: TM, p: '/', var: { a: 'b' } });
const both = (u: string): readonly Event[] => [custom(u), pageVariable(u)];

/** The domains of a visitor's custom event and page variable. */
function domainsOf(
  tables: { custom_event: readonly TableRow[]; pvar: readonly TableRow[] },
  visitUserId: string,
): unknown {
  return [tables.custom_event, tables.pvar].map((rows) => onlyRow(rows, { visitUserId }).domain);
}

const FOUND = ['shop.example.test', 'shop.example.test'];
const NOT_FOUND = [null, null];

test('a missing domain', async (t) => {
  const first = await startTestServer(t);
  const second = await startTestServer(t, { data: first.data, clock: first.clock });

  await sendEvents(first, PATH, [page('page-before')]);
  await sendEvents(first, PATH, both('page-before'));
  await sendEvents(first, PATH, [...both('same-request'), page('same-request')]);
  await sendEvents(first, PATH, both('page-after'));
  await sendEvents(first, PATH, [page('page-after')]);
  await sendEvents(second, PATH, [page('other-server')]);
  await sendEvents(first, PATH, both('other-server'));
  await sendEvents(second, PATH, both('other-server-after'));
  await sendEvents(first, PATH, [page('other-server-after')]);
  await sendEvents(
    second,
    PATH,
    [1, 2, 3].map((number) => custom('three-on-a-page', TM + number)),
  );
  await sendEvents(first, PATH, [page('three-on-a-page')]);
  await sendEvents(first, PATH, both('no-page'));
  // Pages that are not this event's: another time, another session, another visitor.
  await sendEvents(second, PATH, [
    page('no-page', 'wrong', TM + 1),
    { ...page('no-page', 'wrong'), s: 's2' },
    page('no-pag', 'wrong'),
    page('no-pagf', 'wrong'),
  ]);
  await sendEvents(first, PATH, [{ ...custom('no-ptm'), ptm: undefined }, pageVariable('no-ptm')]);
  await sendEvents(first, PATH, [page('page-without-domain', null), ...both('page-without-domain')]);
  await sendEvents(second, PATH, both('page-without-domain-2'));
  await sendEvents(first, PATH, [{ ...page('page-without-domain-2'), d: undefined }]);
  await sendEvents(first, PATH, [page('empty'), { ...custom('empty'), d: '' }, { ...pageVariable('empty'), d: null }]);
  // Texts where numbers belong name the same page.
  await sendEvents(second, PATH, [{ ...custom('digits'), ptm: String(TM) }, pageVariable('digits')]);
  await sendEvents(first, PATH, [{ ...page('digits'), tm: String(TM) }]);
  const tables = await exportRows(first, HOUR);

  const cases: readonly (readonly [u: string, sentence: string, domains: readonly unknown[]])[] = [
    ['page-before', 'is known when the page came before', FOUND],
    ['same-request', 'is known when the page is in the same request, even behind', FOUND],
    ['page-after', 'is found after the seal when the page came later', FOUND],
    ['other-server', 'is found after the seal when another server took the page', FOUND],
    ['other-server-after', 'is found after the seal when another server took the page later', FOUND],
    ['no-page', 'is null when there is no such page', NOT_FOUND],
    ['no-ptm', 'is null when the event names no page', NOT_FOUND],
    ['page-without-domain', 'is null when the page has none', NOT_FOUND],
    ['page-without-domain-2', 'is null when the page found after the seal has none', NOT_FOUND],
    ['empty', 'is not looked for when the event says that it is empty', ['', 'shop.example.test']],
    ['digits', 'is found when times come as texts', FOUND],
  ];
  for (const [u, sentence, domains] of cases) {
    await t.test(sentence, () => assert.deepEqual(domainsOf(tables, u), domains));
  }
  await t.test('is found for every event of a page', () => {
    const rows = tables.custom_event.filter((row) => row.visitUserId === 'three-on-a-page');
    assert.deepEqual(
      rows.map((row) => [row.time, row.domain]),
      [1, 2, 3].map((number) => [String(TM + number), 'shop.example.test']),
    );
  });
  await t.test('costs no row and makes none', () => {
    assert.equal(tables.custom_event.length, cases.length + 3);
    assert.equal(tables.pvar.length, cases.length);
  });
  await t.test('leaves all other columns as they were sent', () => {
    const { pageRequestId } = onlyRow(tables.page, { visitUserId: 'page-after' });
    const [known, found] = ['page-before', 'page-after'].map((visitUserId) => onlyRow(tables.pvar, { visitUserId }));
    assert.equal(found?.pageRequestId, pageRequestId);
    assert.deepEqual(
      { ...found, visitUserId: '', pageRequestId: '' },
      { ...known, visitUserId: '', pageRequestId: '' },
    );
  });
});

const DOMAINS = [
  ['with a comma', 'a,b'],
  ['with quotes', '"shop"'],
  ['with backslashes', 'a\\b\\'],
  ['with line breaks', 'a\r\nb\n'],
  ['with blanks at its ends', ' shop '],
  ['that is empty', ''],
  ['of a hybrid page', 'com.example::m.example.test'],
  ['in Chinese with an emoji', '商店.例子 🍎'],
] as const;

test('a domain', async (t) => {
  const server = await startTestServer(t);
  const other = await startTestServer(t, { data: server.data, clock: server.clock });
  for (const [what, domain] of [...DOMAINS, ['of 150 characters', '🍎'.repeat(150)]] as const) {
    await sendEvents(server, PATH, [page(`known ${what}`, domain), custom(`known ${what}`)]);
    await sendEvents(other, PATH, [custom(`found ${what}`)]);
    await sendEvents(server, PATH, [page(`found ${what}`, domain)]);
  }
  // Fields before the domain in which a comma ends nothing.
  const hostile = 'a","\\",b\\';
  await sendEvents(other, PATH, [custom(hostile)]);
  await sendEvents(server, PATH, [page(hostile, 'a\\"b')]);
  await sendEvents(server, PATH, [page('known number', 127), custom('known number')]);
  await sendEvents(other, PATH, [custom('found number')]);
  await sendEvents(server, PATH, [page('found number', 127)]);
  const { custom_event: rows } = await exportRows(server, HOUR);

  const expected = [...DOMAINS, ['of 150 characters', '🍎'.repeat(100)], ['number', '127']] as const;
  for (const [what, domain] of expected) {
    await t.test(`${what} is the same from memory and from the hour's pages`, () => {
      assert.equal(onlyRow(rows, { visitUserId: `known ${what}` }).domain, domain);
      assert.equal(onlyRow(rows, { visitUserId: `found ${what}` }).domain, domain);
    });
  }
  await t.test('goes into its own place, whatever the fields before it hold', () => {
    assert.equal(onlyRow(rows, { visitUserId: hostile }).domain, 'a\\"b');
  });
});

test('a page of the hour before', async (t) => {
  const server = await startTestServer(t);
  const other = await startTestServer(t, { data: server.data, clock: server.clock });
  await sendEvents(server, PATH, [page('remembered'), page('not remembered')]);
  await exportRows(server, HOUR);
  server.clock.set(HOUR_START_MS + HOUR_MS + 1000);
  await sendEvents(server, PATH, both('remembered'));
  await sendEvents(other, PATH, both('not remembered'));
  const tables = await exportRows(server, addHours(HOUR, 1));
  await t.test('gives its domain while the server remembers it', () => {
    assert.deepEqual(domainsOf(tables, 'remembered'), FOUND);
  });
  await t.test('is not looked for after the seal', () => {
    assert.deepEqual(domainsOf(tables, 'not remembered'), NOT_FOUND);
  });
});

test('rows completed after the seal', async (t) => {
  // Small segments: the pages and their events lie in many runs.
  const changes = { segmentBytes: 16 * 1024 };
  const server = await startTestServer(t, changes);
  const other = await startTestServer(t, { ...changes, data: server.data, clock: server.clock });
  const visitors = Array.from({ length: 40 }, (_, number) => `visitor-${number % 7}-${number}`);
  const times = Array.from({ length: 25 }, (_, number) => TM + number * 1000);
  // Long ids that are cut to the same in their column, each with a page of its own.
  const long = ['a', 'b', 'c'].map((end) => 'long-'.repeat(20) + end);
  for (const u of [...visitors, ...long]) {
    const events = times.map((ptm, place) => ({
      ...custom(u),
      tm: ptm + ((place * 7919) % 5000),
      ptm,
      n: `${u} ${ptm}`,
    }));
    await sendEvents(other, PATH, events.toReversed());
    const known = { ...custom(u), tm: TM + 3333, d: 'known', n: `${u} known` };
    await sendEvents(other, PATH, [known]);
    await sendEvents(
      server,
      PATH,
      times.map((tm) => page(u, `domain of ${u.slice(-9)} at ${tm}`, tm)),
    );
  }
  const { custom_event: rows } = await exportRows(server, HOUR);

  await t.test('are all there, each with the domain of its own page', () => {
    assert.equal(rows.length, (visitors.length + long.length) * (times.length + 1));
    const byName = new Map(rows.map((row) => [row.eventName, row]));
    for (const u of visitors) {
      assert.equal(byName.get(`${u} known`)?.domain, 'known');
      for (const tm of times) assert.equal(byName.get(`${u} ${tm}`)?.domain, `domain of ${u.slice(-9)} at ${tm}`);
    }
    const domains = new Set(rows.filter((row) => row.visitUserId!.startsWith('long')).map((row) => row.domain));
    assert.equal(domains.size, long.length * times.length + 1);
  });

  await t.test('lie among the others in order of visitor, session and their own time', () => {
    const short = rows.filter((row) => !row.visitUserId!.startsWith('long'));
    const keys = short.map((row) => `${row.visitUserId} ${row.sessionId} ${row.time}`);
    assert.deepEqual(keys, keys.toSorted());
    assert.equal(new Set(keys).size > visitors.length * 20, true);
  });
});

test('copies of an event', async (t) => {
  const server = await startTestServer(t);
  const other = await startTestServer(t, { data: server.data, clock: server.clock });
  // The first copy does not know the page, the second does.
  await sendEvents(server, PATH, both('then-known'));
  await sendEvents(server, PATH, [page('then-known'), ...both('then-known')]);
  // The first copy knows the page, the second does not.
  await sendEvents(server, PATH, [page('then-unknown'), ...both('then-unknown')]);
  await sendEvents(other, PATH, both('then-unknown'));
  // Neither does.
  await sendEvents(server, PATH, both('unknown'));
  await sendEvents(other, PATH, both('unknown'));
  await sendEvents(server, PATH, [page('unknown')]);
  const tables = await exportRows(server, HOUR);
  for (const u of ['then-known', 'then-unknown', 'unknown']) {
    await t.test(`are one row with its domain: ${u}`, () => assert.deepEqual(domainsOf(tables, u), FOUND));
  }
});
