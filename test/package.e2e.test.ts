// The npm package, as operators install it: compiled, without this clone's packages, on a Node of their own.
import assert from 'node:assert/strict';
import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { atEnd } from './helpers/at-end.ts';
import { PATIENCE_MS } from './helpers/wait-until.ts';

const ROOT = join(import.meta.dirname, '..');
/** Folders of the PATH that are the user's own, not those that npm puts in front for a script. */
const USER_PATH = process.env.PATH!.split(delimiter).filter((folder) => !folder.includes('node_modules'));
const olderNode = findOlderNode();

describe('the npm package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-package-'));
  const prefix = join(folder, 'prefix');
  const tidegate = join(prefix, 'bin', 'tidegate');
  const installed = join(prefix, 'lib', 'node_modules', 'tidegate');
  const data = join(folder, 'data');
  const onNode24 = { ...process.env, PATH: [dirname(process.execPath), ...USER_PATH].join(delimiter) };

  before(() => {
    succeed(run('npm', ['pack', '--pack-destination', folder], { cwd: ROOT }));
    const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
    // --ignore-scripts: koffi brings its binary as a package, and what works without scripts works with them.
    const options = ['--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
    succeed(
      run('npm', ['install', '--global', '--prefix', prefix, ...options, join(folder, tarball!)], { cwd: folder }),
    );
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('holds compiled JavaScript, and neither sources, tests nor the tools of this clone', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
    const own = files.filter((name) => !name.startsWith('node_modules'));
    assert.ok(own.includes('dist/cli.js') && own.includes('dist/worker.js'));
    assert.deepEqual(
      own.filter((name) => /\.ts$|\.test\b|test-(helper|process)|^(src|test|scripts|bench)\b/.test(name)),
      [],
    );
    for (const tool of ['node', 'typescript', 'eslint', '@duckdb'])
      assert.ok(!existsSync(join(installed, 'node_modules', tool)), tool);
  });

  it('shows its help and makes a project on Node 24', () => {
    assert.match(succeed(run(tidegate, ['--help'], { env: onNode24 })), /^tidegate \d+\.\d+\.\d+: /);
    const args = ['project', 'create', '--name', 'Packed', '--data', data, '--json'];
    const project = JSON.parse(succeed(run(tidegate, args, { env: onNode24 }))) as { readonly name: string };
    assert.equal(project.name, 'Packed');
  });

  it('serves until SIGTERM on Node 24', async (t) => {
    const server = spawn(tidegate, ['serve', '--data', data, '--listen', '127.0.0.1:0'], {
      env: onNode24,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    atEnd(t, () => server.kill('SIGKILL'));
    const [line] = (await once(createInterface(server.stdout), 'line')) as [string];
    const response = await fetch(`${/http:\/\/[^ ]+/.exec(line)![0]}/readyz`);
    assert.equal(response.status, 200, await response.text());
    server.kill('SIGTERM');
    assert.deepEqual(await once(server, 'exit'), [0, null]);
  });

  it('says in one sentence that Node 24 is needed', { skip: olderNode ? false : 'no older Node on the PATH' }, () => {
    const env = { ...process.env, PATH: [olderNode!.folder, '/usr/bin', '/bin'].join(delimiter) };
    for (const args of [['--help'], ['project', 'create', '--name', 'Packed', '--data', data]]) {
      const { status, stdout, stderr } = run(tidegate, args, { env });
      assert.equal(status, 1);
      assert.equal(stdout, '');
      assert.match(
        stderr,
        new RegExp(`^tidegate: Node 24 or newer is needed, .* version ${olderNode!.major}; .+\\.\n$`),
      );
    }
  });
});

function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): SpawnSyncReturns<string> {
  return spawnSync(program, args, { encoding: 'utf8', timeout: PATIENCE_MS, ...options });
}

/** Gives what a program printed. */
function succeed({ status, stdout, stderr, error }: SpawnSyncReturns<string>): string {
  assert.equal(status, 0, error?.message ?? stdout + stderr);
  return stdout;
}

/** Finds a Node before 24 that the user has. */
function findOlderNode(): { readonly folder: string; readonly major: number } | undefined {
  return USER_PATH.filter((folder) => existsSync(join(folder, 'node')))
    .map((folder) => ({
      folder,
      major: parseInt(run(join(folder, 'node'), ['-p', 'process.versions.node']).stdout, 10),
    }))
    .find(({ major }) => major < 24);
}
