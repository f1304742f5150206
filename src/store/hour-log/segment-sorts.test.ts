import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SegmentSorts } from './segment-sorts.ts';

const JOB = { segmentPath: 'hours/1/a.seg', bytes: 100, runPath: 'hours/1/a.run' };
const OTHER = { ...JOB, segmentPath: 'hours/1/b.seg' };

/** Sorts that end when the test says so, and what became of them. */
function openSorts(): {
  sorts: SegmentSorts;
  told: string[];
  end: (speed: 'early' | 'at once') => void;
} {
  const told: string[] = [];
  const ends = new Map<string, () => void>();
  const runs =
    (speed: string) =>
    ({ segmentPath }: typeof JOB, signal?: AbortSignal): Promise<void> =>
      new Promise((resolve, reject) => {
        const name = `${segmentPath.at(-5)!} ${speed}`;
        told.push(`${name} begins`);
        ends.set(speed, resolve);
        signal?.addEventListener('abort', () => {
          told.push(`${name} stops`);
          reject(signal.reason as Error);
        });
      });
  const sorts = new SegmentSorts({ atOnce: runs('at once'), inBackground: runs('early') });
  return { sorts, told, end: (speed) => ends.get(speed)!() };
}

describe('SegmentSorts', () => {
  it('ends the sort in the background before the same segment is sorted at once', async () => {
    const { sorts, told, end } = openSorts();
    const early = assert.rejects(sorts.early(JOB), /sorted at once/);
    const atOnce = sorts.atOnce(JOB);
    await new Promise(setImmediate);
    assert.deepEqual(told, ['a early begins', 'a early stops', 'a at once begins']);
    end('at once');
    await Promise.all([early, atOnce]);
  });

  it('lets the background go on with another segment', async () => {
    const { sorts, told, end } = openSorts();
    const early = sorts.early(OTHER);
    const atOnce = sorts.atOnce(JOB);
    end('at once');
    end('early');
    await Promise.all([early, atOnce]);
    assert.deepEqual(told, ['b early begins', 'a at once begins']);
  });

  it('waits for a sort of the same segment that runs at once already', async () => {
    const { sorts, told, end } = openSorts();
    const first = sorts.atOnce(JOB);
    const second = sorts.atOnce(JOB);
    await new Promise(setImmediate);
    assert.deepEqual(told, ['a at once begins']);
    end('at once');
    await first;
    await new Promise(setImmediate);
    assert.deepEqual(told, ['a at once begins', 'a at once begins']);
    end('at once');
    await second;
  });

  it('stops in the background when its caller does', async () => {
    const { sorts, told } = openSorts();
    const leaving = new AbortController();
    const early = assert.rejects(sorts.early(JOB, leaving.signal), /the log is closed/);
    leaving.abort(new Error('the log is closed'));
    await early;
    assert.deepEqual(told, ['a early begins', 'a early stops']);
  });

  it('sorts nothing in the background that is sorted at once already', async () => {
    const { sorts, told, end } = openSorts();
    const atOnce = sorts.atOnce(JOB);
    const early = assert.rejects(sorts.early(JOB), /sorted at once/);
    await new Promise(setImmediate);
    assert.deepEqual(told, ['a at once begins']);
    end('at once');
    await Promise.all([early, atOnce]);
  });

  it('does not say that a segment is sorted while the sort that gave way still runs', async () => {
    const stopped = Promise.withResolvers<never>();
    const sorts = new SegmentSorts({ atOnce: () => Promise.resolve(), inBackground: () => stopped.promise });
    const early = assert.rejects(sorts.early(JOB), /stopped late/);
    const isSorted = { first: false, second: false };
    const first = sorts.atOnce(JOB).then(() => (isSorted.first = true));
    const second = sorts.atOnce(JOB).then(() => (isSorted.second = true));
    await new Promise(setImmediate);
    assert.deepEqual(isSorted, { first: false, second: false });
    stopped.reject(new Error('stopped late'));
    await Promise.all([early, first, second]);
    assert.deepEqual(isSorted, { first: true, second: true });
  });

  it('forgets a sort that failed', async () => {
    const failing = (): Promise<void> => Promise.reject(new Error('no room'));
    const sorts = new SegmentSorts({ atOnce: () => Promise.resolve(), inBackground: failing });
    await assert.rejects(sorts.early(JOB), /no room/);
    await sorts.atOnce(JOB);
  });
});
