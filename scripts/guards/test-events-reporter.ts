/**
 * A reporter of node:test for programs: one line of JSON for each test that ended, with the kind of its failure.
 *
 * It runs in the process of the tests, so it sees the very error that a test failed with.
 */
import type { TestEvent } from 'node:test/reporters';

/**
 * How a test failed: `assertion` an assertion did not hold; `refusal` the product refused with an error of its catalogue;
 * `other` anything else, such as a file that cannot be loaded, a TypeError or a time-out.
 */
export type FailureKind = 'assertion' | 'refusal' | 'other';

/** What became of one test, suites left out. */
export type TestOutcome = {
  /** The names of its suites and its own. */
  readonly names: readonly string[];
  readonly outcome: 'passed' | 'skipped' | 'failed';
  readonly failure?: { readonly kind: FailureKind; readonly message: string };
};

const MAX_CAUSES = 10;

export default async function* testEvents(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const names: string[] = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') names.splice(data.nesting, Infinity, data.name);
    if ((type !== 'test:pass' && type !== 'test:fail') || data.details.type === 'suite') continue;
    // A test that holds others fails with them; theirs are the failures that say why.
    const error: unknown = type === 'test:fail' ? data.details.error : undefined;
    if (propertyOf(error, 'failureType') === 'subtestsFailed') continue;
    const isSkipped = data.skip !== undefined && data.skip !== false;
    const outcome: TestOutcome = {
      names: [...names.slice(0, data.nesting), data.name],
      outcome: type === 'test:fail' ? 'failed' : isSkipped ? 'skipped' : 'passed',
      ...(type === 'test:fail' && { failure: failureOf(error) }),
    };
    yield `${JSON.stringify(outcome)}\n`;
  }
}

function failureOf(error: unknown): { kind: FailureKind; message: string } {
  const failureType = propertyOf(error, 'failureType');
  const thrown = propertyOf(error, 'cause');
  const message = (thrown instanceof Error ? thrown.message : String(thrown)).split('\n')[0] ?? '';
  const isOfTest = failureType === 'testCodeFailure';
  return {
    kind: isOfTest ? kindOf(thrown) : 'other',
    message: isOfTest ? message : `${String(failureType)}: ${message}`,
  };
}

/** An assertion may lie below another error: that of a property test, for one. */
function kindOf(thrown: unknown): FailureKind {
  let cause = thrown;
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth += 1) {
    if (propertyOf(cause, 'code') === 'ERR_ASSERTION') return 'assertion';
    cause = cause.cause;
  }
  return propertyOf(thrown, 'name') === 'AppError' ? 'refusal' : 'other';
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
