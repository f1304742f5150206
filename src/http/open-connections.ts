/**
 * Knows the server's connections and what runs on each, so that the server can stop without cutting an answer short.
 *
 * Node's own `closeIdleConnections` takes a connection for idle as soon as its answer has been handed over, though the client may
 * not have read all of it; so the server is stopped from here.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export class OpenConnections {
  readonly #server: Server;
  readonly #running = new Map<Duplex, Set<ServerResponse>>();
  #isClosing = false;

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#running.set(socket, new Set());
      socket.once('close', () => this.#running.delete(socket));
    });
  }

  /** Notes a request that has come in. Called before anything is answered. */
  begin(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req;
    const running = this.#running.get(socket);
    running?.add(res);
    if (this.#isClosing) res.setHeader('Connection', 'close');
    res.on('close', () => {
      running?.delete(res);
      if (this.#isClosing && running?.size === 0) socket.destroySoon();
    });
  }

  /** Says whether a connection has a request that came in whole and is not answered yet. */
  hasWholeRequest(socket: Duplex): boolean {
    const running = this.#running.get(socket);
    return running !== undefined && [...running].some((res) => res.req.complete || res.headersSent);
  }

  /** Stops accepting, lets the running answers end, and after `timeoutMs` ends what still runs. Called once. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosing = true;
    // Not the HTTP server's own close, which begins with closeIdleConnections.
    const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(this.#server, () => resolve()));
    for (const [socket, running] of this.#running) {
      if (running.size === 0) socket.destroy();
      for (const res of running) if (!res.headersSent) res.setHeader('Connection', 'close');
    }
    const timer = setTimeout(() => this.#destroyAll(), timeoutMs);
    await closed;
    clearTimeout(timer);
    this.#server.close(); // stops the timer that looks for slow requests; there is nothing else left to close
  }

  #destroyAll(): void {
    for (const socket of this.#running.keys()) socket.destroy();
  }
}
