/**
 * Names each request, so that an answer, a log line and a proxy's log can be brought together.
 *
 * A well-formed X-Request-Id that a proxy sent is kept. The id is written back into the request's headers, where the collector
 * and the API read it.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Lower case, as Node gives header names. */
export const REQUEST_ID_HEADER = 'x-request-id';

/** Short, and nothing that could forge a line of a log. */
const REQUEST_ID = /^[0-9A-Za-z._-]{1,64}$/;

export class RequestIds {
  readonly #prefix = randomBytes(5).toString('hex');
  #count = 0;

  /** Makes an id that no other request of any process has. */
  next(): string {
    this.#count += 1;
    return `${this.#prefix}-${this.#count.toString(36)}`;
  }

  /** Gives the request its id and returns it. */
  assign(req: IncomingMessage): string {
    const sent = req.headers[REQUEST_ID_HEADER];
    const requestId = typeof sent === 'string' && REQUEST_ID.test(sent) ? sent : this.next();
    req.headers[REQUEST_ID_HEADER] = requestId;
    return requestId;
  }
}
