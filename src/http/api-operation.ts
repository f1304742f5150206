/**
 * An operation of our own API: one declaration from which its route, its checks and its part of docs/openapi.json are made.
 *
 * Order of checks: the token first, before a byte of a body is read, so that a stranger learns nothing, not even whether a
 * parameter is well formed; then the parameters; then the body; then the operation's own work.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify';
import type { TObject, TSchema } from 'typebox';
import type { Catalog, Project } from '../catalog/catalog.ts';
import { AppError } from '../errors/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { bodyOptions, compileBody, DEFAULT_MAX_BODY_BYTES, keepBodies } from './api-body.ts';
import { findAuthorizedProject, UNAUTHORIZED_BODY } from './project-access.ts';
import { addPath, READ_METHODS, type Way } from './resource.ts';

export type Operation = {
  /** Stable name; clients make their functions of it. */
  readonly id: string;
  /** Default: GET, and HEAD with it. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With `{name}` for what varies. */
  readonly path: string;
  readonly summary: string;
  /** Who may call it: the holder of a token of the project `ai` or `uid` in the path, or anybody. */
  readonly access: 'project' | 'anybody';
  readonly params?: TObject;
  readonly query?: TObject;
  /** The JSON object that must be sent; no member may be sent that it does not have. */
  readonly body?: TObject;
  /** Default: DEFAULT_MAX_BODY_BYTES. */
  readonly maxBodyBytes?: number;
  /** Bodies by status; that of 204 is described and never sent. */
  readonly responses: Readonly<Record<number, TSchema>>;
};

/** Where operations read projects and the time. */
export type OperationContext = { readonly catalog: Pick<Catalog, 'tokens'>; readonly clock: Clock };

/** Does an operation's own work. The body of the request is what the schema says. */
export type ProjectAnswer = (project: Project, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** Adds an operation that needs a token of the project in its path, and that has the path for itself. */
export function addProjectOperation(
  app: FastifyInstance,
  operation: Operation,
  context: OperationContext,
  answer: ProjectAnswer,
): void {
  addProjectOperations(app, context, [[operation, answer]]);
}

/** Adds all operations of one or more paths; each of them needs a token of the project in its path. */
export function addProjectOperations(
  app: FastifyInstance,
  context: OperationContext,
  operations: readonly (readonly [operation: Operation, answer: ProjectAnswer])[],
): void {
  void app.register((scope, _options, done) => {
    keepBodies(scope);
    for (const [path, ofPath] of Map.groupBy(operations, ([{ path }]) => path)) {
      addPath(
        scope,
        routeOf(path),
        ofPath.map(([operation, answer]) => projectWay(operation, context, answer)),
      );
    }
    done();
  });
}

/** Adds a GET operation that anybody may call. */
export function addPublicOperation(
  app: FastifyInstance,
  operation: Operation,
  answer: (request: FastifyRequest, reply: FastifyReply) => FastifyReply,
): void {
  const way: Way = {
    methods: READ_METHODS,
    options: routeOptions(operation),
    handler: (request, reply) => {
      refuseUnreadable(request);
      return answer(request, reply);
    },
  };
  addPath(app, routeOf(operation.path), [way]);
}

function projectWay(operation: Operation, { catalog, clock }: OperationContext, answer: ProjectAnswer): Way {
  const { method = 'GET', body, maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = operation;
  const parseBody = body && compileBody(body);
  const authorized = new WeakMap<FastifyRequest, Project>();
  return {
    methods: method === 'GET' ? READ_METHODS : [method],
    options: {
      ...routeOptions(operation),
      ...bodyOptions(maxBodyBytes),
      onRequest: async (request, reply): Promise<FastifyReply | undefined> => {
        void reply.header('Cache-Control', 'no-store');
        const project = await findAuthorizedProject(catalog.tokens, {
          ...(request.params as { readonly ai: string } | { readonly uid: string }),
          headers: request.headers,
          nowMs: clock.nowMs(),
        });
        if (!project) return reply.code(401).send(UNAUTHORIZED_BODY);
        authorized.set(request, project);
        return undefined;
      },
    },
    handler: (request, reply) => {
      refuseUnreadable(request);
      if (parseBody) request.body = parseBody(request.body);
      return answer(authorized.get(request)!, request, reply);
    },
  };
}

function routeOf(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

function routeOptions({ params, query, responses }: Operation): NonNullable<Way['options']> {
  return {
    attachValidation: true, // told by the handler, in our own words
    schema: { ...(params && { params }), ...(query && { querystring: query }), response: responses },
  };
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
