/**
 * `npm run guards`: shows that the tests see each guard. Switches off one guard after the other and prints which test goes red.
 *
 *   npm run guards                         all of them
 *   npm run guards -- --only NAME …        only these
 *
 * Steps: copy the work tree → run the tests as the source is, which must be green → for each guard: change its file in the copy,
 * run its test, put the file back. Fails when a test stays green, when it fails for another reason than an assertion or an error
 * of the product (a file that does not load, a time-out), or when the table does not fit the source any more.
 */
import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { GUARDS } from './guards/guard-table.ts';
import { switchOff, type Guard } from './guards/guard.ts';
import { runTests } from './guards/run-tests.ts';
import { fullName, judge, outputOf, type Verdict } from './guards/verdict.ts';
import { makeWorkCopy } from './guards/work-copy.ts';

const TIMEOUT_MS = 60_000;
/** The first run of a file has the tests of all its guards. */
const BASELINE_TIMEOUT_MS = 180_000;

const root = join(import.meta.dirname, '..');

function chosenGuards(): readonly Guard[] {
  const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } });
  if (!values.only) return GUARDS;
  const unknown = values.only.filter((name) => !GUARDS.some((guard) => guard.name === name));
  if (unknown.length > 0)
    throw new Error(
      `There is no guard ${unknown.join(', ')}. There are: ${GUARDS.map(({ name }) => name).join(', ')}.`,
    );
  return GUARDS.filter(({ name }) => values.only?.includes(name));
}

/** Runs the tests of these guards on the source as it is, and says what is wrong with them. */
async function findBaselineFaults(
  copy: string,
  guards: readonly Guard[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const [file, ofFile] of Map.groupBy(guards, ({ test }) => test.file)) {
    const names = [...new Set(ofFile.map(({ test }) => test.name))];
    const run = await runTests(copy, { file, names, timeoutMs: BASELINE_TIMEOUT_MS }, signal);
    if (run.isTimedOut) faults.push(`${file} did not end within ${BASELINE_TIMEOUT_MS / 1000} s.`);
    for (const name of names) {
      const outcomes = run.outcomes.filter((outcome) => fullName(outcome).includes(name));
      const bad = outcomes.find(({ outcome }) => outcome !== 'passed');
      if (outcomes.length === 0) faults.push(`${file}: no test ran whose name holds "${name}".${outputOf(run)}`);
      if (bad)
        faults.push(`${file}: "${fullName(bad)}" ${bad.outcome} with every guard on. ${bad.failure?.message ?? ''}`);
    }
  }
  return faults;
}

/** Runs a guard's test with the guard switched off. */
async function tryGuard(copy: string, guard: Guard, signal: AbortSignal): Promise<Verdict> {
  const path = join(copy, guard.file);
  const original = readFileSync(path);
  writeFileSync(path, switchOff(copy, guard));
  try {
    const { file, name } = guard.test;
    return judge(await runTests(copy, { file, names: [name], timeoutMs: TIMEOUT_MS }, signal));
  } finally {
    writeFileSync(path, original);
  }
}

async function main(signal: AbortSignal): Promise<boolean> {
  const guards = chosenGuards();
  using copy = makeWorkCopy(root);
  for (const guard of guards) switchOff(copy.root, guard); // so that a table that is out of date says so at once
  console.log(`Running the tests of ${guards.length} guards with all of them on …`);
  const faults = await findBaselineFaults(copy.root, guards, signal);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) return false;
  const width = Math.max(...guards.map(({ name }) => name.length));
  let unseen = 0;
  for (const guard of guards) {
    const { isSeen, lines } = await tryGuard(copy.root, guard, signal);
    if (!isSeen) unseen += 1;
    console.log(`${isSeen ? '✔' : '✖'} ${guard.name.padEnd(width)}  ${lines.join(`\n${' '.repeat(width + 4)}`)}`);
  }
  const end = unseen === 0 ? 'each is seen by its test' : `${unseen} not seen by their tests`;
  console.log(`Guards switched off one by one: ${guards.length}; ${end}.`);
  return unseen === 0;
}

const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => stopping.abort(new Error(`Stopped by ${name}.`)));
try {
  if (!(await main(stopping.signal))) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
