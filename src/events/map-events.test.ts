/** What the mapping gives the store beside the lines; the exported columns are tested end to end (test/platforms-*.e2e.test.ts). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cpuMs } from '../../test/helpers/cpu-time.ts';
import { ROW_FLAGS, type EventBatch } from './event-row.ts';
import { mapEvents, type MapRequest, type Mapper } from './map-events.ts';
import { PageDomains } from './page-domains.ts';
import { FIELD_WIDTHS } from '../rules/action-fields.ts';
import { compileRules, NO_RULES } from '../rules/rule-set.ts';
import { rule } from '../rules/rules.test-helper.ts';
import { widthOf } from './row-encoder.ts';
import { UserAgents } from './user-agent.ts';

const page = { t: 'page', u: 'u', s: 's', tm: 1000, d: 'shop' };
const custom = { t: 'cstm', u: 'u', s: 's', tm: 2000, ptm: 1000, n: 'buy' };
const click = { t: 'clck', u: 'u', s: 's', tm: 3000, ptm: 1000, q: 'a=b', e: [{ x: '/a', tm: 2500 }, {}] };

function newMapper(cuts: string[] = []): Mapper {
  return {
    pageDomains: new PageDomains(),
    userAgents: new UserAgents(),
    rulesOf: () => NO_RULES,
    onCut: (dataType, column) => cuts.push(`${dataType}.${column}`),
  };
}

function map(
  elements: readonly unknown[],
  { mapper = newMapper(), ...changes }: Partial<MapRequest> & { mapper?: Mapper } = {},
): EventBatch {
  const request = { ai: 'ai', pathWord: 'web', elements, oversize: new Map(), ip: null, userAgent: null, ...changes };
  return mapEvents(request, mapper);
}

describe('mapEvents', () => {
  it('counts what came in by ledger line, apart from what becomes of it', () => {
    const events = [page, page, click, { ...click, e: [] }, { t: 'imp' }, { t: 'new' }, { t: 'newer' }, 5, null, {}];
    const { receipts, rejections } = map(events);
    assert.deepEqual(
      receipts.map(({ line, received, ignored, rows }) => [line, received, ignored, rows]),
      [
        ['page', 2, 0, 2],
        ['action', 2, 0, 2],
        ['imp', 1, 1, 0],
        ['other', 2, 2, 0],
        ['unknown', 3, 0, 0],
      ],
    );
    assert.equal(rejections.length, 4);
  });

  it('takes elem for the elements of an action that has no e, and for no other', () => {
    const { e: elements, ...bare } = click;
    const { rows, rejections } = map([
      { ...bare, elem: elements },
      { ...bare, e: null, elem: elements },
      { ...click, elem: [{}, {}, {}] },
      { ...bare, e: [], elem: elements },
    ]);
    assert.equal(rows.filter(({ kind }) => kind === 'action').length, 6);
    assert.deepEqual(rejections, ['e (the elements of an action) is missing or empty']);
  });

  it('marks the first row of each event, so that events can be counted again', () => {
    const { rows } = map([click, page, {}]);
    assert.deepEqual(
      rows.map(({ kind, flags }) => [kind, (flags & ROW_FLAGS.firstOfEvent) !== 0]),
      [
        ['action', true],
        ['action', false],
        ['page', true],
        ['rejected', true],
      ],
    );
  });

  it('adds a row for each rule that an element fits, counted apart and the first of no event', () => {
    const rules = compileRules([rule('0000000a', { xpath: '/a' }), rule('0000000b', { query: 'a=b' })]);
    const mapper = { ...newMapper(), rulesOf: (ai: string) => (ai === 'ai' ? rules : NO_RULES) };
    const { rows, receipts } = map([click, page], { mapper });
    const actions = rows.filter(({ kind }) => kind === 'action');
    const tags = rows.filter(({ kind }) => kind === 'action_tag');
    const idOf = ({ lineTail }: { readonly lineTail: string }): string => lineTail.split(',').at(-1)!.trimEnd();
    assert.deepEqual(
      tags.map(({ lineHead, lineTail }) => lineHead + lineTail),
      [`,${idOf(actions[0]!)},0000000a\n`, `,${idOf(actions[0]!)},0000000b\n`, `,${idOf(actions[1]!)},0000000b\n`],
    );
    assert.deepEqual(
      tags.map(({ timeMs, flags, visitor, session, extras }) => [timeMs, flags, visitor, session, extras]),
      [2500, 2500, 3000].map((timeMs) => [timeMs, 0, '', '', { u: 'u' }]),
    );
    assert.equal(new Set(tags.map(({ rowId }) => rowId.toString('hex'))).size, 3);
    assert.deepEqual(map([click], { mapper }).rows[1]!.rowId, tags[0]!.rowId);
    assert.deepEqual(
      receipts.map(({ line, received, rows: made }) => [line, received, made]),
      [
        ['action', 1, 2],
        ['page', 1, 1],
        ['action_tag', 0, 3],
      ],
    );
  });

  it('looks at values as far as they are stored', () => {
    const long = 'v'.repeat(2_000);
    const rules = compileRules([rule('0000000a', { value: long.slice(0, 1_024) })]);
    const { rows } = map([{ ...click, e: [{ v: long }] }], { mapper: { ...newMapper(), rulesOf: () => rules } });
    assert.deepEqual(
      rows.map(({ kind }) => kind),
      ['action', 'action_tag'],
    );
    for (const [condition, column] of Object.entries({
      domain: 'domain',
      path: 'page',
      value: 'requestValue',
      href: 'href',
    }))
      assert.equal(FIELD_WIDTHS[condition as 'path'], widthOf('action', column));
  });

  it('refuses a request whose tags make too many rows', () => {
    const rules = compileRules(
      Array.from({ length: 100 }, (_, place) => rule(`000000${String(place + 10).padStart(2, '0')}`)),
    );
    const clicks = Array.from({ length: 200 }, () => ({ ...click, e: Array.from({ length: 10 }, () => ({})) }));
    assert.throws(() => map(clicks, { mapper: { ...newMapper(), rulesOf: () => rules } }), { code: 'too_large' });
  });

  it('keeps xpath and query of an action, and oaid of an activation, which are not exported', () => {
    const activation = { t: 'activate', u: 'u', tm: 1, oaid: 'oaid-1', gaid: 'gaid-1' };
    const { rows } = map([click, activation, page]);
    assert.deepEqual(
      rows.map(({ extras }) => extras),
      [{ q: 'a=b', x: '/a' }, { q: 'a=b' }, { oaid: 'oaid-1' }, {}],
    );
  });

  it('bounds what is kept beside a row', () => {
    const { rows } = map([{ ...click, q: '苹'.repeat(6000), e: [{ x: 'x'.repeat(6000) }] }]);
    assert.deepEqual([rows[0]!.extras.q?.length, rows[0]!.extras.x?.length], [5000, 5000]);
  });

  it('lays a row whose domain is missing beside its page, with what completes it', () => {
    const { rows } = map([custom, { ...custom, d: 'known' }, { ...custom, ptm: undefined }]);
    assert.deepEqual(
      rows.map(({ flags, timeMs }) => [(flags & ROW_FLAGS.incomplete) !== 0, timeMs]),
      [
        [true, 1000],
        [false, 2000],
        [false, 2000],
      ],
    );
    assert.match(rows[0]!.extras.pid!, /^0000000001000[0-9a-f]{10}$/);
    assert.equal(rows[0]!.extras.tm, '2000');
    assert.deepEqual(rows[1]!.extras, {});
  });

  it('knows the domain of a page of the same request, whatever the order, and of one before', () => {
    const mapper = newMapper();
    for (const elements of [[custom, page], [custom]]) {
      const { rows } = map(elements, { mapper });
      assert.equal(rows[0]!.flags & ROW_FLAGS.incomplete, 0);
      assert.match(rows[0]!.lineTail, /,shop,/);
    }
    assert.equal(map([custom], { mapper, ai: 'other' }).rows[0]!.flags & ROW_FLAGS.incomplete, ROW_FLAGS.incomplete);
  });

  it('cuts sort keys, and keeps apart and together what it must', () => {
    const long = (end: string): unknown => ({ ...page, u: 'u'.repeat(64) + end, s: 's'.repeat(50) + end });
    const [one, same, other] = map([long('a'), long('a'), long('b')]).rows;
    assert.deepEqual([one!.visitor, one!.session], [same!.visitor, same!.session]);
    assert.notEqual(one!.visitor, other!.visitor);
    assert.ok(one!.visitor.startsWith('u'.repeat(64)) && one!.visitor.length < 100);
  });

  it('tells each column whose value was cut or could not be read, once for each row', () => {
    const cuts: string[] = [];
    const event = { ...custom, d: 'd'.repeat(101), num: 'many', var: { k: 'x'.repeat(1001), l: 'x'.repeat(1001) } };
    map([event, { ...page, tl: '🍎'.repeat(1025), var: 5 }, click], { mapper: newMapper(cuts) });
    assert.deepEqual(cuts.sort(), [
      'custom_event.domain',
      'custom_event.eventNumber',
      'custom_event.eventVariable',
      'page.appVariable',
      'page.title',
    ]);
  });

  it('never cuts an address', () => {
    const ip = '2001:db8:1111:2222:3333:4444:5555:6666';
    const cuts: string[] = [];
    const { rows } = map([{ t: 'vst', u: 'u', tm: 1 }], { ip, mapper: newMapper(cuts) });
    assert.ok(rows[0]!.lineTail.includes(`,${ip},`));
    assert.deepEqual(cuts, []);
  });

  it('reads the outer values of an event once, however many elements it has', () => {
    const long = 'u'.repeat(300_000);
    const elements = Array.from({ length: 5_000 }, () => ({}));
    const startedMs = cpuMs();
    const { rows } = map([{ ...click, u: long, s: long, p: long, q: long, e: elements }]);
    const tookMs = cpuMs() - startedMs;
    assert.equal(rows.length, 5_000);
    assert.ok(tookMs < 3_000, `took ${Math.round(tookMs)} ms`); // once for each row it takes half a minute
  });

  it('refuses lines that would not fit into one batch before it has made them all', () => {
    const elements = Array.from({ length: 5_000 }, () => ({}));
    const events = Array.from({ length: 20 }, (_, tm) => ({ ...click, tm, p: '"'.repeat(1_024), e: elements }));
    assert.throws(() => map(events), { code: 'too_large', message: /characters/ });
  });

  it('refuses a request that would make more rows than one may, before it makes any', () => {
    const e = Array.from({ length: 5000 }, () => ({}));
    const clicks = Array.from({ length: 20 }, () => ({ ...click, e }));
    assert.equal(map(clicks).rows.length, 100_000);
    assert.throws(() => map([...clicks, { ...click, e: [{}] }]), { code: 'too_large', message: /100001 rows/ });
    // What is ignored or rejected makes none.
    map([...clicks, { ...click, t: 'imp' }, { ...click, e: Array.from({ length: 5001 }, () => ({})) }]);
  });
});
