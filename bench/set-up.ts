/**
 * Installs what the benchmarks compare with: the packages of bench/package.json into bench/node_modules, and Debian's programs.
 *
 * The product needs none of it and its own package.json names none of it. Quick when nothing is to do.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const BENCH = import.meta.dirname;

/** What Debian calls them, and a file by which to see that they are there. */
const DEBIAN_PACKAGES = [
  { name: 'wrk', file: '/usr/bin/wrk' },
  { name: 'nginx', file: '/usr/sbin/nginx' },
  { name: 'postgresql', file: '/usr/lib/postgresql' },
  { name: 'isal', file: '/usr/bin/igzip' },
  { name: 'libisal2', file: '/usr/share/doc/libisal2' },
  { name: 'pigz', file: '/usr/bin/pigz' },
  { name: 'time', file: '/usr/bin/time' },
  { name: 'curl', file: '/usr/bin/curl' },
] as const;

/** Installs what is missing. @throws Error with one sentence that says what to do, where it cannot */
export function setUpPeers(): void {
  if (process.platform !== 'linux') throw new Error('The benchmarks read /proc and pin cores: they run on Linux only.');
  installPrograms();
  installPackages();
}

function installPrograms(): void {
  const missing = DEBIAN_PACKAGES.filter(({ file }) => !existsSync(file)).map(({ name }) => name);
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!existsSync('/etc/debian_version')) {
    throw new Error(
      `The benchmarks need what Debian calls ${missing.join(', ')}; install them with your package manager.`,
    );
  }
  if (process.getuid?.() !== 0) throw new Error(`The benchmarks need more programs; run: sudo ${command}`);
  console.error(`bench: installing ${missing.join(', ')} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const script = `exec >&2; ${command} -q || { apt-get update -q && ${command} -q; }`;
  const { status } = spawnSync('sh', ['-c', script], { env, stdio: 'inherit' });
  if (status !== 0) throw new Error(`apt-get could not install ${missing.join(', ')}; install them and run it again.`);
}

function installPackages(): void {
  if (isInStep()) return;
  console.error('bench: installing the peers (npm ci in bench/, some 600 MB) …');
  // npm must not run on the Node of node_modules/.bin, which it was not made for.
  const folders = (process.env.PATH ?? '').split(delimiter);
  const PATH = folders.filter((folder) => !folder.endsWith('node_modules/.bin')).join(delimiter);
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', args, { cwd: BENCH, env: { ...process.env, PATH }, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('npm ci failed in bench/; see above.');
}

/** Says whether bench/node_modules holds the versions that bench/package.json names. */
function isInStep(): boolean {
  const { dependencies } = readJson(join(BENCH, 'package.json')) as { dependencies: Readonly<Record<string, string>> };
  return Object.entries(dependencies).every(([name, version]) => {
    const file = join(BENCH, 'node_modules', name, 'package.json');
    return existsSync(file) && (readJson(file) as { version: string }).version === version;
  });
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
