/**
 * `POST|GET /{ai}/deleteVisitor` and `GET /api/v1/projects/{ai}/erasures/{receiptId}`: asks for visitors to be erased, and how far it is.
 *
 * Whoever asks proves to know the project's secret, as in the documented call: `auth` is the hex HMAC-SHA256 of
 * `projectId={ai}&visitUserId={ids, joined by commas}`, and of `projectId={ai}&receiptId={id}` for the GET. The body is read before the
 * proof can be checked, so it is bounded. Every refusal for lack of authority is the same answer.
 *
 * The request is durable when it is answered; the work is done by the server's worker (src/erasure).
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { Catalog, Project } from '../catalog/catalog.ts';
import { CertificateDocument } from '../catalog/erasure-certificate.ts';
import { expectedByMs, MAX_ERASED_VISITORS, refuseVisitors, type Erasure } from '../catalog/erasures.ts';
import { AppError } from '../errors/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { addProjectOperation, type Operation } from './api-operation.ts';
import { ErrorBody } from './error-body.ts';
import { UNAUTHORIZED_BODY, UnauthorizedBody } from './project-access.ts';
import { addResource, READ_METHODS } from './resource.ts';

export type ErasureRouteOptions = {
  readonly catalog: Pick<Catalog, 'tokens' | 'projects' | 'erasures'>;
  readonly clock: Clock;
};

const MAX_BODY_BYTES = 2 * 1024 * 1024;
/** Refuses other bytes: an id that was changed on the way would be erased of nobody, and be told to be. */
const UTF8 = new TextDecoder('utf-8', { fatal: true });
/** Signs in the place of an unknown project's secret, so that an answer takes as long whether or not there is a project. */
const NO_SECRET = 'no project has this secret';

const ReceiptDocument = Type.Object(
  {
    receiptId: Type.String({ description: 'Names the erasure.' }),
    ai: Type.String({ description: 'Public id of the project.' }),
    status: Type.Enum(['pending', 'done'], { description: 'done: nothing is left, and there is a certificate.' }),
    visitors: Type.Integer({ description: 'How many ids were given.' }),
    requestedAt: Type.String({ description: 'What was acknowledged before is erased. RFC 3339, UTC.' }),
    expectedBy: Type.String({ description: 'When it is done at the latest, if nothing holds it up. RFC 3339, UTC.' }),
    error: Type.Union([Type.String(), Type.Null()], { description: 'What holds it up, in a sentence.' }),
    certificate: Type.Union([CertificateDocument, Type.Null()], { description: 'null until it is done.' }),
  },
  { description: 'How far an erasure is.' },
);
export type ReceiptDocument = Static<typeof ReceiptDocument>;

const ReceiptParams = Type.Object(
  {
    ai: Type.String({ pattern: '^[0-9A-Za-z-]{1,64}$', description: 'Public id of the project.' }),
    receiptId: Type.String({ pattern: '^[0-9a-f]{24}$', description: 'As the request for the erasure was answered.' }),
  },
  { additionalProperties: false },
);

export const READ_ERASURE: Operation = {
  id: 'readErasure',
  path: '/api/v1/projects/{ai}/erasures/{receiptId}',
  summary: 'Reads how far the erasure of visitors is, and its certificate when it is done.',
  access: 'project',
  params: ReceiptParams,
  responses: { 200: ReceiptDocument, 400: ErrorBody, 401: UnauthorizedBody, 404: ErrorBody },
};

/** Builds a receipt as clients read it. */
export function buildReceipt(erasure: Erasure): ReceiptDocument {
  const { id, ai, status, visitors, requestedAtMs, error, certificate } = erasure;
  return {
    receiptId: id,
    ai,
    status: status === 'done' ? 'done' : 'pending',
    visitors,
    requestedAt: new Date(requestedAtMs).toISOString(),
    expectedBy: new Date(expectedByMs(erasure)).toISOString(),
    error,
    certificate,
  };
}

