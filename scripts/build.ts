/**
 * Builds dist/: the compiled JavaScript that the package ships, and that bin/tidegate runs in a clone while it is up to date.
 *
 * With --if-needed it does nothing when no source is newer. dist/ is replaced as a whole once it is complete, so that a program
 * that starts meanwhile finds the old build or the new one. tsc says what is wrong; the exit code is tsc's.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const cache = join(root, '.cache');
/** Its time is the time of the build: bin/tidegate compares the sources with it. */
const entry = 'cli.js';

/** Says whether dist/ was built from the sources as they are. */
function isUpToDate(): boolean {
  const built = join(dist, entry);
  if (!existsSync(built)) return false;
  const builtMs = statSync(built).mtimeMs;
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src', name));
  return ['tsconfig.json', 'tsconfig.build.json', ...sources].every(
    (name) => statSync(join(root, name)).mtimeMs <= builtMs,
  );
}

function build(): number {
  const begunAt = new Date(); // a source that is saved while tsc runs is newer than the build
  const fresh = join(cache, `dist-${process.pid}`);
  mkdirSync(cache, { recursive: true });
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(
    process.execPath,
    [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', fresh, '--noEmitOnError'],
    { cwd: root, stdio: 'inherit' },
  );
  if (status === 0) {
    utimesSync(join(fresh, entry), begunAt, begunAt);
    replaceDist(fresh);
  }
  rmSync(fresh, { recursive: true, force: true });
  return status ?? 1;
}

function replaceDist(fresh: string): void {
  const old = `${fresh}-old`;
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(fresh, dist);
  rmSync(old, { recursive: true, force: true });
}

process.exitCode = process.argv.includes('--if-needed') && isUpToDate() ? 0 : build();
