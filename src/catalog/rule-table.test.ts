import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { action, rule } from '../rules/rules.test-helper.ts';
import type { RuleDraft } from '../rules/rule.ts';
import { openWithProject } from './catalog.test-helper.ts';
import { openCatalog } from './open-catalog.ts';
import { atEnd } from '../../test/helpers/at-end.ts';

const draftOf = (changes: Partial<RuleDraft>): RuleDraft => {
  const { ruleId: _ruleId, ...draft } = rule('', changes);
  return draft;
};

describe('the rule table', () => {
  it('gives a rule of another process as soon as the project has been asked for', async (t) => {
    const { catalog, ai, path } = await openWithProject(t);
    const other = await openCatalog({ path });
    atEnd(t, () => other.close());
    const matched = (): readonly string[] => {
      assert.ok(catalog.projects.findByAi(ai));
      return catalog.rules.rulesOf(ai).match(action({ xpath: '/a' }));
    };
    assert.deepEqual(matched(), []);
    const { ruleId } = await other.rules.create(ai, draftOf({ xpath: '/a' }));
    assert.deepEqual(matched(), [ruleId]);
    await other.rules.replace(ai, ruleId, draftOf({ xpath: '/b' }));
    assert.deepEqual(matched(), []);
    const second = await other.rules.create(ai, draftOf({ xpath: '/a' }));
    assert.deepEqual(matched(), [second.ruleId]);
    await other.rules.delete(ai, second.ruleId);
    assert.deepEqual(matched(), []);
  });

  it('imports all or nothing, and replaces the rules whose ids it has', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.rules.import(ai, [{ ...draftOf({ name: 'old' }), ruleId: '0000000a' }, draftOf({ name: 'other' })]);
    const slow = Array.from({ length: 101 }, (_, place) => draftOf({ xpath: `*${place}*` }));
    await assert.rejects(catalog.rules.import(ai, [{ ...draftOf({ name: 'new' }), ruleId: '0000000a' }, ...slow]), {
      code: 'rule_limit',
    });
    const names = async (): Promise<readonly string[]> => (await catalog.rules.list(ai)).map(({ name }) => name);
    assert.deepEqual(await names(), ['old', 'other']);
    await catalog.rules.import(ai, [{ ...draftOf({ name: 'new' }), ruleId: '0000000a' }]);
    assert.deepEqual(await names(), ['new', 'other']);
  });

  it('refuses more rules than a project may have, and a project that is not there', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const many = Array.from({ length: 10_001 }, (_, place) => draftOf({ xpath: `/a#${place}` }));
    await assert.rejects(catalog.rules.import(ai, many), {
      code: 'rule_limit',
      message: /10000 rules; these would be 10001/,
    });
    await catalog.rules.import(ai, many.slice(1));
    await assert.rejects(catalog.rules.create(ai, many[0]!), { code: 'rule_limit' });
    await assert.rejects(catalog.rules.create('nobody', many[0]!), { code: 'unknown_project' });
  });
});
