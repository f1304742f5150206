/**
 * A receiver as one would write it instead: takes the same requests, parses their JSON, and answers when the rows are stored.
 *
 * `fastify` stores nothing, and is what parsing and answering alone cost. The others have node:http, which costs less than a
 * framework, and store all requests that wait at once, as Tidegate does.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fastify } from 'fastify';
import { actionRowsOf, type ClickEvent } from './action-rows.ts';
import { openChdbStore } from './chdb-store.ts';
import { openDuckDbStore } from './duckdb-store.ts';
import { openPostgresOnceStore, openPostgresStore } from './postgres-store.ts';
import type { RowStore } from './row-store.ts';

export type ReceiverArgument = { readonly kind: 'fastify' | keyof typeof STORES; readonly folder: string };

const STORES = {
  postgres: openPostgresStore,
  'postgres, no row twice': openPostgresOnceStore,
  duckdb: openDuckDbStore,
  chdb: openChdbStore,
} as const;
const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** Rows of one transaction; more wait for the next. */
const MAX_ROWS = 50_000;

type Waiting = { readonly events: readonly ClickEvent[]; readonly response: ServerResponse };

async function serveFastify(): Promise<number> {
  const app = fastify({ bodyLimit: MAX_BODY_BYTES });
  app.post('/*', (request) => ({ events: (request.body as readonly ClickEvent[]).length }));
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}

async function serveStore(store: RowStore): Promise<number> {
  const waiting: Waiting[] = [];
  let isStoring = false;

  const storeWaiting = async (): Promise<void> => {
    if (isStoring) return;
    isStoring = true;
    while (waiting.length > 0) {
      const group: Waiting[] = [];
      for (let rows = 0; rows < MAX_ROWS && waiting.length > 0; rows += group.at(-1)!.events.length) {
        group.push(waiting.shift()!);
      }
      const sendTimeMs = Date.now();
      await store.append(group.flatMap(({ events }) => events.flatMap((event) => actionRowsOf(event, sendTimeMs))));
      for (const { response } of group) response.writeHead(200, { 'Content-Length': 0 }).end();
    }
    isStoring = false;
  };

  const take = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      waiting.push({ events: JSON.parse(Buffer.concat(chunks).toString()) as ClickEvent[], response });
      setImmediate(() => void storeWaiting()); // after the other requests that have come with it
    });
  };
  const server = createServer(take).listen(0, '127.0.0.1', 1024);
  await new Promise((resolve) => server.once('listening', resolve));
  return (server.address() as AddressInfo).port;
}

const { kind, folder } = JSON.parse(process.argv[2] ?? '') as ReceiverArgument;
const port = kind === 'fastify' ? await serveFastify() : await serveStore(await STORES[kind](folder));
process.on('SIGTERM', () => process.exit());
process.on('disconnect', () => process.exit());
process.send?.({ port, pid: process.pid });
