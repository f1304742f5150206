import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { CallLimit, type Turn } from './call-limit.ts';

const NEVER = new AbortController().signal;

describe('CallLimit', () => {
  test('lets a burst of ten through at once and the eleventh a second later', async (t) => {
    const { limit, passMs } = openLimit(t, { callsPerSecond: 10 });
    for (let call = 0; call < 10; call += 1) assert.equal((await limit.take('a', NEVER)).status, 'admitted');
    const eleventh = watch(limit.take('a', NEVER));
    await passMs(999);
    assert.equal(eleventh.turn, undefined);
    await passMs(1);
    assert.deepEqual(eleventh.turn, { status: 'admitted' });
  });

  test('lets no more calls begin in any second than it says, and keeps their order', async (t) => {
    const { limit, passMs, nowMs } = openLimit(t, { callsPerSecond: 3 });
    const begun: { readonly call: number; readonly atMs: number }[] = [];
    for (let call = 0; call < 20; call += 1) {
      void limit.take('a', NEVER).then(() => begun.push({ call, atMs: nowMs() }));
      await passMs(70);
    }
    await passMs(10_000);
    assert.deepEqual(
      begun.map(({ call }) => call),
      Array.from({ length: 20 }, (_, call) => call),
    );
    for (const [index, { atMs }] of begun.entries()) {
      const third = begun[index + 3];
      if (third) assert.ok(third.atMs - atMs >= 1000, `calls ${index} and ${index + 3}`);
    }
  });

  test('follows a limit that is changed while calls wait, for its project alone', async (t) => {
    let ofA = 1;
    const { limit, passMs } = openLimit(t, { callsPerSecond: (ai) => (ai === 'a' ? ofA : 1) });
    for (const ai of ['a', 'b']) await limit.take(ai, NEVER);
    const waiting = Array.from({ length: 4 }, () => watch(limit.take('a', NEVER)));
    const other = [watch(limit.take('b', NEVER)), watch(limit.take('b', NEVER))];
    ofA = 3;
    await passMs(1000);
    assert.deepEqual(
      waiting.map(({ turn }) => turn?.status),
      ['admitted', 'admitted', 'admitted', undefined],
    );
    assert.deepEqual(
      other.map(({ turn }) => turn?.status),
      ['admitted', undefined],
    );
    ofA = 0;
    await passMs(1000);
    assert.equal(waiting[3]!.turn?.status, 'admitted');
    assert.equal((await limit.take('a', NEVER)).status, 'admitted');
  });

  test('does not let one project wait for another', async (t) => {
    const { limit } = openLimit(t, { callsPerSecond: 1 });
    await limit.take('a', NEVER);
    void limit.take('a', NEVER);
    assert.equal((await limit.take('b', NEVER)).status, 'admitted');
  });

  test('refuses a call only when its turn is more than ten seconds away', async (t) => {
    const { limit, passMs } = openLimit(t, { callsPerSecond: 10 });
    const calls = Array.from({ length: 130 }, () => watch(limit.take('a', NEVER)));
    await passMs(0);
    assert.equal(calls.filter(({ turn }) => turn?.status === 'admitted').length, 10);
    const refused = calls.filter(({ turn }) => turn?.status === 'refused');
    assert.deepEqual(refused.length, 20);
    assert.deepEqual(refused[0]?.turn, { status: 'refused', retryAfterSeconds: 10 });
    await passMs(10_000);
    assert.equal(calls.filter(({ turn }) => turn?.status === 'admitted').length, 110);
  });

  test('gives the place of a caller that hangs up to those behind it', async (t) => {
    const { limit, passMs } = openLimit(t, { callsPerSecond: 1 });
    await limit.take('a', NEVER);
    const hangUp = new AbortController();
    const leaving = watch(limit.take('a', hangUp.signal));
    const behind = watch(limit.take('a', NEVER));
    hangUp.abort();
    await passMs(1000);
    assert.deepEqual(leaving.turn, { status: 'left' });
    assert.deepEqual(behind.turn, { status: 'admitted' });
  });

  test('takes nobody who has hung up before', async (t) => {
    const { limit } = openLimit(t, { callsPerSecond: 1 });
    assert.deepEqual(await limit.take('a', AbortSignal.abort()), { status: 'left' });
    assert.deepEqual(await limit.take('a', NEVER), { status: 'admitted' });
  });

  test('limits nothing when it is set to 0', async (t) => {
    const { limit } = openLimit(t, { callsPerSecond: 0 });
    for (let call = 0; call < 1000; call += 1) assert.equal((await limit.take('a', NEVER)).status, 'admitted');
  });
});

/** A limit whose time passes when the test says so. */
function openLimit(t: TestContext, options: { readonly callsPerSecond: number | ((ai: string) => number) }) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const limit = new CallLimit({ ...options, monotonicMs: () => now });
  return {
    limit,
    nowMs: () => now,
    passMs: async (ms: number) => {
      const until = now + ms;
      while (now < until) {
        now += 1;
        t.mock.timers.tick(1);
        await Promise.resolve();
      }
      await new Promise(setImmediate);
    },
  };
}

function watch(pending: Promise<Turn>): { turn: Turn | undefined } {
  const watched: { turn: Turn | undefined } = { turn: undefined };
  void pending.then((turn) => (watched.turn = turn));
  return watched;
}
