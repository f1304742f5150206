/** Answers a request that the collector refuses. */
import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { AppError } from '../errors/app-error.ts';

/** Sends the error's code and message; what is no AppError is logged and told as a fault of the server. */
export function answerRefusal(logger: Logger, response: ServerResponse, error: unknown): void {
  const refusal =
    error instanceof AppError ? error : new AppError('internal', 'Something went wrong here.', { cause: error });
  if (refusal.status >= 500) logger.error({ err: refusal.cause ?? refusal, code: refusal.code }, refusal.message);
  if (response.headersSent) return void response.destroy();
  if (refusal.retryAfterSeconds !== undefined) response.setHeader('Retry-After', refusal.retryAfterSeconds);
  sendJson(response, refusal.status, {
    code: refusal.code,
    message: `${refusal.message} ${refusal.advice}`,
    requestId: response.getHeader('X-Request-Id') ?? null,
  });
}

/** Ends an answer with a JSON body: as text, which Node sends in one piece with the headers. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response
    .writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': Buffer.byteLength(text) })
    .end(text);
}
