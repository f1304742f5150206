import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError } from '../errors/app-error.ts';
import { parseOptions } from './parse-options.ts';

const COMMAND = { options: ['export-from'], required: [], takesPositionals: false } as const;

test('an instant is taken as it is written, and none that is in no calendar', () => {
  const read = (text: string): unknown =>
    parseOptions(['--export-from', text], {}, COMMAND).values.optionalInstantMs('export-from');
  assert.equal(read('2028-02-29T08:00:00+08:00'), Date.UTC(2028, 1, 29));
  for (const text of ['2026-02-29', '2026-02-31T00:00:00Z', '2026-04-31T23:59:59+08:00', '2026-13-01', 'yesterday']) {
    assert.throws(() => read(text), ConfigurationError, text);
  }
});
