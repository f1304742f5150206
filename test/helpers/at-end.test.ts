/** Tests end: what they opened is closed in the right order whatever fails, and a file that leaves something open is ended. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { temporaryFolder } from './temporary-folder.ts';
import { PATIENCE_MS } from './wait-until.ts';

const AT_END = pathToFileURL(join(import.meta.dirname, 'at-end.ts')).href;
const END_WATCH = pathToFileURL(join(import.meta.dirname, 'end-watch.ts')).href;

describe('atEnd', () => {
  it('closes the newest first, and the rest even when one fails', async (t) => {
    const { status, output } = await runTestFile(
      t,
      `import { createServer } from 'node:http';
      import { it } from 'node:test';
      import { atEnd } from '${AT_END}';
      it('opens a server in a folder', (t) => {
        atEnd(t, () => console.log('the folder goes'));
        const server = createServer().listen(0, '127.0.0.1');
        atEnd(t, async () => {
          await new Promise((resolve) => server.close(resolve));
          console.log('the server is closed');
        });
        atEnd(t, () => { throw new Error('this cannot be closed'); });
      });`,
    );
    assert.match(output, /✖ opens a server/);
    assert.match(output, /this cannot be closed/);
    assert.match(output, /the server is closed[\s\S]*the folder goes/);
    assert.doesNotMatch(output, /does not end/);
    assert.equal(status, 1);
  });
});

describe('the watch over test files', () => {
  it('ends a file that leaves a server open, and says so', async (t) => {
    const { status, output } = await runTestFile(
      t,
      `import { createServer } from 'node:http';
      import { it } from 'node:test';
      it('opens a server', () => void createServer().listen(0, '127.0.0.1'));`,
    );
    assert.match(output, /✔ opens a server/);
    assert.match(output, /one\.test\.ts does not end: its tests have left open TCPServerWrap\./);
    assert.equal(status, 1);
  });
});

/** Runs a test file as `npm test` does. */
async function runTestFile(t: TestContext, source: string): Promise<{ status: number | null; output: string }> {
  const file = join(await temporaryFolder(t), 'one.test.ts');
  await writeFile(file, source);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = [`--import=${END_WATCH}`, '--test', '--test-reporter=spec', file];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8', timeout: PATIENCE_MS });
  return { status, output: stdout + stderr };
}
