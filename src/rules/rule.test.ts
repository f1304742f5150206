import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeRule, parseRule, type RuleInput } from './rule.ts';
import { rule } from './rules.test-helper.ts';

const good: RuleInput = { name: 'Buy', type: 'clck' };

describe('parseRule', () => {
  it('takes every condition, and an index as text', () => {
    const conditions = { domain: 'd', path: '/a/*', query: 'a=1&b', xpath: '*', value: '去购买\n', href: '/next?x=1' };
    assert.deepEqual(parseRule({ ...good, ...conditions, index: '02' }), { ...good, ...conditions, index: 2 });
  });

  it('counts characters, whatever they take in memory', () => {
    const widest = { name: '𠮷'.repeat(100), domain: '🍎'.repeat(100), value: '🍎'.repeat(1_024) };
    assert.deepEqual(parseRule({ ...good, ...widest }).name, widest.name);
    for (const [condition, text] of Object.entries(widest))
      assert.throws(() => parseRule({ ...good, [condition]: `${text}🍎` }), /is longer than/, condition);
  });

  const refused: readonly [input: RuleInput, why: RegExp][] = [
    [{ type: 'clck' }, /its name is missing/],
    [{ ...good, name: ' ' }, /its name is missing/],
    [{ ...good, name: 'a\tb' }, /its name holds a tab, a line break or another control character/],
    [{ ...good, name: 'a\nb' }, /its name holds a tab/],
    [{ ...good, name: 'a\u2028b' }, /its name holds a tab/],
    [{ ...good, name: 'n'.repeat(101) }, /its name is longer than 100/],
    [{ name: 'Buy' }, /its type must be one of page, clck, chng, sbmt/],
    [{ ...good, type: 'imp' }, /its type must be one of/],
    [{ ...good, domain: '' }, /its domain is empty; leave it out/],
    [{ ...good, domain: 'd'.repeat(101) }, /its domain is longer than 100/],
    [{ ...good, path: 'p'.repeat(1_025) }, /its path is longer than 1024/],
    [{ ...good, path: '*a'.repeat(11) }, /its path has more than 10 \*, and would be slow/],
    [{ ...good, xpath: '*'.repeat(11) }, /its xpath has more than 10 \*/],
    [{ ...good, query: '&' }, /its query has not 1 to 10 parts/],
    [{ ...good, query: 'abcdefghijk'.split('').join('&') }, /its query has not 1 to 10 parts/],
    [{ ...good, value: 'a\0' }, /its value holds what no text can hold/],
    [{ ...good, href: '\ud800' }, /its href holds what no text can hold/],
    [{ ...good, value: 5 }, /its value is no text/],
    [{ ...good, index: -1 }, /its index is no whole number/],
    [{ ...good, index: 'x' }, /its index is no whole number/],
    [{ ...good, index: 1.5 }, /its index is no whole number/],
    [{ ...good, type: 'page', xpath: '/a', index: 1 }, /a page has no xpath and no index/],
    [{ ...good, name: '', path: '' }, /its name is missing; its path is empty/],
  ];
  for (const [input, why] of refused) {
    it(`refuses ${JSON.stringify(input).slice(0, 60)}`, () => {
      assert.throws(() => parseRule(input), { code: 'rule_invalid', message: why });
    });
  }
});

describe('describeRule', () => {
  it('leaves out the conditions that a rule does not have', () => {
    assert.deepEqual(describeRule(rule('0000000a', { index: 0, href: '/a' })), {
      ruleId: '0000000a',
      name: 'rule 0000000a',
      type: 'clck',
      index: 0,
      href: '/a',
    });
  });
});
