/**
 * Bodies of our own API: a JSON object of a bounded size, checked as it was sent.
 *
 * Not checked by fastify, which would turn values into the type that a schema asks for: right for a query, where everything is
 * text, and wrong for JSON, where `5` instead of `"5"` is a fault that somebody should hear of.
 */
import type { FastifyInstance, RouteShorthandOptions } from 'fastify';
import { Compile } from 'typebox/compile';
import type { TObject } from 'typebox';
import { AppError } from '../errors/app-error.ts';

/** How large a body may be unless its operation says otherwise. */
export const DEFAULT_MAX_BODY_BYTES = 64 * 1024;

/** Makes a scope of the API keep bodies as bytes, whatever their Content-Type says. */
export function keepBodies(scope: FastifyInstance): void {
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body));
}

/** Makes a route take bodies up to a size. Its error handler says how large a body may be. */
export function bodyOptions(maxBodyBytes: number): RouteShorthandOptions {
  return {
    bodyLimit: maxBodyBytes,
    // Fastify answers 415 to a malformed Content-Type, and there is nothing but JSON here.
    preParsing: (request, _reply, payload, next) => {
      delete request.raw.headers['content-type'];
      next(null, payload);
    },
    errorHandler: (error) => {
      if (error.statusCode !== 413) throw error;
      throw new AppError('too_large', `The body is larger than ${maxBodyBytes} bytes.`);
    },
  };
}

/** Checks a body. @throws AppError bad_request when it is no JSON, or does not fit the schema */
export type BodyParser = (body: unknown) => unknown;

/** Builds the check of the bodies of one operation. */
export function compileBody(schema: TObject): BodyParser {
  const validator = Compile(schema);
  return (body) => {
    const value = parseJson(body);
    const faults = validator.Check(value) ? [] : validator.Errors(value);
    const [fault] = faults;
    if (!fault) return value;
    const place = fault.instancePath === '' ? 'The body' : `The member ${fault.instancePath.slice(1, 80)} of the body`;
    // What a member that the schema does not know is refused with, before anything else is said of it.
    if (fault.keyword === 'boolean') throw badRequest(`${place} is not known here.`);
    // One of several words: there is a fault for each of them, and none says what the others are.
    const words = faults.flatMap(({ keyword, instancePath, params }) =>
      keyword === 'const' && instancePath === fault.instancePath ? [String(params.allowedValue)] : [],
    );
    throw badRequest(`${place} ${words.length > 0 ? `must be one of ${words.join(', ')}` : fault.message}.`);
  };
}

function parseJson(body: unknown): unknown {
  if (!(body instanceof Buffer) || body.length === 0) throw badRequest('The body is missing; send a JSON object.');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown;
  } catch {
    throw badRequest('The body is no JSON in UTF-8; send a JSON object.');
  }
}

function badRequest(sentence: string): AppError {
  return new AppError('bad_request', sentence);
}
