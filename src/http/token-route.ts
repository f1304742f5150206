/**
 * `POST /auth/token`: gives a token to whoever proves to know a project's secret.
 *
 * The proof is the HMAC-SHA256 of the parameters and of the client's time, which may be 15 minutes off. There is no limit on
 * failed calls: a secret cannot be guessed, and a limit by address would lock out a whole fleet that comes through one proxy.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Catalog, Project } from '../catalog/catalog.ts';
import type { Clock } from '../lib/clock.ts';
import { UNAUTHORIZED_BODY } from './project-access.ts';
import { addResource } from './resource.ts';
import { parseTokenParameters, type TokenParameters } from './token-parameters.ts';

const MAX_BODY_BYTES = 64 * 1024;
const MAX_CLOCK_DIFFERENCE_MS = 15 * 60_000;

/** Signs in the place of an unknown project's secret, so that an answer takes as long whether or not there is a project. */
const NO_SECRET = 'no project has this secret';

export type TokenRouteOptions = { readonly catalog: Pick<Catalog, 'projects' | 'tokens'>; readonly clock: Clock };

export function addTokenRoute(app: FastifyInstance, options: TokenRouteOptions): void {
  void app.register((scope, _options, done) => {
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (_request, body, parsed) => {
      parsed(null, body);
    });
    addResource(scope, {
      url: '/auth/token',
      methods: ['POST'],
      options: {
        // Fastify answers 415 to a malformed Content-Type; clients that send one have done so for years.
        onRequest: (request, _reply, next) => {
          delete request.raw.headers['content-type'];
          next();
        },
        errorHandler: (error, _request, reply) => {
          if (error.statusCode !== 413) throw error;
          void answer(reply, 413, { message: `The body is larger than ${MAX_BODY_BYTES} bytes.`, errors: [] });
        },
      },
      handler: (request, reply) => giveToken(options, request, reply),
    });
    done();
  });
}

async function giveToken(
  { catalog, clock }: TokenRouteOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const body = request.body instanceof Buffer ? request.body.toString('utf8') : '';
  const parameters = parseTokenParameters(body, queryOf(request));
  if (!('auth' in parameters)) {
    return answer(reply, 400, { message: 'The parameters of the token call cannot be read.', errors: parameters });
  }
  const project = catalog.projects.findByUid(parameters.project);
  const isSigned = isSignedWith(project?.secret ?? NO_SECRET, parameters);
  if (!project || !isSigned || !isAskedFor(project, parameters, request.headers['x-client-id'])) {
    return answer(reply, 401, UNAUTHORIZED_BODY);
  }
  const nowMs = clock.nowMs();
  const differenceMs = Number(parameters.tm) - nowMs;
  if (Math.abs(differenceMs) > MAX_CLOCK_DIFFERENCE_MS) {
    return answer(reply, 401, { message: UNAUTHORIZED_BODY.message, errors: [clockSentence(differenceMs, nowMs)] });
  }
  return answer(reply, 200, { status: 'success', code: await catalog.tokens.create(project.ai, nowMs) });
}

function answer(reply: FastifyReply, status: number, body: object): FastifyReply {
  return reply.code(status).header('Cache-Control', 'no-store').send(body);
}

function queryOf({ raw: { url = '' } }: FastifyRequest): string {
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark + 1);
}

function isAskedFor(project: Project, { ai }: TokenParameters, clientId: string | string[] | undefined): boolean {
  return project.ai === ai && project.clientId === clientId;
}

/** Checks the proof. The documents sign project before ai; some clients do it the other way round. */
function isSignedWith(secret: string, { project, ai, tm, auth }: TokenParameters): boolean {
  if (!/^[0-9a-f]{64}$/i.test(auth)) return false;
  const proof = Buffer.from(auth, 'hex');
  const [isInOrder, isReversed] = [`project=${project}&ai=${ai}`, `ai=${ai}&project=${project}`].map((names) => {
    const expected = createHmac('sha256', secret).update(`POST\n/auth/token\n${names}&tm=${tm}`).digest();
    return timingSafeEqual(expected, proof);
  });
  return isInOrder === true || isReversed === true;
}

function clockSentence(differenceMs: number, nowMs: number): string {
  const seconds = Math.round(Math.abs(differenceMs) / 1000);
  const direction = differenceMs > 0 ? 'ahead of' : 'behind';
  const serverTime = new Date(nowMs).toISOString();
  return (
    `tm is ${seconds} s ${direction} the server's clock (${serverTime}); ` +
    `at most ${MAX_CLOCK_DIFFERENCE_MS / 1000} s are allowed, and tm is in milliseconds.`
  );
}
