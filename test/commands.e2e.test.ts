/** What `tidegate` says to words and directories that it cannot do anything with. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { PROGRAM, runTidegate } from './helpers/tidegate-command.ts';
import { spawnTidegate } from './helpers/tidegate-server.ts';
import { waitUntil } from './helpers/wait-until.ts';

const run = promisify(execFile);

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
    const reversed = await runTidegate('--data', '/srv/tidegate', 'project', 'list');
    assert.equal(reversed.exitCode, 2);
    assert.equal(reversed.stderr, 'tidegate: --data stands before the command; write tidegate COMMAND [OPTIONS].\n');
  });

  it('takes over the ids and keys that shipped apps and old scripts hold', async (t) => {
    const folder = await temporaryFolder(t);
    const data = join(folder, 'data');
    await writeFile(join(folder, 'secret'), 'an old secret\n');
    const keys = ['--ai', '0a1b2c3d4e5f6789', '--uid', 'Old1Uid2', '--client-id', 'old-public-key'];
    const rest = ['--secret-file', join(folder, 'secret'), '--export-from', '2026-11-01T00:00:00+08:00', '--json'];
    const created = await runTidegate('project', 'create', '--data', data, '--name', '商店', ...keys, ...rest);
    assert.equal(created.exitCode, 0, created.stderr);
    assert.deepEqual(JSON.parse(created.stdout), {
      ai: '0a1b2c3d4e5f6789',
      uid: 'Old1Uid2',
      clientId: 'old-public-key',
      secret: 'an old secret',
      name: '商店',
      exportEnabledAt: '2026-10-31T16:00:00.000Z',
    });
    const shown = await runTidegate('project', 'show', '--data', data, '--ai', '0a1b2c3d4e5f6789', '--json');
    const { settings, planned, ...shownKeys } = JSON.parse(shown.stdout) as Record<string, unknown>;
    assert.deepEqual(shownKeys, JSON.parse(created.stdout));
    assert.equal((settings as Record<string, unknown>).export, true);
    assert.deepEqual(planned, []);
    const twice = await runTidegate('project', 'create', '--data', data, '--name', 'Other', ...keys);
    assert.equal(twice.exitCode, 1);
    assert.match(twice.stderr, /0a1b2c3d4e5f6789|Old1Uid2|old-public-key/);
    const wrong = await runTidegate('project', 'create', '--data', data, '--name', 'Other', '--uid', 'short');
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /--uid: eight letters and digits/);
    const twoLines = await runTidegate('project', 'create', '--data', data, '--name', 'Two\nlines');
    assert.deepEqual([twoLines.exitCode, /--name: .+ no control characters/.test(twoLines.stderr)], [2, true]);
  });

  it('prints everything into a pipe, however much it is, and says when it cannot', async (t) => {
    const folder = await temporaryFolder(t);
    const which = ['--data', join(folder, 'data'), '--ai', '0a1b2c3d4e5f6789'];
    await runTidegate('project', 'create', ...which, '--name', 'Shop');
    const names = Array.from({ length: 5_000 }, (_, place) => `rule ${place} ${'x'.repeat(60)}`);
    const header = 'ruleId,name,type,domain,path,query,xpath,index,value,href';
    const csv = names.map((name, place) => `,${name},clck,,/${place}/*,,,,,`);
    await writeFile(join(folder, 'rules.csv'), `${[header, ...csv].join('\n')}\n`);
    const imported = await runTidegate('rule', 'import', ...which, join(folder, 'rules.csv'));
    assert.equal(imported.exitCode, 0, imported.stderr);
    const { exitCode, stdout } = await runTidegate('rule', 'list', ...which, '--json');
    assert.equal(exitCode, 0);
    assert.ok(stdout.endsWith(']\n'), 'the end of the list');
    const listed = JSON.parse(stdout) as { readonly name: string }[];
    assert.deepEqual(
      listed.map(({ name }) => name),
      names,
    );
    const lost = await run('/bin/sh', ['-c', '"$0" rule list "$@" > /dev/full', PROGRAM, ...which], { env: {} }).catch(
      (error: unknown) => error as { readonly code: number; readonly stderr: string },
    );
    assert.match(lost.stderr, /^tidegate: the disk is full/, 'into a file too');
    assert.equal('code' in lost && lost.code, 1);
  });

  it('names a file that is not there, whichever command was to read it', async (t) => {
    const folder = await temporaryFolder(t);
    const which = ['--data', join(folder, 'data'), '--ai', '0a1b2c3d4e5f6789'];
    await runTidegate('project', 'create', ...which, '--name', 'Shop');
    const file = join(folder, 'nowhere');
    for (const words of [
      ['import', file],
      ['rule', 'import', file],
      ['rejected', 'replay', '--file', file],
    ]) {
      const { exitCode, stderr } = await runTidegate(...words, ...which);
      assert.notEqual(exitCode, 0);
      assert.match(stderr, /^tidegate: .*nowhere.*\n$/, 'one line');
    }
  });

  it('names a folder, and a file below a file, that it was to read', async (t) => {
    const folder = await temporaryFolder(t);
    const which = ['--data', join(folder, 'data'), '--ai', '0a1b2c3d4e5f6789'];
    await runTidegate('project', 'create', ...which, '--name', 'Shop');
    await writeFile(join(folder, 'file'), '');
    const below = join(folder, 'file', 'below');
    for (const words of [['import'], ['rule', 'import'], ['rejected', 'replay', '--file']]) {
      const ofFolder = await runTidegate(...words, folder, ...which);
      assert.deepEqual([ofFolder.exitCode, ofFolder.stderr], [2, `tidegate: ${folder} is a folder; name a file.\n`]);
      const ofFile = await runTidegate(...words, below, ...which);
      const sentence = `tidegate: ${below}: a file stands where a folder should be (ENOTDIR).`;
      assert.deepEqual([ofFile.exitCode, ofFile.stderr.startsWith(sentence)], [1, true], ofFile.stderr);
    }
  });

  it('changes no rule when nothing is said, or two things that cannot both be', async (t) => {
    const which = ['--data', join(await temporaryFolder(t), 'data'), '--ai', '0a1b2c3d4e5f6789'];
    await runTidegate('project', 'create', ...which, '--name', 'Shop');
    const added = await runTidegate('rule', 'add', ...which, '--name', 'Buy', '--type', 'clck', '--json');
    const set = ['rule', 'set', ...which, '--rule', (JSON.parse(added.stdout) as { ruleId: string }).ruleId];
    for (const [words, sentence] of [
      [[], 'Name what to change; see --help.'],
      [['--value', 'x', '--clear', 'value'], '--value is given and cleared at once.'],
    ] as const) {
      const { exitCode, stderr } = await runTidegate(...set, ...words);
      assert.deepEqual([exitCode, stderr], [2, `tidegate: ${sentence}\n`]);
    }
  });

  it('says what keeps it from a data directory, and not that there is none', async (t) => {
    const data = join(await temporaryFolder(t), 'round');
    await symlink('round', data);
    const { exitCode, stderr } = await runTidegate('project', 'list', '--data', data);
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /^tidegate: The data directory .+round cannot be used: its links go round in a circle \(ELOOP\)\./,
    );
  });

  it('says how the first project of a data directory is made', async (t) => {
    const data = join(await temporaryFolder(t), 'data');
    const hint = `There is no project yet; make one with: tidegate project create --data ${data} --name NAME\n`;
    const server = spawnTidegate(t, data);
    await waitUntil('the server says it', () => server.printed().endsWith(`Ctrl-C stops it.\n${hint}`));
    assert.equal((await runTidegate('project', 'list', '--data', data)).stdout, hint);
    await runTidegate('project', 'create', '--data', data, '--name', 'Shop');
    const again = spawnTidegate(t, data);
    await waitUntil('it serves', () => again.printed().includes('Ctrl-C stops it.\n'));
    assert.ok(!again.printed().includes('no project'));
  });

  it('calls no backup erased that has no such project, unless another of those named has it', async (t) => {
    const folder = await temporaryFolder(t);
    const data = join(folder, 'data');
    const [older, newer] = [join(folder, 'older'), join(folder, 'newer')] as const;
    await runTidegate('project', 'create', '--data', data, '--name', 'Other');
    await runTidegate('backup', '--data', data, older);
    await runTidegate('project', 'create', '--data', data, '--name', 'Shop', '--ai', 'shop');
    await runTidegate('backup', '--data', data, newer);
    const erase = (ai: string, ...more: readonly string[]) =>
      runTidegate('erase', 'backup', '--ai', ai, '--visitor', 'u-1', ...more);
    const misspelt = await erase('shpo', older, newer);
    assert.equal(misspelt.exitCode, 1);
    assert.match(misspelt.stderr, /There is no project shpo in what was named, and nothing was erased\./);
    const right = await erase('shop', older, newer);
    assert.equal(right.exitCode, 0, right.stderr);
    const [ofOlder, ofNewer] = [`${older}: there is no project shop in it`, `${newer}: none of the visitors was in it`];
    assert.equal(right.stdout, `${ofOlder}, so nothing was to erase.\n${ofNewer}.\n`);
    const asJson = await erase('shop', '--json', older, newer);
    assert.deepEqual(JSON.parse(asJson.stdout), [
      { backup: older, hours: null },
      { backup: newer, hours: [] },
    ]);
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
