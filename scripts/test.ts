/**
 * `npm test`: format, types, build, lint, then every test; cheap steps first.
 *
 * Every step runs even when one before it failed, because one run should show everything; the exit code is 1 when any failed.
 * Arguments go to `node --test` (a file, --test-name-pattern=…), and then only the tests run.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

type Step = { readonly name: string; readonly args: readonly string[] };

const root = join(import.meta.dirname, '..');
const EVERY_TEST = ['src/**/*.test.ts', 'test/**/*.test.ts'];
/** A test that hangs fails after this; the slowest takes a minute or two on two shared cores. */
const TEST_TIMEOUT_MS = 600_000;
/** A run that hangs all the same is ended after this, and node:test names what was running; a whole run takes a quarter of it. */
const RUN_TIMEOUT_MS = 45 * 60_000;

const BUILD: Step = { name: 'build', args: ['scripts/build.ts', '--if-needed'] };
const CHECKS: readonly Step[] = [
  { name: 'format', args: [toolPath('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.'] },
  { name: 'types', args: [toolPath('typescript/bin/tsc'), '--noEmit'] },
  BUILD,
  { name: 'lint', args: [toolPath('eslint/bin/eslint.js'), '.'] },
];

function toolPath(file: string): string {
  return join('node_modules', file);
}

/** The tests as one run of node:test, so that its summary counts all of them. */
function testStep(args: readonly string[]): Step {
  const hasFiles = args.some((arg) => !arg.startsWith('-'));
  return {
    name: 'tests',
    args: [
      '--test',
      `--import=${pathToFileURL(join(root, 'test/helpers/end-watch.ts')).href}`,
      '--test-reporter=spec',
      `--test-concurrency=${availableParallelism()}`,
      `--test-timeout=${TEST_TIMEOUT_MS}`,
      ...args,
      ...(hasFiles ? [] : EVERY_TEST),
    ],
  };
}

/** Runs a step with its output shown; true when it succeeded. */
async function run({ name, args }: Step, environment: NodeJS.ProcessEnv): Promise<boolean> {
  const begunMs = performance.now();
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit', env: environment });
  const stop = (): void => void child.kill('SIGTERM');
  process.once('SIGTERM', stop); // Ctrl-C reaches all of us by itself
  const late = setTimeout(() => {
    console.error(`✖ ${name} has not ended after ${RUN_TIMEOUT_MS / 60_000} minutes and is stopped.`);
    stop();
  }, RUN_TIMEOUT_MS);
  const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  process.off('SIGTERM', stop);
  clearTimeout(late);
  if (signal !== null) process.kill(process.pid, signal);
  const isOk = status === 0;
  // When all is well, node:test's own summary closes the output.
  if (name !== 'tests' || !isOk)
    console.log(`${isOk ? '✔' : '✖'} ${name} (${((performance.now() - begunMs) / 1000).toFixed(1)} s)`);
  return isOk;
}

/** The environment of the tests: what the user's shell sets for a server of their own has no part in them. */
function testEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TIDEGATE_')));
}

const args = process.argv.slice(2);
const failed: string[] = [];
for (const step of args.length === 0 ? CHECKS : [BUILD]) {
  if (!(await run(step, process.env))) failed.push(step.name);
}
if (!(await run(testStep(args), testEnvironment()))) failed.push('tests');
if (failed.length > 0) {
  console.error(`Failed: ${failed.join(', ')}.`);
  process.exitCode = 1;
}
