/** Posts each of many requests once, over a few connections; for filling an hour with a known number of rows. */
import { Agent, request } from 'node:http';

export type PostedRequest = { readonly path: string; readonly body: Buffer };

const CONNECTIONS = 16;

/** Posts all requests, each as soon as the one before on its connection is answered. @throws Error unless all are answered 200 */
export async function postRequests(baseUrl: string, requests: Iterable<PostedRequest>): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const left = requests[Symbol.iterator]();
  try {
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        for (let next = left.next(); !next.done; next = left.next()) await post(agent, baseUrl, next.value);
      }),
    );
  } finally {
    agent.destroy();
  }
}

function post(agent: Agent, baseUrl: string, { path, body }: PostedRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Length': body.length };
    const sending = request(`${baseUrl}${path}`, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.once('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode ?? 0}`)),
      );
    });
    sending.once('error', reject);
    sending.end(body);
  });
}
