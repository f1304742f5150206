import assert from 'node:assert/strict';
import { getPriority } from 'node:os';
import { describe, it, type TestContext } from 'node:test';
import { openWorkerPool } from './worker-pool.ts';

const FILE = new URL('./worker-pool.test-worker.ts', import.meta.url);

async function niceIn(t: TestContext, isBackground: boolean): Promise<unknown> {
  const pool = openWorkerPool({ file: FILE, threads: 1, isBackground });
  t.after(() => pool.close());
  return pool.run('niceOfThread', null);
}

describe(
  'openWorkerPool',
  { skip: process.platform === 'linux' ? false : 'A thread has a priority of its own on Linux.' },
  () => {
    it('gives the threads of the background the lowest priority, and leaves that of all others', async (t) => {
      const own = getPriority();
      assert.equal(await niceIn(t, true), 19);
      assert.equal(await niceIn(t, false), own);
      assert.equal(getPriority(), own);
    });
  },
);
