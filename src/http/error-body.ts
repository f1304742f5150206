/** The body of every error answer but those whose form the API document gives. */
import { Type, type Static } from 'typebox';
import type { AppError } from '../errors/app-error.ts';
import { ERROR_CATALOGUE, type ErrorCode } from '../errors/catalogue.ts';

export const ErrorBody = Type.Object({
  code: Type.String({ description: 'Stable name of the error; docs/errors.md lists them.' }),
  message: Type.String({ description: 'What is wrong, and what to do about it.' }),
  details: Type.Optional(
    Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]), {
      description: 'Facts about this error.',
    }),
  ),
  requestId: Type.String({ description: 'Name of the request, as in X-Request-Id and in the server log.' }),
});

export type ErrorBody = Static<typeof ErrorBody>;

/** Builds an error's body: one sentence of what is wrong, then the catalogue's advice. */
export function buildErrorBody(code: ErrorCode, sentence: string, requestId: string): ErrorBody {
  return { code, message: `${sentence} ${ERROR_CATALOGUE[code].advice}`, requestId };
}

/** Builds the body for an error of the program. What a server error says is for the log; the client gets a fixed sentence. */
export function buildAppErrorBody(error: AppError, requestId: string): ErrorBody {
  if (error.status >= 500) return buildErrorBody(error.code, fixedSentence(error.status), requestId);
  const { code, message, requestId: id } = buildErrorBody(error.code, error.message, requestId);
  return { code, message, ...(error.details && { details: { ...error.details } }), requestId: id };
}

function fixedSentence(status: number): string {
  return status === 503 ? 'The server cannot do this now.' : 'The server could not answer this request.';
}
