/** Bodies that cannot be taken as a whole: a clear refusal, nothing stored, and the server goes on. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import snappy from 'snappyjs';
import { hourOf } from '../src/events/hour.ts';
import { xorBody } from './data/wire-encoders.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { exportRows, readRejected } from './helpers/export-rows.ts';
import { assertRefused, send, sendEvents, type Sent } from './helpers/send-events.ts';
import { startTestServer, TEST_PROJECT } from './helpers/test-server.ts';

const HOUR = hourOf(HOUR_START_MS);
const AI = TEST_PROJECT.ai;
const WEB = `/v3/${AI}/web/cstm`;
const STM = 1_795_473_000_123;
const ANDROID = `/v3/${AI}/android/cstm?stm=${STM}`;
const MIB = 1024 * 1024;
const SNAPPY = { 'X-Compress-Codec': '2', 'X-Crypt-Codec': '1' };
const LZ4 = { 'X-Compress-Codec': '3', 'X-Crypt-Codec': '1' };

const good = (n: string): Record<string, unknown> => ({ t: 'cstm', u: 'u', s: 's', tm: 1, d: 'shop', n });
const packed = Buffer.from(snappy.compress(Buffer.from(JSON.stringify([good('in a body that is cut')]))));

/** One byte of it makes 255: a megabyte makes a quarter of a gigabyte. */
function lz4Bomb(bytes: number): Buffer {
  const head = [0x1f, 0x5b, 0x01, 0x00]; // the literal "[", then a match one byte back
  return Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, 0xff), Buffer.from([0, 0x50]), Buffer.from('[[[[[')]);
}

/** The length of a gigabyte, and copies of what is not there. */
const SNAPPY_BOMB = Buffer.concat([Buffer.from([0x80, 0x80, 0x80, 0x80, 0x04]), Buffer.alloc(1000, 0xfe)]);

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
/** An event in which the whole body is nested so many levels deep. */
const deepEvent = (levels: number): string =>
  JSON.stringify([{ ...good(`${levels} levels`), var: 'DEEP' }]).replace('"DEEP"', `{"a":${nested(levels - 3)}}`);
const manyClicks = (rows: number): string => {
  const click = { t: 'clck', u: 'u', s: 's', tm: 1, e: Array.from({ length: 1000 }, () => ({})) };
  return JSON.stringify(Array.from({ length: rows / 1000 }, () => click));
};

