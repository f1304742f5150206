import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { BodyReader } from './body-reader.ts';

const MAX_BODY_BYTES = 1_000;
const MAX_HELD_BYTES = 2_000;
const CHUNK = Buffer.alloc(100, ' ');

/** A request whose body comes in chunks of 100 bytes; `sent` counts those that were taken from it. */
function requestOf(chunks: number, announcedBytes?: number): { readonly request: IncomingMessage; sent: number } {
  const sending = { sent: 0 };
  const body = new Readable({
    highWaterMark: 1,
    read() {
      sending.sent += 1;
      this.push(sending.sent > chunks ? null : CHUNK);
    },
  });
  const headers = announcedBytes === undefined ? {} : { 'content-length': String(announcedBytes) };
  return Object.assign(sending, { request: Object.assign(body, { headers }) as unknown as IncomingMessage });
}

function newReader(): BodyReader {
  return new BodyReader({ maxBodyBytes: MAX_BODY_BYTES, maxHeldBytes: MAX_HELD_BYTES });
}

describe('BodyReader', () => {
  it('takes a body of the largest size, and refuses one byte more as soon as it is there', async () => {
    const large = new BodyReader({ maxBodyBytes: MAX_BODY_BYTES, maxHeldBytes: 100 * MAX_HELD_BYTES });
    const { bytes, release } = await large.read(requestOf(10).request, 'ai');
    assert.equal(bytes.length, MAX_BODY_BYTES);
    release();
    const sending = requestOf(100);
    await assert.rejects(large.read(sending.request, 'ai'), { code: 'too_large' });
    assert.ok(sending.sent < 20, `${sending.sent} chunks were read`);
  });

  it('refuses a body that says it is too large before it has come', async () => {
    const sending = requestOf(1, MAX_BODY_BYTES + 1);
    await assert.rejects(newReader().read(sending.request, 'ai'), { code: 'too_large' });
    assert.equal(sending.sent, 0);
  });

  it('holds a quarter of what may be held for one project, and the whole for all', async () => {
    const reader = newReader();
    await assert.rejects(reader.read(requestOf(6).request, 'one'), { code: 'overloaded' });
    const held = [];
    for (const ai of ['one', 'two', 'three', 'four']) held.push(await reader.read(requestOf(5).request, ai));
    await assert.rejects(reader.read(requestOf(1).request, 'five'), { code: 'overloaded' });
    for (const { release } of held) release();
    assert.equal((await reader.read(requestOf(5).request, 'five')).bytes.length, 500);
  });
});
