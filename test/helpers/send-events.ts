/** Sends requests to a test server's collector. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { TestServer } from './test-server.ts';

export type Sent = {
  readonly path: string;
  readonly body?: string | Uint8Array;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sends the body without announcing its length. Default: false. */
  readonly isChunked?: boolean;
};

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
};

/** What the collector says of a request that it took. */
export type Receipt = {
  readonly accepted: number;
  readonly rejected: number;
  readonly ignored: number;
  readonly reasons?: readonly string[];
};

/** Sends a request exactly as given: no header is added but Host, Connection and Content-Length, and the path is not tidied. */
export function send(server: TestServer, sent: Sent): Promise<Answer> {
  const { path, body = '', method = 'POST', headers = {}, isChunked = false } = sent;
  const bytes = Buffer.from(body);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: server.host,
        port: server.port,
        method,
        path,
        agent: false,
        headers: { ...(isChunked || method === 'GET' ? {} : { 'Content-Length': bytes.length }), ...headers },
      },
      (response) => {
        buffer(response).then(
          (text) => resolve({ status: response.statusCode!, headers: response.headers, text: text.toString() }),
          reject,
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(bytes);
  });
}

/** Sends events as plain JSON, or encoded, and gives the receipt. Fails when they are not taken. */
export async function sendEvents(
  server: TestServer,
  path: string,
  events: readonly unknown[],
  {
    headers = {},
    encode = (json) => json,
  }: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly encode?: (json: Buffer) => Uint8Array;
  } = {},
): Promise<Receipt> {
  const answer = await send(server, { path, headers, body: encode(Buffer.from(JSON.stringify(events))) });
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text) as Receipt;
}

/** Fails when an answer is not a refusal in the documented form, or shows anything of the server's inside. */
export function assertRefused(answer: Answer, status: number, code: string, sentence = /./): void {
  assert.equal(answer.status, status, answer.text);
  assert.match(String(answer.headers['content-type']), /^application\/json/);
  const body = JSON.parse(answer.text) as Record<string, unknown>;
  assert.deepEqual(Object.keys(body).sort(), ['code', 'message', 'requestId']);
  assert.equal(body.code, code);
  assert.equal(body.requestId, answer.headers['x-request-id']);
  assert.match(String(body.message), sentence);
  assert.doesNotMatch(answer.text, /\.ts\b|\.js\b|node:|\bat [A-Z#]|Error:|node_modules/, 'no stack trace');
}
