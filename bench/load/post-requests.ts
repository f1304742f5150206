/**
 * Posts each of many requests once, over some connections; for filling an hour with a known number of rows.
 *
 * Bare sockets, one write a request, because the client shares its machine with the server that is measured: node:http would take
 * as much of it as the server does.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export type PostedRequest = { readonly path: string; readonly body: Buffer };

const CONNECTIONS = 64;

/** Posts all requests, each as soon as the one before on its connection is answered. @throws Error unless all are answered 200 */
export async function postRequests(baseUrl: string, requests: Iterable<PostedRequest>): Promise<void> {
  const { hostname, port, host } = new URL(baseUrl);
  const left = requests[Symbol.iterator]();
  const sendAll = async (): Promise<void> => {
    const socket = connect(Number(port), hostname).setNoDelay(true);
    try {
      await once(socket, 'connect');
      for (let next = left.next(); !next.done; next = left.next()) await post(socket, host, next.value);
    } finally {
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, sendAll));
}

/** Sends one request and waits for its answer, which has a Content-Length and mostly comes in one piece. */
function post(socket: Socket, host: string, { path, body }: PostedRequest): Promise<void> {
  const head = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n`;
  const request = Buffer.allocUnsafe(head.length + body.length);
  request.write(head, 'latin1');
  body.copy(request, head.length);
  return new Promise((resolve, reject) => {
    let answer = '';
    const end = (error?: Error): void => {
      socket.off('data', onData).off('close', onClose);
      if (error) reject(error);
      else resolve();
    };
    const onData = (bytes: Buffer): void => {
      answer += bytes.toString('latin1');
      const headEnd = answer.indexOf('\r\n\r\n');
      const length = /\r\ncontent-length: (\d+)/i.exec(answer)?.[1];
      if (headEnd < 0 || answer.length < headEnd + 4 + Number(length)) return;
      end(answer.startsWith('HTTP/1.1 200 ') ? undefined : new Error(`answered with ${answer}`));
    };
    const onClose = (): void => end(new Error('The server closed the connection.'));
    socket.on('data', onData).on('close', onClose).write(request);
  });
}
