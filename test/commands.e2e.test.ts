/** What `tidegate` says to words and directories that it cannot do anything with. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { runTidegate } from './helpers/tidegate-command.ts';

describe('the commands', () => {
  it('lists those that begin with a word, on standard output when asked for help', async () => {
    const asked = await runTidegate('project', '--help');
    assert.equal(asked.exitCode, 0);
    for (const word of ['create', 'list', 'show'])
      assert.match(asked.stdout, new RegExp(`tidegate project ${word}\\n`));
    const bare = await runTidegate('project');
    assert.equal(bare.exitCode, 2);
    assert.match(bare.stderr, /tidegate project create/);
  });

  it('names a command that is none', async () => {
    const { exitCode, stderr } = await runTidegate('project', 'delete');
    assert.equal(exitCode, 2);
    assert.match(stderr, /there is no command "project delete"; see tidegate --help/);
  });

  it('makes no directory for a command that only reads', async (t) => {
    const data = join(await temporaryFolder(t), 'typo');
    for (const words of [['project', 'list'], ['project', 'show', '--ai', 'x'], ['verify']]) {
      const { exitCode, stderr } = await runTidegate(...words, '--data', data);
      assert.equal(exitCode, 1);
      assert.match(stderr, /There is no Tidegate data in /);
    }
    assert.ok(!existsSync(data));
  });
});
