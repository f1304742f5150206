/** How requests may come: any Content-Type, a trailing slash, preflights of browsers and phones, and the greeting that Java asks for. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { hourOf } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { exportRows, onlyRow } from './helpers/export-rows.ts';
import { send, sendEvents } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './helpers/test-server.ts';

const HOUR = hourOf(HOUR_START_MS);
const AI = TEST_PROJECT.ai;
const PATH = `/v3/${AI}/web/pv`;
const ORIGIN = 'https://shop.example.test';
const page = (u: string): Record<string, unknown> => ({ t: 'page', u, s: 's', tm: 1, d: 'shop', p: '/' });

const CONTENT_TYPES = [
  'application/json',
  'text/plain,text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'application/json; charset=latin1',
  'text/plain; charset=',
  '; ; ;',
  '"',
  '*/*',
  'x',
  '商'.repeat(10),
];

const PATHS = [
  `/v3/${AI}/web/pv/`,
  `/v3/${AI}/web/cstm`,
  `//v3/${AI}/web/cstm`, // from a configured host that ends with a slash
  `/v3/${AI}/wap/other`,
  `http://api.example.test/v3/${AI}/web/pv`, // as a proxy asks
  `/v3/${AI}/minp/pv`,
  `/v2/${AI}/web/pv`,
  `/v2/${AI}/web/action/`,
  `/v2/${AI}/wap/pv`,
  `/custom/${AI}/web/cstm`,
  `/custom/${AI}/wap/events/?stm=1`,
  `/projects/${AI}/apps/wxapp1/collect/`,
  `/v3/${AI}/android/imp`,
  `/v3/${AI}/ios/whatever.comes-next_`,
  `/v3/${AI}/harmonyos/pv?`,
  `/app/${AI}/android/ctvt/?stm=1`,
  `/app/${AI}/ios/ctvt`,
];

test('requests of every look', async (t) => {
  const server = await startTestServer(t);
  for (const [place, contentType] of CONTENT_TYPES.entries()) {
    const headers = { 'Content-Type': Buffer.from(contentType).toString('latin1') };
    await sendEvents(server, PATH, [page(`content-type-${place}`)], { headers });
  }
  await sendEvents(server, PATH, [page('without content type')]);
  for (const path of PATHS) await sendEvents(server, path, [page(path)]);
  await sendChunked(server, [page('chunked, byte by byte')]);
  await sendEvents(server, PATH, [page('byte order mark')], {
    encode: (json) => Buffer.concat([Buffer.from('\uFEFF \r\n'), json]),
  });
  const one = await send(server, { path: PATH, body: JSON.stringify(page('one event without an array')) });
  assert.equal(one.status, 200, one.text);
  const tables = await exportRows(server, HOUR);

  for (const [place, contentType] of CONTENT_TYPES.entries()) {
    await t.test(`are taken with Content-Type ${contentType}`, () => {
      onlyRow(tables.page, { visitUserId: `content-type-${place}` });
    });
  }
  for (const path of PATHS) {
    await t.test(`are taken at ${path}`, () =>
      assert.ok(onlyRow(tables.page, { domain: 'shop', visitUserId: path.slice(0, 64) })),
    );
  }
  for (const visitUserId of [
    'without content type',
    'chunked, byte by byte',
    'byte order mark',
    'one event without an array',
  ]) {
    await t.test(`are taken: ${visitUserId}`, () => assert.ok(onlyRow(tables.page, { visitUserId })));
  }
});

