import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, get, request, type IncomingMessage, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { ConfigurationError } from '../errors/app-error.ts';
import { type HttpServerOptions, openHttpServer } from './server.ts';
import { atEnd } from '../../test/helpers/at-end.ts';

/** A server whose collector takes every path that begins with /collect. */
async function openServer(t: TestContext, collect: RequestListener, options: Partial<HttpServerOptions> = {}) {
  const logged: Record<string, unknown>[] = [];
  const logger = pino(
    { level: 'warn' },
    { write: (line: string) => logged.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const server = await openHttpServer({
    listen: { host: '127.0.0.1', port: 0 },
    logger,
    handleCollect: (req, res, url) => {
      if (!url.startsWith('/collect')) return false;
      collect(req, res);
      return true;
    },
    ...options,
  });
  atEnd(t, () => server.close());
  return { server, port: server.port, logged };
}

/** Sends bytes as they are and gives everything that comes back until the server closes the connection. */
async function sendRaw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return text(socket);
}

const head = (path: string, lines: readonly string[] = []) =>
  [`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: close', ...lines, '', ''].join('\r\n');

describe('openHttpServer', () => {
  test('asks the collector first and gives every answer a request id', async (t) => {
    const { port } = await openServer(t, (req, res) => res.end(req.headers['x-request-id']));
    const own = await fetch(`http://127.0.0.1:${port}/collect?x=1`);
    const id = own.headers.get('X-Request-Id');
    assert.match(id ?? '', /^[0-9a-f]{10}-1$/);
    assert.equal(await own.text(), id);
    const proxied = await fetch(`http://127.0.0.1:${port}/collect`, { headers: { 'X-Request-Id': 'proxy-77' } });
    assert.equal(proxied.headers.get('X-Request-Id'), 'proxy-77');
    const forged = await fetch(`http://127.0.0.1:${port}/collect`, { headers: { 'X-Request-Id': 'a b"c' } });
    assert.match(forged.headers.get('X-Request-Id') ?? '', /^[0-9a-f]{10}-2$/);
    const unknown = await fetch(`http://127.0.0.1:${port}/other`);
    assert.equal(unknown.status, 404);
    assert.equal(((await unknown.json()) as { requestId: string }).requestId, unknown.headers.get('X-Request-Id'));
  });

  test('answers what is no HTTP, too large or incomplete as JSON, and closes the connection', async (t) => {
    const { port, logged } = await openServer(t, (_req, res) => res.end());
    const cases: [string, number][] = [
      ['nonsense\r\n\r\n', 400],
      ['GET x HTTP/1.1\r\nHost: x\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n', 400],
      ['POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n', 400],
      ['POST /collect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n', 400],
      ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
      [head('/', [`X-Large: ${'x'.repeat(20_000)}`]), 431],
      [head('/', [`X-Large: ${'x'.repeat(2_000_000)}`]), 431],
      [head(`/${'x'.repeat(20_000)}`), 414],
      [head('/', ['Expect: the-unexpected']), 417],
    ];
    for (const [bytes, status] of cases) {
      const answer = await sendRaw(port, bytes);
      const what = bytes.slice(0, 60);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), what);
      assert.match(answer, /x-request-id: \S+/i, what);
      const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as Record<string, string>;
      assert.deepEqual(Object.keys(body), ['code', 'message', 'requestId'], what);
    }
    assert.deepEqual(logged, []);
  });

  test('serves HTTP 1.0 without a Host header', async (t) => {
    const { port } = await openServer(t, (_req, res) => res.end('taken'));
    assert.match(await sendRaw(port, 'GET /collect HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 .*taken$/s);
  });

  test('answers 408 to a request whose headers or body do not arrive in time', async (t) => {
    const limits = { headersTimeoutMs: 40, requestTimeoutMs: 40, connectionsCheckingIntervalMs: 10 };
    const { port } = await openServer(t, () => undefined, { limits });
    const body = 'POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab';
    for (const bytes of ['GET / HT', body]) assert.match(await sendRaw(port, bytes), /^HTTP\/1\.1 408 /);
  });

  test('cuts the connection of a client that neither reads nor writes while its answer runs', async (t) => {
    const { promise: closed, resolve } = Promise.withResolvers<undefined>();
    const { port } = await openServer(t, (_req, res) => res.once('close', () => resolve(undefined)), {
      limits: { idleTimeoutMs: 1_000 }, // it counts from the connection on, and the request must be there before
    });
    get({ port, host: '127.0.0.1', path: '/collect' }).on('error', () => undefined);
    await closed;
  });

  test('does not answer a whole request with the fault of the next', async (t) => {
    const { port } = await openServer(t, () => undefined);
    const both = sendRaw(port, 'GET /collect HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n');
    assert.equal(await both.catch(() => ''), '');
  });

  test('survives a collector that throws, and logs it once', async (t) => {
    const { port, logged } = await openServer(t, () => {
      throw new Error('a fault with a secret');
    });
    const answer = await fetch(`http://127.0.0.1:${port}/collect`);
    assert.equal(answer.status, 500);
    assert.doesNotMatch(await answer.text(), /secret|server\.test/);
    assert.equal(logged.length, 1);
  });

  test('lets running answers end when it closes, and takes no new ones', async (t) => {
    const running = Promise.withResolvers<Parameters<RequestListener>[1]>();
    const { server, port } = await openServer(t, (_req, res) => running.resolve(res));
    const agent = new Agent({ keepAlive: true });
    const call = get({ port, host: '127.0.0.1', path: '/collect', agent });
    const res = await running.promise;
    const closed = server.close();
    assert.equal(server.close(), closed);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/collect`));
    res.end('whole');
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    assert.equal(await text(answer), 'whole');
    assert.equal(answer.headers.connection, 'close');
    await closed;
    agent.destroy();
  });

  test('lets an answer of which the client has not read the end yet go out whole', async (t) => {
    const bytes = 20_000_000;
    const ended = Promise.withResolvers<undefined>();
    const { server, port } = await openServer(t, (_req, res) => {
      res.writeHead(200, { 'Content-Length': bytes });
      res.end(Buffer.alloc(bytes), () => undefined);
      ended.resolve(undefined);
    });
    const call = request({ port, host: '127.0.0.1', path: '/collect', agent: new Agent({ keepAlive: true }) }).end();
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    await ended.promise;
    const closed = server.close();
    let received = 0;
    for await (const chunk of answer) received += (chunk as Buffer).length;
    assert.equal(received, bytes);
    await closed;
  });

  test('ends idle connections at once and running answers after the time it leaves them', async (t) => {
    const running = Promise.withResolvers<undefined>();
    const { server, port } = await openServer(t, () => running.resolve(undefined), { limits: { stopTimeoutMs: 30 } });
    const idle = connect(port, '127.0.0.1');
    await once(idle, 'connect');
    const call = get({ port, host: '127.0.0.1', path: '/collect' });
    await running.promise;
    const cut = once(call, 'response');
    await Promise.all([server.close(), once(idle, 'close'), assert.rejects(cut, { code: 'ECONNRESET' })]);
  });

  test('says in a sentence why it cannot listen', async (t) => {
    const { port } = await openServer(t, () => undefined);
    const logger = pino({ level: 'silent' });
    for (const [listen, sentence] of [
      [{ host: '127.0.0.1', port }, /Cannot listen on 127\.0\.0\.1, port \d+: another program listens there already/],
      [{ host: '203.0.113.1', port: 0 }, /this machine has no such address/],
    ] as const) {
      await assert.rejects(openHttpServer({ listen, logger }), (error) => {
        assert.ok(error instanceof ConfigurationError);
        assert.match(error.message, sentence);
        return true;
      });
    }
  });
});
