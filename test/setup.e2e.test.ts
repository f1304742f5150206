// scripts/setup.cjs, as users meet it: quiet when nothing is to do, one sentence when it cannot go on.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { atEnd } from './helpers/at-end.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { PATIENCE_MS, waitUntil } from './helpers/wait-until.ts';

const ROOT = join(import.meta.dirname, '..');

describe('scripts/setup.cjs', () => {
  it('says in one sentence that this Node is too old', async (t) => {
    const clone = await copyClone(t);
    const stub = join(clone, 'old-node.cjs');
    writeFileSync(stub, "Object.defineProperty(process, 'versions', { value: { node: '12.22.12' } });\n");
    const { status, stderr } = runSetup(clone, { nodeArgs: ['-r', stub] });
    assert.match(stderr, /^tidegate: the set-up needs Node 18 or newer, and this is 12\.22\.12; install .+\.\n$/);
    assert.equal(status, 1);
  });

  it('says in one sentence that npm is not there', async (t) => {
    const clone = await copyClone(t);
    const { status, stderr } = runSetup(clone, { path: clone });
    assertOneSentence(stderr, /npm could not be started \(ENOENT\); install Node 24/);
    assert.equal(status, 1);
  });

  it('says in one sentence that npm ci failed, what to do, and where its log is', async (t) => {
    const clone = await copyClone(t);
    writeFileSync(join(clone, 'package-lock.json'), '{ "name": "tidegate", "lockf');
    const { status, stderr } = runSetup(clone);
    assertOneSentence(stderr, /npm ci failed \(\w+\).+ and run npm start again \(log: \.cache\/setup-npm-ci\.log\)/);
    assert.equal(status, 1);
    assert.ok(existsSync(join(clone, '.cache/setup-npm-ci.log')));
  });

  it('installs nothing and says nothing when the packages are in step', async (t) => {
    const clone = await copyClone(t);
    linkPackages(clone);
    assert.deepEqual(runSetup(clone, { path: clone }), { status: 0, stderr: '' });
  });

  it('keeps the clone after Ctrl-C until npm has undone what it did', async (t) => {
    const clone = await copyClone(t);
    const at = (name: string) => join(clone, 'bin', name);
    mkdirSync(join(clone, 'bin'));
    const undo = 'touch told; until [ -e go ]; do sleep 0.02; done; exit 1';
    const npm = `#!/bin/sh\ncd bin\ntrap '${undo}' INT\ntouch begun\nwhile :; do sleep 0.02; done\n`;
    writeFileSync(at('npm'), npm, { mode: 0o700 });
    const child = spawn(process.execPath, [join(clone, 'scripts/setup.cjs')], {
      cwd: clone,
      env: { ...process.env, PATH: `${join(clone, 'bin')}:${process.env.PATH}` },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true, // a process group, as a terminal makes
    });
    atEnd(t, () => writeFileSync(at('go'), '')); // so that npm ends in any case
    const ended = Promise.all([once(child, 'exit'), text(child.stderr)]);
    await waitUntil('npm has begun', () => existsSync(at('begun')));
    process.kill(-child.pid!, 'SIGINT');
    await waitUntil('npm has heard of it', () => existsSync(at('told')));
    assert.equal(readFileSync(join(clone, '.cache/setup.lock'), 'utf8'), String(child.pid));
    writeFileSync(at('go'), '');
    const [exit, stderr] = await ended;
    assert.deepEqual(exit, [130, null]);
    assert.match(stderr, /^tidegate: installing the packages .+\n$/);
    assert.ok(!existsSync(join(clone, '.cache/setup.lock')));
  });

  it('takes over the lock of a set-up that was killed', async (t) => {
    const clone = await copyClone(t);
    linkPackages(clone);
    const { pid } = spawnSync(process.execPath, ['--version']);
    mkdirSync(join(clone, '.cache'));
    writeFileSync(join(clone, '.cache/setup.lock'), String(pid));
    assert.deepEqual(runSetup(clone), { status: 0, stderr: '' });
    assert.ok(!existsSync(join(clone, '.cache/setup.lock')));
  });
});

/** Makes a folder with what the set-up reads of a clone, and nothing to build. */
async function copyClone(context: TestContext): Promise<string> {
  const clone = await temporaryFolder(context);
  mkdirSync(join(clone, 'scripts'));
  for (const name of readdirSync(join(ROOT, 'scripts')).filter((script) => script.startsWith('setup')))
    copyFileSync(join(ROOT, 'scripts', name), join(clone, 'scripts', name));
  writeFileSync(join(clone, 'scripts/build.ts'), '');
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) cpSync(join(ROOT, name), join(clone, name));
  return clone;
}

/** Gives the copy this clone's packages, without what says that they are in step. */
function linkPackages(clone: string): void {
  const modules = join(ROOT, 'node_modules');
  mkdirSync(join(clone, 'node_modules'));
  for (const name of readdirSync(modules).filter((entry) => entry !== '.tidegate-setup'))
    symlinkSync(join(modules, name), join(clone, 'node_modules', name));
}

function runSetup(
  clone: string,
  {
    nodeArgs = [],
    path = process.env.PATH,
  }: { readonly nodeArgs?: readonly string[]; readonly path?: string | undefined } = {},
): { readonly status: number | null; readonly stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, [...nodeArgs, join(clone, 'scripts/setup.cjs')], {
    cwd: clone,
    env: { ...process.env, PATH: path },
    encoding: 'utf8',
    timeout: PATIENCE_MS,
  });
  return { status, stderr };
}

/** Besides the line that says that packages are being installed, there is one sentence and no stack. */
function assertOneSentence(stderr: string, sentence: RegExp): void {
  const lines = stderr.trimEnd().split('\n');
  assert.equal(lines.length, 2, stderr);
  assert.match(lines[0]!, /^tidegate: installing the packages/);
  assert.match(lines[1]!, sentence);
}
