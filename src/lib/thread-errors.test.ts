import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { receiveCode, sendingCodes } from './thread-errors.ts';

/** What a thread's error is on the other side. */
async function afterCloning(error: unknown): Promise<unknown> {
  const job = sendingCodes(() => {
    throw error;
  });
  const thrown: unknown = await job(null).catch((caught: unknown) => caught);
  return receiveCode(structuredClone(thrown));
}

describe('errors of worker threads', () => {
  it('keep their message and their code', async () => {
    class CodedError extends Error {
      readonly code = 'store_corrupt';
    }
    const cause = Object.assign(new Error('no such file'), { code: 'ENOENT' });
    const received = await afterCloning(new CodedError('The run is damaged.', { cause }));
    assert.ok(received instanceof Error);
    assert.equal(received.message, 'The run is damaged.');
    assert.equal((received as Error & { code?: unknown }).code, 'store_corrupt');
    assert.deepEqual(received.cause, { sentCode: 'store_corrupt', reason: 'no such file' });
  });

  it('come as they are when they have no code, or are no errors', async () => {
    const received = await afterCloning(new TypeError('no'));
    assert.ok(received instanceof TypeError);
    assert.equal('code' in received, false);
    assert.equal(await afterCloning('a text'), 'a text');
  });

  it('give results as they are', async () => {
    assert.equal(await sendingCodes((number: number) => number + 1)(1), 2);
  });
});
