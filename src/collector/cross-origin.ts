/**
 * CORS as the SDKs need it: browsers send cookies along, so the Origin is echoed and never `*`; mobile SDKs ask with OPTIONS
 * before they send anything and want 200.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

const HEADER_NAMES = /^[0-9A-Za-z!#$%&'*+.^_`|~, -]{1,1024}$/;
const SDK_HEADERS = 'Content-Type, X-Compress-Codec, X-Crypt-Codec, X-Timestamp, X-GrowingIO-UID';
const ONE_DAY_SECONDS = 86_400;

/** Allows the page that sent the request to read the answer. */
export function allowOrigin(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('Vary', 'Origin');
  const { origin } = request.headers;
  if (origin === undefined) return;
  response.setHeader('Access-Control-Allow-Origin', origin);
  response.setHeader('Access-Control-Allow-Credentials', 'true');
}

/** Answers OPTIONS: every origin may post, with the headers it asks for. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse): void {
  allowOrigin(request, response);
  const asked = request.headers['access-control-request-headers'];
  response.setHeader('Allow', 'GET, POST, OPTIONS');
  response.setHeader('Access-Control-Allow-Methods', 'GET, POST, OPTIONS');
  response.setHeader(
    'Access-Control-Allow-Headers',
    asked !== undefined && HEADER_NAMES.test(asked) ? asked : SDK_HEADERS,
  );
  response.setHeader('Access-Control-Max-Age', ONE_DAY_SECONDS);
  response.setHeader('Content-Length', 0);
  response.writeHead(200).end();
}
