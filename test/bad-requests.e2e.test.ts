/** Requests that the collector refuses or never gets whole, and a project that sends more than it may. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { Project } from '../src/catalog/catalog.ts';
import { openDataCatalog } from '../src/catalog/data-catalog.ts';
import { hourOf } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { exportRows, readRejected } from './helpers/export-rows.ts';
import { assertRefused, send, sendEvents } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';
import { waitUntil } from './helpers/wait-until.ts';

const HOUR = hourOf(HOUR_START_MS);
const AI = TEST_PROJECT.ai;
const PATH = `/v3/${AI}/web/cstm`;
const good = (n: string): Record<string, unknown> => ({ t: 'cstm', u: 'u', tm: 1, d: 'shop', n });
const BODY = JSON.stringify([good('must not be stored')]);

const NOT_FOUND = [
  `/v3/${AI}`,
  `/v3/${AI}/web`,
  `/v3/${AI}/web/`,
  `/v3/${AI}/web/pv/pv`,
  `/v3/${AI}/web/pv//`,
  `/v3/${AI}/symbian/pv`,
  `/v3/${AI}/WEB/pv`,
  `/v2/${AI}/android/pv`,
  `/v4/${AI}/web/pv`,
  `/v3//web/pv`,
  `/v3/${'a'.repeat(65)}/web/pv`,
  `/v3/a_b/web/pv`,
  '/v3/../web/pv',
  `/v3/${AI}/web/..`,
  `/v3/${AI}/web/../`,
  `/v3/${AI}/web/.`,
  `/v3/${AI}/web/%2e%2e`,
  `/v3/${AI}/web/../../../../etc/passwd`,
  `/v3/..%2f..%2fcatalog.sqlite/web/pv`,
  `/v3/${AI}/web/pv%00`,
  `/projects/${AI}/apps/../collect`,
  `/projects/${AI}/apps//collect`,
  `/projects/${AI}/apps/a/b/collect`,
  `/app/${AI}/web/ctvt`,
  `/app/${AI}/android`,
  '/..',
];

test('requests that are refused', async (t) => {
  const server = await startTestServer(t);
  const acknowledged: string[] = [];
  const goesOn = async (): Promise<void> => {
    const name = `after ${acknowledged.length}`;
    assert.deepEqual(await sendEvents(server, PATH, [good(name)]), { accepted: 1, rejected: 0, ignored: 0 });
    acknowledged.push(name);
  };

  for (const path of NOT_FOUND) {
    await t.test(`a path that is none: POST ${path}`, async () => {
      const answer = await send(server, { path, body: BODY });
      assert.equal(answer.status, 404, answer.text);
      assert.match(String(answer.headers['content-type']), /^application\/json/);
      assert.doesNotMatch(answer.text, /\.ts\b|node:|\bat [A-Z#]|sqlite is|root:/);
      await goesOn();
    });
  }

  for (const path of ['/v3/ffffffffffffffff/web/pv', '/app/x/ios/ctvt', '/projects/no-such/apps/a/collect']) {
    await t.test(`a project that does not exist: ${path}`, async () => {
      const answer = await send(server, { path, body: BODY, headers: { Origin: 'https://shop.example.test' } });
      assertRefused(answer, 404, 'unknown_project', /There is no project/);
      assert.equal(answer.headers['access-control-allow-origin'], 'https://shop.example.test');
      assert.equal(answer.headers['access-control-allow-credentials'], 'true');
      await goesOn();
    });
  }

  for (const method of ['PUT', 'DELETE', 'PATCH']) {
    await t.test(`a wrong method: ${method}`, async () => {
      const answer = await send(server, { method, path: PATH, body: BODY });
      assertRefused(answer, 405, 'method_not_allowed');
      assert.equal(answer.headers.allow, 'GET, POST, OPTIONS');
      await goesOn();
    });
  }

  await t.test('a GET without events', async () => {
    assertRefused(await send(server, { method: 'GET', path: `${PATH}?stm=1` }), 400, 'bad_request', /data/);
    for (const data of ['', 'nonsense', '%', '[{']) {
      const answer = await send(server, { method: 'GET', path: `${PATH}?data=${encodeURIComponent(data)}` });
      assertRefused(answer, 400, 'undecodable_body');
    }
    await goesOn();
  });

  for (const [what, request] of Object.entries(brokenRequests())) {
    await t.test(`a client that breaks off: ${what}`, async () => {
      await breakOff(server, request);
      await goesOn();
    });
  }

  const tables = await exportRows(server, HOUR);
  await t.test('leave nothing behind', () => {
    assert.deepEqual(tables.custom_event.map((row) => row.eventName).sort(), acknowledged.toSorted());
    assert.deepEqual(readRejected(server, HOUR), []);
  });
});

/** Requests whose body never comes whole, by where they break off. */
function brokenRequests(): Record<string, string> {
  const head = `POST ${PATH} HTTP/1.1\r\nHost: x\r\n`;
  const sized = `${head}Content-Length: ${BODY.length + 1}\r\n`;
  return {
    'in the request line': 'POST /v3',
    'in the headers': sized,
    'before the body': `${sized}\r\n`,
    'one byte before the end of the body': `${sized}\r\n${BODY}`,
    'between two chunks': `${head}Transfer-Encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n${BODY}\r\n`,
    'in a chunk': `${head}Transfer-Encoding: chunked\r\n\r\n${(BODY.length + 9).toString(16)}\r\n${BODY}`,
  };
}

