/** Says whether a test has seen that a guard was switched off. */
import type { TestRun } from './run-tests.ts';
import type { TestOutcome } from './test-events-reporter.ts';

/** `lines` name the tests that went red, or say why none did. */
export type Verdict = { readonly isSeen: boolean; readonly lines: readonly string[] };

/** Judges the run of a guard's test with the guard switched off. */
export function judge(run: TestRun): Verdict {
  const failed = run.outcomes.filter(({ outcome }) => outcome === 'failed');
  const red = failed.filter(({ failure }) => failure?.kind !== 'other');
  if (red.length > 0) return { isSeen: true, lines: red.map((outcome) => `red: ${fullName(outcome)}`) };
  const [first] = failed;
  if (first)
    return { isSeen: false, lines: [`NO ASSERTION FAILED, but ${fullName(first)}: ${first.failure?.message ?? ''}`] };
  if (run.isTimedOut) return { isSeen: false, lines: ['DID NOT END in time'] };
  if (run.outcomes.length === 0) return { isSeen: false, lines: [`NO TEST RAN.${outputOf(run)}`] };
  return { isSeen: false, lines: ['STAYED GREEN'] };
}

/** Gives the names of a test's suites and its own, as one text. */
export function fullName({ names }: TestOutcome): string {
  return names.join(' ');
}

/** Gives the end of what a run printed, as a sentence; nothing when it printed nothing. */
export function outputOf({ output }: TestRun): string {
  return output === '' ? '' : ` It printed: ${output.trim().slice(-600)}`;
}