test('CORS', async (t) => {
  const server = await startTestServer(t);
  const asked = 'content-type,x-custom-header';

  await t.test('a preflight is allowed for the page that asks, with its headers', async () => {
    const answer = await send(server, {
      method: 'OPTIONS',
      path: `${PATH}?stm=1`,
      headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': asked },
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.text, '');
    assertAllowed(answer.headers);
    assert.match(String(answer.headers['access-control-allow-methods']), /\bPOST\b/);
    assert.equal(answer.headers['access-control-allow-headers'], asked);
  });

  await t.test('a preflight without Origin, as Android sends it, gets 200 at every endpoint', async () => {
    for (const path of [`/v3/${AI}/android/pv?stm=1`, `/app/${AI}/ios/ctvt`, `/projects/${AI}/apps/a/collect`, '/']) {
      const answer = await send(server, { method: 'OPTIONS', path });
      assert.equal(answer.status, 200, path);
      assert.equal(answer.headers['access-control-allow-origin'], undefined);
    }
  });

  await t.test('hostile header names in a preflight are not echoed', async () => {
    const headers = { Origin: ORIGIN, 'Access-Control-Request-Headers': 'x'.repeat(2000) };
    const answer = await send(server, { method: 'OPTIONS', path: PATH, headers });
    assert.equal(answer.status, 200);
    assert.match(String(answer.headers['access-control-allow-headers']), /^Content-Type, X-Compress-Codec/);
  });

  const answers: readonly (readonly [what: string, path: string, body: string, status: number])[] = [
    ['events that are taken', PATH, '[]', 200],
    ['a body that cannot be decoded', PATH, 'nonsense', 400],
    ['a project that does not exist', '/v3/ffffffffffffffff/web/pv', '[]', 404],
  ];
  for (const [what, path, body, status] of answers) {
    await t.test(`the page may read the answer to ${what}`, async () => {
      const answer = await send(server, { path, body, headers: { Origin: ORIGIN } });
      assert.equal(answer.status, status);
      assertAllowed(answer.headers);
    });
  }

  await t.test('the origin is echoed and never *, null included', async () => {
    for (const Origin of ['null', 'http://localhost:3000']) {
      const { headers } = await send(server, { path: PATH, body: '[]', headers: { Origin } });
      assert.equal(headers['access-control-allow-origin'], Origin);
    }
  });
});

test('GET / answers 200, or the Java SDK sends nothing', async (t) => {
  const server = await startTestServer(t);
  for (const method of ['GET', 'HEAD']) {
    for (const path of ['/', '/?a=b', '//']) {
      const answer = await send(server, { method, path });
      assert.equal(answer.status, 200, `${method} ${path}`);
      assert.equal(answer.text, method === 'GET' ? 'Tidegate\n' : '');
    }
  }
});

function assertAllowed(headers: Readonly<Record<string, unknown>>): void {
  assert.equal(headers['access-control-allow-origin'], ORIGIN);
  assert.equal(headers['access-control-allow-credentials'], 'true');
  assert.match(String(headers.vary), /\bOrigin\b/);
}

/** Sends a body of unannounced length, each byte in a chunk of its own. */
async function sendChunked(server: TestServer, events: readonly unknown[]): Promise<void> {
  const socket = connect(server.port, server.host);
  socket.write(`POST ${PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`);
  for (const byte of Buffer.from(JSON.stringify(events))) {
    socket.write(Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]));
  }
  socket.write('0\r\n\r\n');
  assert.match((await buffer(socket)).toString(), /^HTTP\/1\.1 200 /);
}

test('the address of a client', async (t) => {
  const behindProxy = await startTestServer(t, { trustedProxies: ['127.0.0.1', '10.0.0.0/8'] });
  const alone = await startTestServer(t);
  const cases: readonly (readonly [what: string, server: TestServer, headers: Record<string, string>, ip: string])[] = [
    ['is what a trusted proxy says', behindProxy, { 'X-Forwarded-For': '203.0.113.9' }, '203.0.113.9'],
    [
      'is what the nearest of several proxies saw',
      behindProxy,
      { 'X-Forwarded-For': '1.1.1.1, 203.0.113.9, 10.0.0.2' },
      '203.0.113.9',
    ],
    ['is X-Real-IP where nothing is forwarded', behindProxy, { 'X-Real-IP': '203.0.113.9' }, '203.0.113.9'],
    [
      'is never cut',
      behindProxy,
      { 'X-Forwarded-For': '[2001:db8:1111:2222:3333:4444:5555:6666]:80' },
      '2001:db8:1111:2222:3333:4444:5555:6666',
    ],
    ['is unwrapped', behindProxy, { 'X-Forwarded-For': '::ffff:203.0.113.9' }, '203.0.113.9'],
    [
      "is the socket's where no proxy is trusted",
      alone,
      { 'X-Forwarded-For': '203.0.113.9', 'X-Real-IP': '203.0.113.9' },
      '127.0.0.1',
    ],
  ];
  for (const [what, server, headers] of cases) {
    await sendEvents(
      server,
      PATH,
      [
        { t: 'vst', u: what, s: 's', tm: 1 },
        { t: 'activate', u: what, tm: 1 },
      ],
      { headers },
    );
  }
  const tables = [await exportRows(behindProxy, HOUR), await exportRows(alone, HOUR)];
  for (const [visitUserId, , , ip] of cases) {
    await t.test(visitUserId, () => {
      assert.equal(
        onlyRow(
          tables.flatMap(({ visit }) => visit),
          { visitUserId },
        ).ip,
        ip,
      );
      assert.equal(
        onlyRow(
          tables.flatMap((both) => both.ads_track_activation),
          { visitUserId },
        ).ip,
        ip,
      );
    });
  }
});

test('a body under XOR is read with the time of X-Timestamp where the query has none', async (t) => {
  const server = await startTestServer(t);
  const stm = HOUR_START_MS + 7;
  const body = Buffer.from(JSON.stringify([page('mate')])).map((byte) => byte ^ (stm & 0xff));
  const headers = { 'X-Crypt-Codec': '1', 'X-Timestamp': String(stm) };
  const answer = await send(server, { path: `/v3/${AI}/harmonyos/pv`, body, headers });
  assert.equal(answer.status, 200, answer.text);
  onlyRow((await exportRows(server, HOUR)).page, { visitUserId: 'mate' });
});
