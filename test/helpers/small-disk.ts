/** A small file system of its own, for tests of full disks and of copies from one file system to another. */
import { execFileSync } from 'node:child_process';
import { rmdirSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { atEnd } from './at-end.ts';

/** Mounts one until the test ends. Undefined, and the test is skipped, where that cannot be: it needs Linux and root. */
export async function mountSmallDisk(context: TestContext, megabytes: number): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    context.skip('needs Linux and root, to mount a small tmpfs');
    return undefined;
  }
  const path = await mkdtemp(join(tmpdir(), 'tidegate-small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path], { stdio: 'pipe' });
  } catch {
    rmdirSync(path);
    context.skip('this machine does not let root mount a tmpfs');
    return undefined;
  }
  atEnd(context, () => {
    execFileSync('umount', ['-l', path]);
    rmdirSync(path);
  });
  return path;
}
