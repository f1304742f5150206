/**
 * The tagging rules of a project: `/api/v1/projects/{ai}/rules`, and the list that clients of the original read,
 * `GET /projects/{uid}/rules.csv`.
 *
 * A change is in force for every request to any collector that begins after the answer.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { Catalog } from '../catalog/catalog.ts';
import { AppError } from '../errors/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { buildRuleList } from '../rules/rule-list.ts';
import { describeRule, parseRule, RULE_ID, type RuleInput } from '../rules/rule.ts';
import { addProjectOperations, type Operation } from './api-operation.ts';
import { ErrorBody } from './error-body.ts';
import { findAuthorizedProject, UNAUTHORIZED_BODY, UnauthorizedBody } from './project-access.ts';
import { addResource, READ_METHODS } from './resource.ts';
import { RuleBody, RuleDocument } from './rule-schema.ts';

export type RuleRouteOptions = { readonly catalog: Pick<Catalog, 'tokens' | 'rules'>; readonly clock: Clock };

const DEFAULT_PAGE_RULES = 100;
const MAX_PAGE_RULES = 1_000;

const ai = Type.String({ pattern: '^[0-9A-Za-z-]{1,64}$', description: 'Public id of the project.' });
const ruleId = Type.String({ pattern: RULE_ID.source, description: 'Id of the rule, 8 hex digits.' });
const OfProject = Type.Object({ ai }, { additionalProperties: false });
const OfRule = Type.Object({ ai, ruleId }, { additionalProperties: false });
const PATH = '/api/v1/projects/{ai}/rules';
const refusals = { 400: ErrorBody, 401: UnauthorizedBody };

const PageQuery = Type.Object(
  {
    from: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0, description: 'Where to begin.' }),
    limit: Type.Integer({
      minimum: 1,
      maximum: MAX_PAGE_RULES,
      default: DEFAULT_PAGE_RULES,
      description: 'The most rules to answer.',
    }),
  },
  { additionalProperties: false },
);
const RulePage = Type.Object({
  rules: Type.Array(RuleDocument, { description: 'Rules, oldest first.' }),
  next: Type.Optional(
    Type.Integer({ description: 'The `from` of the next page; absent when this one reaches the end.' }),
  ),
});

export const LIST_RULES: Operation = {
  id: 'listRules',
  path: PATH,
  summary: 'Lists the tagging rules of a project.',
  access: 'project',
  params: OfProject,
  query: PageQuery,
  responses: { 200: RulePage, ...refusals },
};

export const CREATE_RULE: Operation = {
  id: 'createRule',
  method: 'POST',
  path: PATH,
  summary: 'Makes a tagging rule, which acts on what arrives from then on.',
  access: 'project',
  params: OfProject,
  body: RuleBody,
  responses: { 201: RuleDocument, ...refusals, 409: ErrorBody, 413: ErrorBody },
};

export const READ_RULE: Operation = {
  id: 'readRule',
  path: `${PATH}/{ruleId}`,
  summary: 'Reads a tagging rule.',
  access: 'project',
  params: OfRule,
  responses: { 200: RuleDocument, ...refusals, 404: ErrorBody },
};

export const REPLACE_RULE: Operation = {
  id: 'replaceRule',
  method: 'PUT',
  path: `${PATH}/{ruleId}`,
  summary: 'Replaces a tagging rule under its id; tags that it has given stay.',
  access: 'project',
  params: OfRule,
  body: RuleBody,
  responses: { 200: RuleDocument, ...refusals, 404: ErrorBody, 409: ErrorBody, 413: ErrorBody },
};

export const DELETE_RULE: Operation = {
  id: 'deleteRule',
  method: 'DELETE',
  path: `${PATH}/{ruleId}`,
  summary: 'Deletes a tagging rule; tags that it has given stay.',
  access: 'project',
  params: OfRule,
  responses: { 204: Type.Null({ description: 'Nothing.' }), ...refusals, 404: ErrorBody },
};

export const RULE_OPERATIONS: readonly Operation[] = [LIST_RULES, CREATE_RULE, READ_RULE, REPLACE_RULE, DELETE_RULE];

/** Adds the operations on rules, and the list of rules of the original. */
export function addRuleRoutes(app: FastifyInstance, options: RuleRouteOptions): void {
  const { rules } = options.catalog;
  const idOf = (request: FastifyRequest): string => (request.params as Static<typeof OfRule>).ruleId;
  addProjectOperations(app, options, [
    [
      LIST_RULES,
      async (project, request, reply) => {
        const { from, limit } = request.query as Static<typeof PageQuery>;
        const listed = await rules.list(project.ai, { from, limit: limit + 1 });
        const next = listed[limit]?.number;
        return reply.send({
          rules: listed.slice(0, limit).map(describeRule),
          ...(next !== undefined && { next }),
        });
      },
    ],
    [
      CREATE_RULE,
      async (project, { body }, reply) =>
        reply.code(201).send(describeRule(await rules.create(project.ai, parseRule(body as RuleInput)))),
    ],
    [
      READ_RULE,
      async (project, request, reply) => {
        const rule = await rules.find(project.ai, idOf(request));
        if (!rule) throw new AppError('unknown_rule', `The project has no rule ${idOf(request)}.`);
        return reply.send(describeRule(rule));
      },
    ],
    [
      REPLACE_RULE,
      async (project, request, reply) => {
        const draft = parseRule(request.body as RuleInput);
        return reply.send(describeRule(await rules.replace(project.ai, idOf(request), draft)));
      },
    ],
    [
      DELETE_RULE,
      async (project, request, reply) => {
        await rules.delete(project.ai, idOf(request));
        return reply.code(204).send();
      },
    ],
  ]);
  addResource(app, {
    url: '/projects/:uid/rules.csv',
    methods: READ_METHODS,
    handler: (request, reply) => answerRuleList(options, request, reply),
  });
}

async function answerRuleList(
  { catalog, clock }: RuleRouteOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  void reply.header('Cache-Control', 'no-store');
  const { uid } = request.params as { readonly uid: string };
  const project = await findAuthorizedProject(catalog.tokens, { uid, headers: request.headers, nowMs: clock.nowMs() });
  if (!project) return reply.code(401).send(UNAUTHORIZED_BODY);
  // With the charset: a client that is told text and no charset may read it as Latin-1, as HTTP once said.
  return reply.type('text/csv; charset=utf-8').send(buildRuleList(await catalog.rules.list(project.ai)));
}
