/**
 * The one HTTP server: gives each request its id, and hands it to the collector or to the API.
 *
 * The collector is asked first and answers with bare node:http, because it takes thousands of small requests a second; everything
 * else goes through fastify. What holds for both is here: sizes, time-outs, unreadable requests, and a stop that cuts no answer.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import type { FastifyInstance } from 'fastify';
import type { BaseLogger } from 'pino';
import { ConfigurationError } from '../errors/app-error.ts';
import type { ErrorCode } from '../errors/catalogue.ts';
import { isSystemError } from '../lib/system-error.ts';
import { answerClientError } from './client-errors.ts';
import { buildErrorBody } from './error-body.ts';
import { OpenConnections } from './open-connections.ts';
import { REQUEST_ID_HEADER, RequestIds } from './request-id.ts';

/**
 * What lasts, V8 moves to where it is seldom collected; and it learns of which sites all objects have lasted, to put those of later there at once.
 * While a server starts, most have. It would then put some object of every request there, which holds on to the whole request after its answer: 100 MB,
 * and a twelfth of all CPU time for moving and marking them. For the whole process, from here on.
 */
setFlagsFromString('--no-allocation-site-pretenuring');

/** What the server allows a client before it gives up on it. */
export const HTTP_LIMITS = {
  /** Request line and headers together. */
  maxHeaderBytes: 16 * 1024,
  /** From the start of a request to the end of its headers; a phone on a slow net needs seconds, an attacker minutes. */
  headersTimeoutMs: 30_000,
  /** From the start of a request to the end of its body: 8 MiB at 70 KB/s. */
  requestTimeoutMs: 120_000,
  /** No byte in either direction while a request runs: a client that has stopped reading holds a file open. */
  idleTimeoutMs: 120_000,
  /** Longer than the 60 s of common proxies (nginx, AWS ALB), so that a proxy never sends into a connection just closed here. */
  keepAliveTimeoutMs: 75_000,
  /** How often the first two are looked at. */
  connectionsCheckingIntervalMs: 5_000,
  /** What a stop leaves to running answers; below the 30 s after which Kubernetes kills, the 90 s of systemd anyway. */
  stopTimeoutMs: 20_000,
} as const;

/**
 * Answers a collector request and returns true; returns false, having done nothing, when the path is not the collector's. Decides
 * before it returns. The request's id is in `x-request-id`, and set on the answer. Must not throw.
 */
export type CollectHandler = (req: IncomingMessage, res: ServerResponse, url: string) => boolean;

export type HttpServerOptions = {
  /** Port 0 takes any free port. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Absent when this process is no collector. */
  readonly handleCollect?: CollectHandler | undefined;
  /** A ready instance; closing it is the caller's. Absent when this process serves no API. */
  readonly api?: FastifyInstance | undefined;
  readonly logger: BaseLogger;
  /** Default: HTTP_LIMITS. */
  readonly limits?: Partial<Record<keyof typeof HTTP_LIMITS, number>>;
};

export interface HttpServer {
  /** Where the server listens. */
  readonly host: string;
  readonly port: number;
  /** Stops accepting, lets running answers end for at most `stopTimeoutMs`, then cuts them off. May be called again. */
  close(): Promise<void>;
}

/** Opens the server; it accepts requests when this returns. @throws ConfigurationError when it cannot listen there */
export async function openHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const limits = { ...HTTP_LIMITS, ...options.limits };
  const server = createServer({
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: limits.connectionsCheckingIntervalMs,
    requireHostHeader: false, // answered below, with a request id
  });
  server.timeout = limits.idleTimeoutMs;
  const connections = new OpenConnections(server);
  addHandlers(server, connections, options);
  const { address: host, port } = await listen(server, options.listen);
  server.on('error', (error) => options.logger.error({ err: error }, 'The HTTP server failed.'));
  let closing: Promise<void> | undefined;
  return { host, port, close: () => (closing ??= connections.close(limits.stopTimeoutMs)) };
}

function addHandlers(server: Server, connections: OpenConnections, options: HttpServerOptions): void {
  const requestIds = new RequestIds();
  const begin = (req: IncomingMessage, res: ServerResponse): void => {
    connections.begin(req, res);
    res.setHeader('X-Request-Id', requestIds.assign(req));
  };
  server.on('request', (req, res) => {
    begin(req, res);
    // RFC 9112 §3.2
    if (req.headers.host === undefined && req.httpVersion === '1.1') {
      endWithError(res, 400, 'bad_request', 'The Host header is missing.');
      return;
    }
    try {
      req.url = withoutAuthority(req.url ?? '/');
      if (options.handleCollect?.(req, res, req.url) === true) return;
    } catch (error) {
      options.logger.error({ err: error, requestId: req.headers[REQUEST_ID_HEADER] }, 'The collector threw.');
      endWithError(res, 500, 'internal', 'The server could not answer this request.');
      return;
    }
    if (options.api) options.api.routing(req, res);
    else endWithError(res, 404, 'not_found', 'There is nothing at this path.');
  });
  server.on('checkExpectation', (req, res) => {
    begin(req, res);
    endWithError(res, 417, 'bad_request', 'The Expect header asks for something unknown.');
  });
  server.on('clientError', (error, socket) => {
    // A whole request that is being answered must not be answered with the next one's error; its client will send it again.
    if (connections.hasWholeRequest(socket)) socket.destroy();
    else answerClientError(error, socket, requestIds.next());
  });
}

/** Takes scheme and authority off a request target in absolute form, which proxies send (RFC 9112 §3.2.2). */
function withoutAuthority(target: string): string {
  if (target.startsWith('/')) return target;
  const origin = /^https?:\/\/[^/?#]*/i.exec(target)?.[0];
  if (origin === undefined) return target;
  const rest = target.slice(origin.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function endWithError(res: ServerResponse, status: number, code: ErrorCode, sentence: string): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const body = JSON.stringify(buildErrorBody(code, sentence, String(res.getHeader('X-Request-Id'))));
  res.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  });
  res.end(body);
}

function listen(server: Server, { host, port }: HttpServerOptions['listen']): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(listenError(error, host, port));
    server.once('error', fail);
    server.listen({ host, port }, () => {
      server.off('error', fail);
      resolve(server.address() as AddressInfo); // a TCP server has one
    });
  });
}

const LISTEN_FAULTS = {
  EADDRINUSE: 'another program listens there already; stop it, or choose another address with --listen.',
  EACCES: 'this user may not; choose a port from 1024 on, or give the program the right to.',
  EADDRNOTAVAIL: 'this machine has no such address; 0.0.0.0 means all it has.',
  ENOTFOUND: 'the host name is not known.',
} as const;

function listenError(error: Error, host: string, port: number): Error {
  for (const [code, sentence] of Object.entries(LISTEN_FAULTS)) {
    if (isSystemError(error, code))
      return new ConfigurationError([`Cannot listen on ${host}, port ${port}: ${sentence}`]);
  }
  return error;
}
