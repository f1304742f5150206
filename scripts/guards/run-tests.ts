/** Runs tests of one file, chosen by name, in a process group of their own, and gives what became of each. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestOutcome } from './test-events-reporter.ts';

export type TestRun = {
  readonly outcomes: readonly TestOutcome[];
  readonly isTimedOut: boolean;
  /** The end of what it printed, which says why when no test ran. */
  readonly output: string;
};

const REPORTER = new URL('./test-events-reporter.ts', import.meta.url).href;
const OUTPUT_CHARACTERS = 2_000;
/** What tests wait in vain for, where a guard that is switched off is seen by that: well below the time-out of a run. */
const WAIT_MS = 30_000;

/** Runs those tests of a file whose full names hold one of these texts. What is left of it after `timeoutMs` is killed. */
export async function runTests(
  root: string,
  { file, names, timeoutMs }: { readonly file: string; readonly names: readonly string[]; readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<TestRun> {
  signal.throwIfAborted();
  const events = join(root, '.test-events.ndjson');
  rmSync(events, { force: true });
  const patterns = names.map((name) => `--test-name-pattern=${RegExp.escape(name)}`);
  const child = spawn(
    process.execPath,
    [`--test-reporter=${REPORTER}`, `--test-reporter-destination=${events}`, ...patterns, file],
    { cwd: root, env: testEnvironment(), stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  let output = '';
  const keep = (text: string): void => void (output = (output + text).slice(-OUTPUT_CHARACTERS));
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  let isTimedOut = false;
  const timer = setTimeout(() => {
    isTimedOut = true;
    killGroup(child.pid);
  }, timeoutMs);
  const stop = (): void => killGroup(child.pid);
  signal.addEventListener('abort', stop, { once: true });
  try {
    await once(child, 'exit');
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    killGroup(child.pid); // what the tests have left running
  }
  signal.throwIfAborted();
  return { outcomes: readOutcomes(events), isTimedOut, output };
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // it is gone
  }
}

/** Reads the reporter's lines; of a run that was killed the last may be half there. */
function readOutcomes(path: string): readonly TestOutcome[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return []; // it died before the reporter began
  }
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as TestOutcome);
}

/** What the user's shell sets for a server of their own has no part in tests, nor has a test run that this is a part of. */
function testEnvironment(): NodeJS.ProcessEnv {
  const isLeftOut = (name: string): boolean => name.startsWith('TIDEGATE_') || name === 'NODE_TEST_CONTEXT';
  const inherited = Object.entries(process.env).filter(([name]) => !isLeftOut(name));
  return { ...Object.fromEntries(inherited), TEST_PATIENCE_MS: String(WAIT_MS) };
}
