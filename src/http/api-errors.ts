/** Turns whatever goes wrong in the API into an answer; server errors are logged here, once, with their cause. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BaseLogger } from 'pino';
import { AppError } from '../errors/app-error.ts';
import { resemblesLink } from '../packages/signed-link.ts';
import { buildAppErrorBody, buildErrorBody } from './error-body.ts';
import { READ_METHODS } from './resource.ts';

/** Makes the error of a path that no route takes. A broken link is told about links. */
export function unknownPathError(request: FastifyRequest): AppError {
  if (!resemblesLink(request.raw.url ?? '')) return new AppError('not_found', 'There is nothing at this path.');
  return request.method === 'GET' || request.method === 'HEAD'
    ? new AppError('link_refused', 'This link was changed on its way.')
    : new AppError('method_not_allowed', 'A link takes GET and HEAD.');
}

/** Answers a request that failed. Nothing of the error itself is shown but an AppError's message below 500. */
export function answerError(logger: BaseLogger, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const status = statusOf(error);
  if (status >= 500) {
    // The route and not the URL, whose query may hold a signature.
    const route = request.routeOptions.url ?? null;
    logger.error({ err: error, requestId: request.id, method: request.method, route }, 'A request failed.');
  }
  if (reply.raw.headersSent) {
    reply.raw.destroy();
    return;
  }
  if (error instanceof AppError && error.retryAfterSeconds !== undefined) {
    reply.header('Retry-After', error.retryAfterSeconds);
  }
  // A path that a route takes says itself what it takes; of the others, only a link takes anything.
  if (status === 405 && !reply.hasHeader('Allow')) reply.header('Allow', READ_METHODS.join(', '));
  void reply.code(status).send(bodyOf(error, status, request));
}

/** Answers what fastify refuses before it has found a route: a malformed or too long URL. */
export function answerUnroutable(
  logger: BaseLogger,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const isLink = resemblesLink(request.raw.url ?? '') && statusOf(error) < 500;
  answerError(logger, isLink ? unknownPathError(request) : error, request, reply);
}

function bodyOf(error: unknown, status: number, request: FastifyRequest): object {
  if (error instanceof AppError) return buildAppErrorBody(error, request.id);
  if (status === 413) return buildErrorBody('too_large', 'The body is too large.', request.id);
  if (status === 414) return buildErrorBody('bad_request', 'The URL is too long.', request.id);
  if (status < 500) return buildErrorBody('bad_request', 'The request is malformed.', request.id);
  return buildErrorBody('internal', 'The server could not answer this request.', request.id);
}

/** An AppError and fastify's own errors know their status; everything else is a fault of the program. */
function statusOf(error: unknown): number {
  if (error instanceof AppError) return error.status;
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return 500;
  // Fastify gives its own errors a status, and the reset of a connection whose body it was reading.
  const isOfFastify = String(error.code).startsWith('FST_') || error.code === 'ECONNRESET';
  const status = isOfFastify ? Number(error.statusCode) : 500;
  return status >= 400 && status < 500 ? status : 500;
}
