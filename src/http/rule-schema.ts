/** A tagging rule as the API shows and takes it. What a rule may hold is checked by src/rules/rule.ts, which says all that is wrong. */
import { Type } from 'typebox';
import { RULE_LIMITS, RULE_TYPES } from '../rules/rule.ts';

const text = (description: string) => Type.Optional(Type.String({ maxLength: RULE_LIMITS.textLength, description }));

const members = {
  name: Type.String({
    minLength: 1,
    maxLength: RULE_LIMITS.nameLength,
    description: 'What the rule is called; no tabs or line breaks.',
  }),
  type: Type.Union(
    RULE_TYPES.map((type) => Type.Literal(type)),
    { description: 'The `t` of the actions that it tags; `page` describes a page and tags nothing.' },
  ),
  domain: text('The whole domain. Here and below, an absent condition takes everything.'),
  path: text('The whole path; `*` stands for any text.'),
  query: text('Parts of the query, joined by `&`; each must be one of the query of the action.'),
  xpath: text('The whole xpath of the element; `*` stands for any text.'),
  index: Type.Optional(
    Type.Integer({ minimum: 0, maximum: RULE_LIMITS.index, description: 'The place of the element in its list.' }),
  ),
  value: text('The whole text of the element.'),
  href: text('The whole target of the link.'),
};

export const RuleBody = Type.Object(members, { additionalProperties: false });

export const RuleDocument = Type.Object({
  ruleId: Type.String({ description: '8 hex digits, as in action_tag.' }),
  ...members,
});
