import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { atEnd } from '../../test/helpers/at-end.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { openWorkerPool } from './worker-pool.ts';

const FILE = new URL('./worker-pool.test-worker.ts', import.meta.url);

async function niceIn(t: TestContext, isBackground: boolean): Promise<unknown> {
  const pool = openWorkerPool({ file: FILE, threads: 1, isBackground });
  atEnd(t, () => pool.close());
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

    it('rejects a job that is aborted when nothing of it runs any more', async (t) => {
      const pipe = join(await temporaryFolder(t), 'pipe');
      execFileSync('mkfifo', [pipe]);
      const pool = openWorkerPool({ file: FILE, threads: 1 });
      atEnd(t, () => pool.close());
      const leaving = new AbortController();
      let isOver = false;
      const job = assert.rejects(pool.run('readPipe', pipe, leaving.signal), /leaving/).then(() => (isOver = true));
      const writer = await open(pipe, 'w'); // waits until the job reads
      leaving.abort(new Error('leaving'));
      await new Promise(setImmediate);
      assert.equal(isOver, false);
      await writer.close();
      await job;
    });
  },
);