type Refusal = Partial<Sent> & { readonly what: string; readonly status: number; readonly code: string };
const REFUSED: readonly Refusal[] = [
  { what: 'an empty body', body: '', status: 400, code: 'undecodable_body' },
  { what: 'blanks', body: ' \r\n\t', status: 400, code: 'undecodable_body' },
  { what: 'a text', body: 'hello', status: 400, code: 'undecodable_body' },
  { what: 'a number', body: '5', status: 400, code: 'undecodable_body' },
  { what: 'a string', body: '"[]"', status: 400, code: 'undecodable_body' },
  { what: 'null', body: 'null', status: 400, code: 'undecodable_body' },
  { what: 'JSON that breaks off', body: '[{"t":"cstm","u":"u"', status: 400, code: 'undecodable_body' },
  { what: 'JSON with something behind it', body: '[]]', status: 400, code: 'undecodable_body' },
  { what: 'two arrays', body: '[][]', status: 400, code: 'undecodable_body' },
  { what: 'a raw NUL in a text', body: '[{"t":"cs\0tm"}]', status: 400, code: 'undecodable_body' },
  { what: 'a raw line break in a text', body: '[{"t":"cs\ntm"}]', status: 400, code: 'undecodable_body' },
  { what: 'single quotes', body: "[{'t':'cstm'}]", status: 400, code: 'undecodable_body' },
  { what: 'a form', body: 'data=%5B%5D', status: 400, code: 'undecodable_body' },
  { what: 'random bytes', body: Buffer.from('5d0f9a33c1e2', 'hex'), status: 400, code: 'undecodable_body' },
  ...[1, 5, packed.length - 1].map((bytes) => ({
    what: `snappy cut after ${bytes} bytes`,
    path: ANDROID,
    headers: SNAPPY,
    body: xorBody(packed.subarray(0, bytes), STM),
    status: 400,
    code: 'undecodable_body',
  })),
  {
    what: 'XOR without stm',
    path: `/v3/${AI}/android/cstm`,
    headers: SNAPPY,
    body: xorBody(packed, STM),
    status: 400,
    code: 'undecodable_body',
  },
  {
    what: 'an LZ4 bomb',
    path: ANDROID,
    headers: LZ4,
    body: xorBody(lz4Bomb(MIB), STM),
    status: 413,
    code: 'too_large',
  },
  {
    what: 'an LZ4 bomb of 8 MiB without headers',
    path: ANDROID,
    body: lz4Bomb(8 * MIB - 16),
    status: 413,
    code: 'too_large',
  },
  {
    what: 'snappy that says it holds a gigabyte',
    path: ANDROID,
    headers: SNAPPY,
    body: xorBody(SNAPPY_BOMB, STM),
    status: 400,
    code: 'undecodable_body',
  },
  {
    what: 'snappy of 65 MiB',
    path: ANDROID,
    headers: SNAPPY,
    body: xorBody(Buffer.from(snappy.compress(Buffer.alloc(65 * MIB, '['))), STM),
    status: 413,
    code: 'too_large',
  },
  { what: '10,000 levels of arrays', body: nested(10_000), status: 400, code: 'too_deep' },
  {
    what: '10,000 levels of objects',
    body: `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
    status: 400,
    code: 'too_deep',
  },
  {
    what: '10,000 levels under snappy',
    path: ANDROID,
    headers: SNAPPY,
    body: xorBody(Buffer.from(snappy.compress(Buffer.from(nested(10_000)))), STM),
    status: 400,
    code: 'too_deep',
  },
  { what: '10,000 levels that are never closed', body: '['.repeat(10_000), status: 400, code: 'too_deep' },
  { what: '65 levels', body: deepEvent(65), status: 400, code: 'too_deep' },
  { what: '9 MiB, announced', body: Buffer.alloc(9 * MIB, ' '), status: 413, code: 'too_large' },
  { what: '9 MiB, not announced', body: Buffer.alloc(9 * MIB, ' '), isChunked: true, status: 413, code: 'too_large' },
  { what: 'more elements than a body may have', body: `[${'1,'.repeat(100_000)}1]`, status: 413, code: 'too_large' },
  { what: 'events that make more rows than a body may', body: manyClicks(200_000), status: 413, code: 'too_large' },
];

type Taken = { readonly what: string; readonly body: string; readonly receipt: readonly [number, number, number] };
const TAKEN: readonly Taken[] = [
  { what: 'an empty object', body: '{}', receipt: [0, 1, 0] },
  { what: 'an empty array', body: '[]', receipt: [0, 0, 0] },
  { what: 'elements that are no objects', body: '[1,"x",null,{},[],true]', receipt: [0, 6, 0] },
  { what: '64 levels', body: deepEvent(64), receipt: [1, 0, 0] },
];

test('bodies that cannot be taken', async (t) => {
  const server = await startTestServer(t);
  const acknowledged: string[] = [];
  for (const { what, status, code, ...sent } of REFUSED) {
    await t.test(`${what}: ${status} ${code}, and the next body is taken`, async () => {
      assertRefused(await send(server, { path: WEB, ...sent }), status, code);
      assert.deepEqual(await sendEvents(server, WEB, [good(what)]), { accepted: 1, rejected: 0, ignored: 0 });
      acknowledged.push(what);
    });
  }
  for (const { what, body, receipt } of TAKEN) {
    await t.test(`${what}: 200, saying what became of it`, async () => {
      const answer = await send(server, { path: WEB, body });
      const { accepted, rejected, ignored } = JSON.parse(answer.text) as Record<string, number>;
      assert.deepEqual([answer.status, accepted, rejected, ignored], [200, ...receipt]);
    });
  }

  await t.test('9 MiB that never end: 413 as soon as it is too much', async () => {
    const socket = connect(server.port, server.host);
    socket.on('error', () => undefined); // the server may close while we still write
    socket.write(`POST ${WEB} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
    for (let chunk = 0; chunk < 9; chunk += 1) {
      socket.write(Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MIB, ' '), Buffer.from('\r\n')]));
    }
    const [head] = (await once(socket, 'data')) as [Buffer];
    assert.match(head.toString(), /^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  await t.test('9 MiB that still come after the 413: the client may send them and go on', async () => {
    // Many clients give up as soon as a write fails, and never read the answer.
    const socket = connect(server.port, server.host);
    socket.write(`POST ${WEB} HTTP/1.1\r\nHost: x\r\nContent-Length: ${9 * MIB}\r\n\r\n `);
    const [refusal] = (await once(socket, 'data')) as [Buffer];
    assert.match(refusal.toString(), /^HTTP\/1\.1 413 /);
    socket.write(Buffer.alloc(9 * MIB - 1, ' '));
    socket.write(`POST ${WEB} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]`);
    const [next] = (await once(socket, 'data')) as [Buffer];
    assert.match(next.toString(), /^HTTP\/1\.1 200 /);
    socket.destroy();
  });

  const tables = await exportRows(server, HOUR);
  await t.test('leave nothing behind but what was acknowledged', () => {
    const counts = Object.entries(tables).map(([dataType, rows]) => [dataType, rows.length] as const);
    assert.deepEqual(
      counts.filter(([, count]) => count > 0),
      [['custom_event', acknowledged.length + 1]],
    );
    assert.deepEqual(
      tables.custom_event.map((row) => row.eventName).sort(),
      [...acknowledged.map((what) => what.slice(0, 50)), '64 levels'].sort(),
    );
  });
  await t.test('leave the elements that are no events as rejected, with their reasons', () => {
    const noObject = { reason: 'the element is no object', line: 'unknown' };
    const noType = { reason: 't (the event type) is missing', line: 'unknown' };
    assert.deepEqual(
      readRejected(server, HOUR).map(({ reason, line, event }) => ({ reason, line, event })),
      [
        { ...noType, event: {} },
        { ...noObject, event: 1 },
        { ...noObject, event: 'x' },
        { ...noObject, event: null },
        { ...noType, event: {} },
        { ...noObject, event: [] },
        { ...noObject, event: true },
      ],
    );
  });
});
