/** `npm run soak` in small: half a minute, hours of half a minute. docs/reliability.md has the figures of a long one. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { atEnd } from './helpers/at-end.ts';

const PROGRAM = join(import.meta.dirname, 'soak/main.ts');

async function runSoak(
  t: TestContext,
  ...args: readonly string[]
): Promise<{ readonly exitCode: number; readonly stdout: string }> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  atEnd(t, () => child.kill('SIGKILL'));
  const [stdout, [exitCode]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number]>]);
  return { exitCode, stdout };
}

describe('npm run soak', () => {
  it('kills, checks every row, prints that nothing was lost or doubled, and tidies up', async (t) => {
    const args = ['--minutes', '0.4', '--hour-seconds', '30', '--kill-every', '7-10', '--rate', '1000', '--seed', '5'];
    const { exitCode, stdout } = await runSoak(t, ...args, '--collectors', '2', '--clients', '4');
    assert.equal(exitCode, 0, stdout);
    for (const line of [/^kills +[1-9]/m, /^rows checked +\d+,\d{3}$/m, /^lost +0$/m, /^doubled +0$/m]) {
      assert.match(stdout, line);
    }
    assert.match(stdout, /Nothing was lost, nothing was doubled\.\n$/);
    const [, folder] = /^Soak of .* in (\S+), seed 5\.$/m.exec(stdout) ?? [];
    assert.ok(folder && !existsSync(folder), 'its folder is gone');
  });

  it('refuses what it cannot do', async (t) => {
    for (const args of [
      ['--collectors', '1'],
      ['--kill-every', '20'],
      ['--minutes', '0'],
      ['--rate', 'x'],
    ]) {
      const { exitCode, stdout } = await runSoak(t, ...args);
      assert.equal(exitCode, 1);
      assert.match(stdout, /^failed: --/);
    }
  });
});
