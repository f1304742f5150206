import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CONDITION_NAMES } from './action-fields.ts';
import { compileRule } from './compiled-rule.ts';
import { compileRules, MAX_TAGS_PER_ACTION, NO_RULES, refuseSlowRules } from './rule-set.ts';
import type { RuleDraft } from './rule.ts';
import { action, rule } from './rules.test-helper.ts';

const buy = { domain: 'shop.example.com', path: '/prod/1', query: 'cid=7&k=v', xpath: '/div/a#buy', value: 'Buy' };
const ids = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, place) => place.toString(16).padStart(8, '0'));

describe('compileRules', () => {
  const cases: readonly [what: string, conditions: Partial<RuleDraft>, fits: boolean][] = [
    ['no condition', {}, true],
    ['another type', { type: 'chng' }, false],
    ['a page', { type: 'page', domain: 'shop.example.com' }, false],
    ['the domain', { domain: 'shop.example.com' }, true],
    ['a part of the domain', { domain: 'example.com' }, false],
    ['the path', { path: '/prod/1' }, true],
    ['the beginning of the path', { path: '/prod' }, false],
    ['the path with a star', { path: '/prod/*' }, true],
    ['another path with a star', { path: '/cart/*' }, false],
    ['one part of the query', { query: 'cid=7' }, true],
    ['the parts of the query in another order', { query: 'k=v&cid=7' }, true],
    ['a piece of a part of the query', { query: 'cid' }, false],
    ['a part and one that is not there', { query: 'cid=7&x=1' }, false],
    ['the xpath', { xpath: '/div/a#buy' }, true],
    ['the xpath with a star', { xpath: '*#buy' }, true],
    ['the xpath with stars inside', { xpath: '/d*v/*#*uy' }, true],
    ['the index', { index: 2 }, true],
    ['another index', { index: 1 }, false],
    ['the value', { value: 'Buy' }, true],
    ['a value with other letters', { value: 'buy' }, false],
    ['a star in a value, which is a star', { value: 'B*' }, false],
    ['a link, where there is none', { href: '/next' }, false],
    ['all of it', { ...buy, index: 2 }, true],
    ['all of it but one', { ...buy, index: 3 }, false],
  ];
  for (const [what, conditions, fits] of cases) {
    it(`${fits ? 'finds' : 'does not find'} a rule with ${what}`, () => {
      const found = compileRules([rule('0000000a', conditions)]).match(action({ ...buy, index: 2 }));
      assert.deepEqual(found, fits ? ['0000000a'] : []);
    });
  }

  it('finds what comparing every rule finds, whatever the rules have in common', () => {
    const text = fc.constantFrom('a', 'b', 'ab', 'aba', '苹', '苹a', 'a苺');
    const pattern = fc.oneof(text, fc.constantFrom('*', 'a*', '*a', 'a*a', '*b*', 'ab*', '*ba', '苹*', '*苺', '*苹*'));
    const parts = fc.constantFrom('a=1', 'b=2', 'a=1&b=2', 'c=3');
    const condition = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { freq: 2, nil: null });
    const draft = fc.record({
      type: fc.constantFrom('clck' as const, 'chng' as const),
      domain: condition(text),
      path: condition(pattern),
      query: condition(parts),
      xpath: condition(pattern),
      index: condition(fc.constantFrom(1, 2)),
      value: condition(text),
      href: condition(text),
    });
    const sent = fc.record(
      {
        type: fc.constantFrom('clck', 'chng', 'sbmt'),
        domain: text,
        path: text,
        query: fc.constantFrom('a=1', 'a=1&b=2', 'a=1&a=1', ''),
        xpath: text,
        index: fc.constantFrom(1, 2, 3),
        value: text,
        href: text,
      },
      { requiredKeys: ['type'] },
    );
    fc.assert(
      fc.property(
        fc.array(draft, { maxLength: 80 }),
        fc.array(sent, { minLength: 1, maxLength: 10 }),
        (drafts, actions) => {
          const rules = drafts.map((conditions, place) => rule(ids(80)[place]!, conditions));
          const set = compileRules(rules);
          for (const values of actions) {
            const expected = rules.filter(
              (each, order) => each.type === values.type && compileRule(each, order).fits(action(values)),
            );
            assert.deepEqual(
              set.match(action(values)).toSorted(),
              expected.map(({ ruleId }) => ruleId),
            );
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('finds one rule among five thousand by comparing a few', () => {
    const rules = ids(5_000).map((ruleId, place) =>
      rule(ruleId, { domain: 'shop.example.com', path: `/list/${place % 50}/*`, xpath: `/div/a#${place >> 1}` }),
    );
    const asked = action({ domain: 'shop.example.com', path: '/list/8/x', xpath: '/div/a#1004' });
    assert.deepEqual(compileRules(rules).match(asked), [ids(5_000)[2_008]]);
    const total = [...asked.asked.values()].reduce((sum, count) => sum + count, 0);
    assert.ok(total < 20, `${total} values were asked for`);
  });

  it('asks for nothing that no rule has a condition on', () => {
    const set = compileRules([rule('0000000a', { xpath: '/a' }), rule('0000000b', { type: 'page', domain: 'd' })]);
    const asked = action({ ...buy, xpath: '/a' });
    assert.deepEqual(set.match(asked), ['0000000a']);
    assert.deepEqual([...asked.asked.keys()], ['xpath']);
    assert.deepEqual([...set.needs], ['xpath']);
  });

  it('is the empty set for rules that tag nothing', () => {
    assert.equal(compileRules([]), NO_RULES);
    assert.equal(compileRules([rule('0000000a', { type: 'page' })]), NO_RULES);
    assert.equal(NO_RULES.isEmpty, true);
  });

  it(`gives an action the ${MAX_TAGS_PER_ACTION} oldest rules of those that fit`, () => {
    const set = compileRules(ids(150).map((ruleId) => rule(ruleId, { xpath: '/a' })));
    assert.deepEqual(set.match(action({ xpath: '/a' })), ids(MAX_TAGS_PER_ACTION));
  });
});

describe('refuseSlowRules', () => {
  const refusal = { code: 'rule_limit', message: /Too many rules of type clck would have to be tried/ };
  it('refuses rules that would have to be tried one by one', () => {
    assert.throws(
      () => refuseSlowRules(ids(101).map((ruleId, place) => rule(ruleId, { xpath: `*a${place}*` }))),
      refusal,
    );
    assert.throws(() => refuseSlowRules(ids(1_001).map((ruleId) => rule(ruleId, { xpath: '/a' }))), refusal);
    const nested = ids(1_001).map((ruleId, place) => rule(ruleId, { path: `${'a'.repeat(place + 1)}*` }));
    assert.throws(() => refuseSlowRules(nested), refusal);
  });

  it('takes ten thousand that can be told apart, by any condition', () => {
    for (const condition of CONDITION_NAMES) {
      const rules = ids(10_000).map((ruleId, place) =>
        rule(ruleId, { domain: 'd', [condition]: condition === 'index' ? place : `v=${place}` }),
      );
      refuseSlowRules(rules);
    }
    refuseSlowRules(ids(10_000).map((ruleId, place) => rule(ruleId, { xpath: `*/a#${place}-`, path: '/p/*' })));
    refuseSlowRules(ids(10_000).map((ruleId, place) => rule(ruleId, { xpath: `/a-${place}-*`, path: '/p/*' })));
  });
});
