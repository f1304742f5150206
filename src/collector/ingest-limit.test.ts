import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { IngestLimit } from './ingest-limit.ts';

const RATE = 1000;

function openLimit(bytesPerSecond = RATE): { readonly limit: IngestLimit; readonly step: (ms: number) => void } {
  let nowMs = 1_795_469_638_000;
  const limit = new IngestLimit({ clock: { nowMs: () => nowMs }, bytesPerSecondOf: () => bytesPerSecond });
  return { limit, step: (ms) => (nowMs += ms) };
}

describe('IngestLimit', () => {
  it('lets in four seconds of a share at once, and what takes the last of it whole', () => {
    const { limit } = openLimit();
    limit.charge('a', 3999);
    assert.equal(limit.retryAfterSeconds('a'), 0);
    limit.charge('a', 5001);
    assert.equal(limit.retryAfterSeconds('a'), 6); // owes 5,000 and must hold something
  });

  it('lets in again when it said, and not a moment before the debt is paid', () => {
    for (const debt of [0, 1, 999, 1000, 1001, 5000]) {
      const { limit, step } = openLimit();
      limit.charge('a', 4 * RATE + debt);
      const seconds = limit.retryAfterSeconds('a');
      assert.ok(seconds >= 1);
      step(debt);
      assert.notEqual(limit.retryAfterSeconds('a'), 0, `a debt of ${debt} just paid`);
      step(seconds * 1000 - debt);
      assert.equal(limit.retryAfterSeconds('a'), 0, `a debt of ${debt} after ${seconds} s`);
    }
  });

  it('counts each project by itself', () => {
    const { limit } = openLimit();
    limit.charge('a', 1_000_000);
    assert.notEqual(limit.retryAfterSeconds('a'), 0);
    assert.equal(limit.retryAfterSeconds('b'), 0);
  });

  it('saves up no more than four seconds in a night', () => {
    const { limit, step } = openLimit();
    limit.charge('a', 100);
    step(8 * 3_600_000);
    limit.charge('a', 4 * RATE);
    assert.equal(limit.retryAfterSeconds('a'), 1);
  });

  it('gives nothing for a clock that steps back, and goes on from there', () => {
    const { limit, step } = openLimit();
    limit.charge('a', 6 * RATE);
    step(-3_600_000);
    assert.equal(limit.retryAfterSeconds('a'), 3);
    step(1000);
    assert.equal(limit.retryAfterSeconds('a'), 2);
    step(1001);
    assert.equal(limit.retryAfterSeconds('a'), 0);
  });

  it('follows a project whose limit is changed, and no other', () => {
    let ofA = RATE;
    let nowMs = 1_795_469_638_000;
    const limit = new IngestLimit({
      clock: { nowMs: () => nowMs },
      bytesPerSecondOf: (ai) => (ai === 'a' ? ofA : RATE),
    });
    for (const ai of ['a', 'b']) limit.charge(ai, 4 * RATE + 9_000);
    assert.equal(limit.retryAfterSeconds('a'), 10);
    ofA = 10 * RATE;
    assert.equal(limit.retryAfterSeconds('a'), 1);
    assert.equal(limit.retryAfterSeconds('b'), 10);
    ofA = 0;
    assert.equal(limit.retryAfterSeconds('a'), 0);
    nowMs += 1;
  });

  it('lets everything in when it is switched off', () => {
    const { limit } = openLimit(0);
    limit.charge('a', Number.MAX_SAFE_INTEGER);
    assert.equal(limit.retryAfterSeconds('a'), 0);
  });
});
