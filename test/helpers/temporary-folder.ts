/** A folder of a test's own, gone when the test ends. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { atEnd } from './at-end.ts';

/** Makes an empty folder that is deleted after the test. */
export async function temporaryFolder(context: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tidegate-test-'));
  atEnd(context, () => rm(path, { recursive: true, force: true }));
  return path;
}
