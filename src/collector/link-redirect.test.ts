import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { atEnd } from '../../test/helpers/at-end.ts';
import { FakeClock } from '../../test/helpers/fake-clock.ts';
import type { IndexedClick } from '../ads/click-index-file.ts';
import { DeviceKeys } from '../ads/device-keys.ts';
import type { TrackingLink } from '../catalog/tracking-link.ts';
import { AppError } from '../errors/app-error.ts';
import type { EventBatch } from '../events/event-row.ts';
import { CollectorMetrics } from './collector-metrics.ts';
import { IngestLimit } from './ingest-limit.ts';
import { LinkRedirect, type LinkRedirectOptions } from './link-redirect.ts';
import { ProjectAddresses } from './project-addresses.ts';

const LINK: TrackingLink = {
  linkId: 'aB3dE6gH',
  ai: '0123456789abcdef',
  name: 'Link',
  target: 'https://shop.example.com/app',
  campaign: null,
  channel: null,
  productId: null,
  variables: {},
  status: 'activated',
  createdAtMs: 0,
  updatedAtMs: 0,
};
const SEND_TIME_MS = 1_795_407_000_500;

type Stored = { readonly rows: EventBatch[]; readonly clicks: IndexedClick[] };

/** Serves one link over a store and an index that only keep what they get. */
async function serve(
  t: TestContext,
  changes: Partial<LinkRedirectOptions> = {},
): Promise<Stored & { readonly url: string }> {
  const rows: EventBatch[] = [];
  const clicks: IndexedClick[] = [];
  const clock = new FakeClock(SEND_TIME_MS - 500);
  const links = new LinkRedirect({
    findLink: (linkId) => (linkId === LINK.linkId ? LINK : undefined),
    store: { append: (batch) => Promise.resolve({ sendTimeMs: SEND_TIME_MS + 0 * rows.push(batch) }) },
    index: { isFull: false, add: (click) => Promise.resolve(void clicks.push(click)) },
    keys: new DeviceKeys(Buffer.alloc(32)),
    clientAddresses: new ProjectAddresses(() => []),
    ingestLimit: new IngestLimit({ clock, bytesPerSecondOf: () => 0 }),
    metrics: new CollectorMetrics(new Registry()),
    clock,
    logger: pino({ level: 'silent' }),
    baseOf: () => 'https://t.example.com',
    ...changes,
  });
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    if (!links.handle(request, response)) response.writeHead(404).end('not a link');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return { rows, clicks, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/l/${LINK.linkId}` };
}

const ask = (url: string, method = 'GET'): Promise<Response> => fetch(url, { method, redirect: 'manual' });

describe('LinkRedirect', () => {
  it('sends nobody on before the click is durable', async (t) => {
    const fault = new AppError('store_unavailable', 'The disk is full.', { retryAfterSeconds: 5 });
    const { clicks, url } = await serve(t, { store: { append: () => Promise.reject(fault) } });
    const answer = await ask(`${url}?imei=867530912345678`);
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get('location'), null);
    assert.equal(answer.headers.get('retry-after'), '5');
    assert.deepEqual(clicks, [], 'a click without a row is found by no activation');
  });

  it('adds a click to the index with the send time of its row', async (t) => {
    const { rows, clicks, url } = await serve(t);
    assert.equal((await ask(`${url}?imei=867530912345678`)).status, 302);
    assert.equal(rows.length, 1);
    assert.deepEqual(
      clicks.map(({ timeMs, linkId, variables }) => ({ timeMs, linkId, variables })),
      [{ timeMs: SEND_TIME_MS, linkId: LINK.linkId, variables: null }],
    );
  });

  it('sends on where the index fails, because the row is safe', async (t) => {
    const failing = { isFull: false, add: () => Promise.reject(new AppError('store_unavailable', 'It is locked.')) };
    const { rows, url } = await serve(t, { index: failing });
    assert.equal((await ask(`${url}?imei=867530912345678`)).headers.get('location'), LINK.target);
    assert.equal(rows.length, 1);
  });

  it('takes no click that would wait for the index beyond its bound', async (t) => {
    const { rows, url } = await serve(t, { index: { isFull: true, add: () => Promise.resolve() } });
    const answer = await ask(url);
    assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1']);
    assert.deepEqual(rows, []);
  });

  it('leaves every other path to others', async (t) => {
    const { url } = await serve(t);
    const base = url.slice(0, -`/l/${LINK.linkId}`.length);
    for (const path of ['/', '/l', '/l/', '/link/aB3dE6gH', '/l/a.b', `/l/${'a'.repeat(65)}`, '/v3/a/web/pv'])
      assert.equal(await (await ask(base + path)).text(), 'not a link', path);
  });
});
