/** Guards of tagging rules and their tags. */
import type { Guard } from './guard.ts';

const TAG_HOUR = 'src/imports/tag-hour.ts';
const BACKFILL_TEST = 'test/rule-backfill.e2e.test.ts';

export const RULE_GUARDS: readonly Guard[] = [
  {
    name: 'rules-in-force',
    protects: 'a change of rules is in force in every process when it was committed',
    file: 'src/catalog/rule-table.ts',
    find: 'await markRulesChanged(transaction, ai);\n      return result;',
    replacement: 'return result;',
    test: { file: 'src/catalog/rule-table.test.ts', name: 'gives a rule of another process as soon as' },
  },
  {
    name: 'rules-not-slow',
    protects: 'no project has rules that must be tried one by one',
    file: 'src/catalog/rule-table.ts',
    find: 'refuseSlowRules(rules);',
    replacement: '',
    test: { file: 'src/catalog/rule-table.test.ts', name: 'imports all or nothing' },
  },
  {
    name: 'stars-bounded',
    protects: 'a pattern that would be slow is refused',
    file: 'src/rules/rule.ts',
    find: 'value.split(STAR).length - 1 > RULE_LIMITS.stars',
    replacement: 'value.length < 0',
    test: { file: 'src/rules/rule.test.ts', name: 'parseRule' },
  },
  {
    name: 'rule-name-one-line',
    protects: 'a name cannot break rules.csv',
    file: 'src/rules/rule.ts',
    find: 'CONTROL.test(value) || ',
    replacement: '',
    test: { file: 'src/rules/rule.test.ts', name: 'parseRule' },
  },
  {
    name: 'tag-no-event',
    protects: 'a tag is not counted as an event',
    file: 'src/events/action-tags.ts',
    find: 'flags: 0,',
    replacement: 'flags: 1,',
    test: { file: 'src/events/map-events.test.ts', name: 'adds a row for each rule that an element fits' },
  },
  {
    name: 'tag-visitor',
    protects: 'a tag has its visitor beside it, by which an erasure finds it',
    file: 'src/events/action-tags.ts',
    find: 'extras: { u: visitor },',
    replacement: 'extras: {},',
    test: { file: 'src/events/map-events.test.ts', name: 'adds a row for each rule that an element fits' },
  },
  {
    name: 'backfill-once',
    protects: 'a back-fill adds no tag that is there',
    file: TAG_HOUR,
    find: 'if (isKnown.has(cursor)) hasKnown = true;',
    replacement: 'if (isKnown.has(cursor)) hasKnown = false;',
    test: { file: 'src/imports/tag-hour.test.ts', name: 'gives the same tags in many chunks as in one' },
  },
  {
    name: 'backfill-exported-actions',
    protects: 'a back-fill tags no action that the hour before has published',
    file: TAG_HOUR,
    find: 'if (isRepeated) continue;',
    replacement: '',
    test: { file: BACKFILL_TEST, name: 'a back-fill of tags' },
  },
  {
    name: 'backfill-recovered',
    protects: 'a back-fill that was committed is exported, also after a crash',
    file: 'src/imports/recover-imports.ts',
    find: ' || (facts.ledger.rows.action_tag?.made ?? 0) < tags',
    replacement: '',
    test: { file: 'src/imports/recover-imports.test.ts', name: 'whose back-fill was committed and not exported' },
  },
  {
    name: 'backfill-damaged-hour',
    protects: "an hour's damage is its own, and no back-fill of others fails by it",
    file: 'src/imports/backfill-tags.ts',
    find: 'if (!isLastingDamage(error)) throw error;',
    replacement: 'throw error;',
    test: { file: BACKFILL_TEST, name: 'a back-fill leaves an hour that is damaged as it is' },
  },
  {
    name: 'backfill-exportable',
    protects: 'a back-fill puts no hour into ERROR that is FINISHED',
    file: TAG_HOUR,
    find: 'if (tagged.tags > 0) readAll(job);',
    replacement: '',
    test: { file: BACKFILL_TEST, name: 'a back-fill leaves an hour that is damaged as it is' },
  },
  {
    name: 'body-behind-token',
    protects: 'a stranger learns nothing from how a body is refused',
    file: 'src/http/api-operation.ts',
    find: 'if (!project) return reply.code(401).send(UNAUTHORIZED_BODY);',
    replacement: 'if (!project) return undefined;',
    test: { file: 'src/http/api-operation.test.ts', name: 'tells a stranger nothing' },
  },
];
