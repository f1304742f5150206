/**
 * Measures what 5,000 tagging rules cost: an action that is matched, and the mapping of requests with and without rules.
 *
 *   node bench/rule-matching.ts
 *
 * The rules are those of a shop whose people have marked the elements of its pages: most by a whole xpath on one page or on the pages
 * of a kind, some by text, link or place in a list, a few by pieces of an xpath. One action in four fits a rule. An action that is matched alone is a parsed event, whose texts are
 * encoded first; on the tape they are already. Both ways of mapping take turns in every round, and the median is shown.
 */
import type { Mapper } from '../src/events/map-events.ts';
import { TapeMapper } from '../src/events/map-tape.ts';
import { JsonTape } from '../src/wire/json-tape.ts';
import { DEFAULT_WIRE_LIMITS } from '../src/wire/wire-limits.ts';
import { PageDomains } from '../src/events/page-domains.ts';
import { UserAgents } from '../src/events/user-agent.ts';
import { WireActionFields } from '../src/events/action-tags.ts';
import { compileRules, NO_RULES, refuseSlowRules, type RuleSet } from '../src/rules/rule-set.ts';
import type { Rule } from '../src/rules/rule.ts';

const RULES = 5_000;
const ROUNDS = 15;
const REQUESTS = 400;
const EVENTS_PER_REQUEST = 50;
const DOMAINS = ['shop.example.com', 'm.shop.example.com', 'com.example.shop'];
const KINDS = ['item', 'list', 'search', 'cart', 'order', 'account', 'help', 'sale', 'brand', 'city'];

const xpathOf = (place: number): string =>
  `/html/body/div[2]/div#main/section[${place % 9}]/ul/li[${place % 31}]/div/a#element-${place}`;

function buildRules(): readonly Rule[] {
  const none = { domain: null, path: null, query: null, xpath: null, index: null, value: null, href: null };
  return Array.from({ length: RULES }, (_, place): Rule => {
    const domain = DOMAINS[place % 3]!;
    const kind = KINDS[place % 10]!;
    const base = { ...none, ruleId: place.toString(16).padStart(8, '0'), name: `rule ${place}`, domain } as const;
    const type = place % 20 === 0 ? 'chng' : place % 33 === 0 ? 'sbmt' : 'clck';
    const path = place % 3 === 0 ? `/${kind}/${place % 200}` : `/${kind}/*`;
    switch (place % 25) {
      case 20:
        return { ...base, type, path, value: `Text ${place}` };
      case 21:
        return { ...base, type, path: `/${kind}/*`, href: `/${kind}/go/${place}?from=list` };
      case 22:
        return { ...base, type, path, query: `tab=${place % 40}`, xpath: xpathOf(place) };
      case 23:
        return { ...base, type, path, xpath: `*/a#element-${place}` };
      case 24:
        return { ...base, type, path, xpath: `/html/body/div[2]/div#part-${place}/*`, index: place % 5 };
      default:
        return { ...base, type, path, xpath: xpathOf(place) };
    }
  });
}

function buildRequests(): readonly (readonly object[])[] {
  return Array.from({ length: REQUESTS }, (_request, request) =>
    Array.from({ length: EVENTS_PER_REQUEST }, (_event, event) => {
      const number = request * EVENTS_PER_REQUEST + event;
      const place = number % 4 === 0 ? (number * 7) % RULES : RULES + (number % 7_000);
      return {
        t: 'clck',
        u: `3658380c-1a2b-4c3d-8e4f-${String(number % 5_000).padStart(12, '0')}`,
        s: `bfbc6b73-1a2b-4c3d-8e4f-${String(number % 5_000).padStart(12, '0')}`,
        tm: 1_795_469_638_629 + number,
        ptm: 1_795_469_638_313,
        d: DOMAINS[place % 3],
        p: `/${KINDS[place % 10]!}/${place % 200}`,
        q: `cid=7&k=v&tab=${place % 40}`,
        cs1: 'user-9',
        e: [{ h: `/next?x=${number}`, v: '去购买', x: xpathOf(place), idx: place % 31, esid: number }],
      };
    }),
  );
}

function newMapper(rules: RuleSet): Mapper {
  return { pageDomains: new PageDomains(), userAgents: new UserAgents(), onCut: () => undefined, rulesOf: () => rules };
}

/** Reads and maps every body once, as a collector does, and gives the nanoseconds an action, and the rows of action_tag. */
function mapAll(bodies: readonly Buffer[], mapper: Mapper): { nsPerAction: number; tags: number } {
  const tape = new JsonTape();
  const tapeMapper = new TapeMapper(tape, mapper);
  let tags = 0;
  const startMs = performance.now();
  for (const body of bodies) {
    if (!tape.read(body, DEFAULT_WIRE_LIMITS)) throw new Error('a body is not on the tape');
    const { receipts } = tapeMapper.map({ ai: '0123456789abcdef', pathWord: 'web', ip: null, userAgent: null });
    for (const { line, rows } of receipts) if (line === 'action_tag') tags += rows;
  }
  const nsPerAction = ((performance.now() - startMs) * 1e6) / (REQUESTS * EVENTS_PER_REQUEST);
  return { nsPerAction, tags };
}

function matchAll(requests: readonly (readonly object[])[], rules: RuleSet): number {
  const actions = requests.flat().map((event) => {
    const { e } = event as { readonly e: readonly [Record<string, unknown>] };
    return new WireActionFields(event as Record<string, unknown>).of(e[0]);
  });
  const startMs = performance.now();
  let found = 0;
  for (const action of actions) found += rules.match(action).length;
  if (found === 0) throw new Error('no action fits a rule');
  return ((performance.now() - startMs) * 1e6) / actions.length;
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

const rules = buildRules();
refuseSlowRules(rules);
const compileStartMs = performance.now();
const compiled = compileRules(rules);
console.log(`compiling ${RULES} rules: ${(performance.now() - compileStartMs).toFixed(1)} ms`);
const requests = buildRequests();
const bodies = requests.map((events) => Buffer.from(JSON.stringify(events)));
const results = { none: [] as number[], all: [] as number[], match: [] as number[] };
let tags = 0;
for (let round = 0; round < ROUNDS; round += 1) {
  results.none.push(mapAll(bodies, newMapper(NO_RULES)).nsPerAction);
  const withRules = mapAll(bodies, newMapper(compiled));
  results.all.push(withRules.nsPerAction);
  tags = withRules.tags;
  results.match.push(matchAll(requests, compiled));
}
const [none, all, match] = [median(results.none), median(results.all), median(results.match)];
console.log(`tags: ${((100 * tags) / (REQUESTS * EVENTS_PER_REQUEST)).toFixed(1)} of 100 actions`);
console.log(`matching: ${match.toFixed(0)} ns an action`);
console.log(`mapping without rules: ${none.toFixed(0)} ns an action, with ${RULES}: ${all.toFixed(0)} ns`);
console.log(`share of the mapping: ${(100 * (all / none - 1)).toFixed(1)} % more`);