/** Sends the beginning of a request and is gone. */
async function breakOff(server: TestServer, request: string): Promise<void> {
  const socket = connect(server.port, server.host);
  await once(socket, 'connect');
  await new Promise((resolve) => socket.write(request, resolve));
  socket.resetAndDestroy();
  await once(socket, 'close');
}

const NEIGHBOUR: Project = {
  ...TEST_PROJECT,
  ai: 'fedcba9876543210',
  uid: 'hG6Ed3Ba',
  clientId: 'public-key-2',
  name: 'Neighbour',
};
const NEIGHBOUR_PATH = `/v3/${NEIGHBOUR.ai}/web/cstm`;

test('a project that sends more than it may', async (t) => {
  const server = await startTestServer(t, { ingestLimitBytesPerSecond: 1000 });
  const catalog = await openDataCatalog(server.data, server.clock);
  await catalog.projects.create(NEIGHBOUR);
  await catalog.close();
  await waitUntil(
    'the neighbour is known',
    async () => (await send(server, { path: NEIGHBOUR_PATH, body: '[]' })).status === 200,
  );
  const events = (name: string, bytes: number): unknown[] => [{ ...good(name), p: 'x'.repeat(bytes) }];

  await t.test('may send four seconds of its share at once, and beyond it only once more', async () => {
    await sendEvents(server, PATH, events('first', 2000));
    await sendEvents(server, PATH, events('second', 6000));
  });
  await t.test('is told when to come again, in a form that a browser may read', async () => {
    const answer = await send(server, { path: PATH, body: BODY, headers: { Origin: 'https://shop.example.test' } });
    assertRefused(answer, 429, 'too_many_requests');
    assert.match(String(answer.headers['retry-after']), /^[45]$/);
    assert.equal(answer.headers['access-control-allow-origin'], 'https://shop.example.test');
    const pixel = await send(server, { method: 'GET', path: `${PATH}?data=${encodeURIComponent(BODY)}` });
    assertRefused(pixel, 429, 'too_many_requests');
  });
  await t.test('leaves its neighbour alone', async () => {
    await sendEvents(server, NEIGHBOUR_PATH, events('neighbour', 2000));
  });
  await t.test('is taken again as soon as it was told, and no sooner', async () => {
    const { headers } = await send(server, { path: PATH, body: BODY });
    const waitMs = Number(headers['retry-after']) * 1000;
    const nowMs = server.clock.nowMs();
    server.clock.set(nowMs + waitMs - 1100);
    assertRefused(await send(server, { path: PATH, body: BODY }), 429, 'too_many_requests');
    server.clock.set(nowMs + waitMs);
    await sendEvents(server, PATH, events('third', 10));
  });
  await t.test('has everything exported that was taken, and its neighbour too', async () => {
    const own = await exportRows(server, HOUR);
    assert.deepEqual(own.custom_event.map((row) => row.eventName).sort(), ['first', 'second', 'third']);
    const neighbours = await exportRows({ ...server, project: NEIGHBOUR }, HOUR);
    assert.deepEqual(
      neighbours.custom_event.map((row) => row.eventName),
      ['neighbour'],
    );
  });
});

test('bodies beyond the memory that all may hold', async (t) => {
  const server = await startTestServer(t, { maxHeldBytes: 64 * 1024 });
  const large = JSON.stringify([{ ...good('large'), p: 'x'.repeat(20_000) }]);
  await t.test('are refused for now when one project holds more than a quarter of it', async () => {
    for (const isChunked of [false, true]) {
      const answer = await send(server, { path: PATH, body: large, isChunked });
      assertRefused(answer, 503, 'overloaded');
      assert.equal(answer.headers['retry-after'], '1');
    }
  });
  await t.test('are let go of again, so that smaller ones are taken', async () => {
    for (let time = 0; time < 10; time += 1) {
      await sendEvents(server, PATH, [{ ...good(`small ${time}`), p: 'x'.repeat(7000) }]);
    }
    const { custom_event: rows } = await exportRows(server, HOUR);
    assert.equal(rows.length, 10);
  });
});
