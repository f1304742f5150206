/** Answers what is no readable HTTP, before there is a request: malformed, too large, or too slow. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorCode } from '../errors/catalogue.ts';
import { buildErrorBody } from './error-body.ts';

/** How long a refused client may take to read why. */
const LINGER_MS = 2_000;

type Refusal = { readonly status: number; readonly code: ErrorCode; readonly sentence: string };

const MALFORMED: Refusal = { status: 400, code: 'bad_request', sentence: 'The request is no HTTP.' };
const URL_TOO_LONG: Refusal = { status: 414, code: 'bad_request', sentence: 'The URL is too long.' };
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: { status: 431, code: 'bad_request', sentence: 'The headers are too large.' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, code: 'too_large', sentence: 'The chunk extensions are too large.' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, code: 'bad_request', sentence: 'The request took too long to arrive.' },
};

/** Answers a connection whose request could not be read, and closes it. */
export function answerClientError(error: Error, socket: Duplex, requestId: string): void {
  if (!socket.writable) return; // already answered, or the client is gone
  const { status, code, sentence } = refusalOf(error);
  const body = JSON.stringify(buildErrorBody(code, sentence, requestId));
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      'Connection: close',
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-Id: ${requestId}`,
      '',
      body,
    ].join('\r\n'),
  );
  // Ending at once would reset a connection on which more is still coming in, and the answer would be lost.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

function refusalOf(error: Error): Refusal {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'HPE_HEADER_OVERFLOW' && isFirstLineOnly(error)) return URL_TOO_LONG;
  return REFUSALS[code] ?? MALFORMED;
}

/** Says whether the bytes that were too many are those of a request line. */
function isFirstLineOnly(error: Error): boolean {
  const packet = 'rawPacket' in error && error.rawPacket instanceof Buffer ? error.rawPacket.toString('latin1') : '';
  return /^[A-Z]+ [^\r\n]{8192}/.test(packet);
}
