/** What a test gives back when it ends: the newest first, and the rest even when one fails. */
import type { TestContext } from 'node:test';

type Release = () => unknown;

const releasesOf = new WeakMap<TestContext, Release[]>();

/**
 * Calls this when the test has ended, before what was asked for earlier: a server ends before the folder that it writes to goes.
 * Not the test's own `after`, which goes the other way and stops at the first that fails, with servers left open behind it.
 */
export function atEnd(context: TestContext, release: Release): void {
  const known = releasesOf.get(context);
  if (known) {
    known.push(release);
    return;
  }
  const releases = [release];
  releasesOf.set(context, releases);
  context.after(() => releaseAll(releases));
}

async function releaseAll(releases: Release[]): Promise<void> {
  const errors: unknown[] = [];
  for (let release = releases.pop(); release; release = releases.pop()) {
    try {
      await release();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, errors.map(String).join('; '));
}
