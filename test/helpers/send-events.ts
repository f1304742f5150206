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
export function send(server: TestServer, { path, body = '', method = 'POST', headers = {} }: Sent): Promise<Answer> {
  const bytes = Buffer.from(body);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: server.host,
        port: server.port,
        method,
        path,
        agent: false,
        headers: { ...(method === 'GET' ? {} : { 'Content-Length': bytes.length }), ...headers },
      },
      (response) => {
        buffer(response).then(
          (text) => resolve({ status: response.statusCode!, headers: response.headers, text: text.toString() }),
          reject,
        );
      },
    );
    sent.on('error', reject);
    sent.end(bytes);
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