export function addErasureRoutes(app: FastifyInstance, options: ErasureRouteOptions): void {
  addProjectOperation(app, READ_ERASURE, options, async ({ ai }, request, reply): Promise<FastifyReply> => {
    const { receiptId } = request.params as Static<typeof ReceiptParams>;
    return reply.send(await readReceipt(options, ai, receiptId));
  });
  void app.register((scope, _options, done) => {
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (_request, body, parsed) => {
      parsed(null, body);
    });
    addResource(scope, {
      url: '/:ai/deleteVisitor',
      methods: ['POST', ...READ_METHODS],
      options: {
        // Fastify answers 415 to a malformed Content-Type; what is sent is told from the body.
        onRequest: (request, reply, next) => {
          void reply.header('Cache-Control', 'no-store');
          delete request.raw.headers['content-type'];
          next();
        },
      },
      handler: (request, reply) =>
        request.method === 'POST' ? requestErasure(options, request, reply) : pollErasure(options, request, reply),
    });
    done();
  });
}

async function requestErasure(
  options: ErasureRouteOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { catalog, clock } = options;
  const { ai } = request.params as { readonly ai: string };
  const visitorIds = parseVisitors(request.body);
  const project = findProjectThatSigned(options, request, `projectId=${ai}&visitUserId=${visitorIds.join(',')}`);
  if (!project) return reply.code(401).send(UNAUTHORIZED_BODY);
  const erasure = await catalog.erasures.create({ ai, visitorIds, nowMs: clock.nowMs() });
  return reply
    .code(202)
    .header('Location', READ_ERASURE.path.replace('{ai}', ai).replace('{receiptId}', erasure.id))
    .send(buildReceipt(erasure));
}

async function pollErasure(
  options: ErasureRouteOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { ai } = request.params as { readonly ai: string };
  const receiptId = queryValue(request, 'receiptId') ?? '';
  const project = findProjectThatSigned(options, request, `projectId=${ai}&receiptId=${receiptId}`);
  if (!project) return reply.code(401).send(UNAUTHORIZED_BODY);
  return reply.send(await readReceipt(options, ai, receiptId));
}

async function readReceipt({ catalog }: ErasureRouteOptions, ai: string, receiptId: string): Promise<ReceiptDocument> {
  const erasure = await catalog.erasures.read(ai, receiptId);
  if (!erasure) throw new AppError('unknown_receipt', 'This project has no such receipt of an erasure.');
  return buildReceipt(erasure);
}

/** Finds the project of the path if the request has its public key and signed this text with its secret. */
function findProjectThatSigned(
  { catalog }: ErasureRouteOptions,
  request: FastifyRequest,
  signed: string,
): Project | undefined {
  const { ai } = request.params as { readonly ai: string };
  const project = catalog.projects.findByAi(ai);
  const auth = queryValue(request, 'auth') ?? '';
  const expected = createHmac('sha256', project?.secret ?? NO_SECRET)
    .update(signed)
    .digest();
  const proof = /^[0-9a-f]{64}$/i.test(auth) ? Buffer.from(auth, 'hex') : Buffer.alloc(expected.length);
  const isSigned = timingSafeEqual(expected, proof);
  return isSigned && request.headers['access-token'] === project?.clientId ? project : undefined;
}

/** Gives a parameter of the query that is there once. */
function queryValue(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'string' ? value : undefined;
}

/** Reads the ids of the body. @throws AppError bad_request */
function parseVisitors(body: unknown): readonly string[] {
  const wanted = `Send {"visitUserId":["…"]} with 1 to ${MAX_ERASED_VISITORS} ids.`;
  let value: unknown;
  try {
    value = JSON.parse(body instanceof Buffer ? UTF8.decode(body) : '');
  } catch {
    throw new AppError('bad_request', `The body is no JSON in UTF-8. ${wanted}`);
  }
  const ids = typeof value === 'object' && value !== null && 'visitUserId' in value ? value.visitUserId : undefined;
  if (!Array.isArray(ids)) throw new AppError('bad_request', `The body has no list visitUserId. ${wanted}`);
  const visitorIds: readonly unknown[] = ids;
  refuseVisitors(visitorIds);
  return visitorIds;
}
