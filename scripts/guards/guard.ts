/**
 * A guard: a few characters of the source that keep a promise, how they are switched off, and the test that goes red when they
 * are. The tables beside this file list them; `npm run guards` (scripts/guards.ts) tries them.
 *
 * Nothing of this is in the product: a guard is switched off by changing the text of a copy of the source.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Guard = {
  /** Unique, in kebab-case. */
  readonly name: string;
  /** The promise, in a few words; begins with the invariant of docs/storage-format.md, where it is one. */
  readonly protects: string;
  /** The source file, from the root of the repository. */
  readonly file: string;
  /** Text that stands in the file exactly once. */
  readonly find: string;
  /** What stands there when the guard is switched off. Still runs. */
  readonly replacement: string;
  readonly test: GuardTest;
};

/** The test of a guard. */
export type GuardTest = {
  readonly file: string;
  /** A part of the test's full name, that is of its suites' names and its own with blanks between; it stands so in the source. */
  readonly name: string;
  /** Where the name stands, when it is not in the file itself: a suite that several test files run. */
  readonly namedIn?: string;
};

/** Gives a guard's source file with the guard switched off. @throws Error when the guard does not fit the source any more */
export function switchOff(root: string, { name, file, find, replacement }: Guard): string {
  const source = readFileSync(join(root, file), 'utf8');
  const places = source.split(find).length - 1;
  if (places !== 1)
    throw new Error(
      `The guard ${name} is out of date: its text stands in ${file} ${places} times instead of once. ` +
        'Look for what keeps the promise now and change the table in scripts/guards/.',
    );
  const changed = source.replace(find, () => replacement);
  if (changed === source) throw new Error(`The guard ${name} is replaced by itself.`);
  return changed;
}
