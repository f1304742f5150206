/**
 * An operation of our own API: one declaration from which its route, its checks and its part of docs/openapi.json are made.
 *
 * Order of checks: the token first, so that a stranger learns nothing, not even whether a parameter is well formed; then the
 * parameters; then the operation's own work.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify';
import type { TObject, TSchema } from 'typebox';
import type { Catalog, Project } from '../catalog/catalog.ts';
import { AppError } from '../errors/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { findAuthorizedProject, UNAUTHORIZED_BODY } from './project-access.ts';
import { addResource, READ_METHODS } from './resource.ts';

export type Operation = {
  /** Stable name; clients make their functions of it. */
  readonly id: string;
  /** With `{name}` for what varies. */
  readonly path: string;
  readonly summary: string;
  /** Who may call it: the holder of a token of the project `ai` in the path, or anybody. */
  readonly access: 'project' | 'anybody';
  readonly params?: TObject;
  readonly query?: TObject;
  /** Bodies by status. */
  readonly responses: Readonly<Record<number, TSchema>>;
};

/** Where operations read projects and the time. */
export type OperationContext = { readonly catalog: Pick<Catalog, 'tokens'>; readonly clock: Clock };

/** Adds a GET operation that needs a token of the project in its path. */
export function addProjectOperation(
  app: FastifyInstance,
  operation: Operation,
  { catalog, clock }: OperationContext,
  answer: (project: Project, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>,
): void {
  addOperation(app, operation, async (request, reply): Promise<FastifyReply> => {
    void reply.header('Cache-Control', 'no-store');
    const { ai } = request.params as { readonly ai: string };
    const project = await findAuthorizedProject(catalog.tokens, {
      ai,
      headers: request.headers,
      nowMs: clock.nowMs(),
    });
    if (!project) return reply.code(401).send(UNAUTHORIZED_BODY);
    refuseUnreadable(request);
    return answer(project, request, reply);
  });
}

/** Adds a GET operation that anybody may call. */
export function addPublicOperation(
  app: FastifyInstance,
  operation: Operation,
  answer: (request: FastifyRequest, reply: FastifyReply) => FastifyReply,
): void {
  addOperation(app, operation, (request, reply) => {
    refuseUnreadable(request);
    return answer(request, reply);
  });
}

function addOperation(
  app: FastifyInstance,
  { path, params, query, responses }: Operation,
  handler: (request: FastifyRequest, reply: FastifyReply) => FastifyReply | Promise<FastifyReply>,
): void {
  addResource(app, {
    url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
    methods: READ_METHODS,
    options: {
      attachValidation: true, // told by the handler, behind the token
      schema: { ...(params && { params }), ...(query && { querystring: query }), response: responses },
    },
    handler,
  });
}

/** @throws AppError bad_request when the path or the query does not fit the operation's schemas */
function refuseUnreadable({ validationError }: FastifyRequest): void {
  const [fault] = (validationError?.validation ?? []) as readonly FastifySchemaValidationError[];
  if (!fault) return;
  const { additionalProperty } = fault.params as { readonly additionalProperty?: string };
  const sentence =
    additionalProperty === undefined
      ? `The parameter ${fault.instancePath.slice(1)} ${fault.message ?? 'cannot be read'}.`
      : `There is no parameter ${additionalProperty.slice(0, 40)} here.`;
  throw new AppError('bad_request', sentence);
}
