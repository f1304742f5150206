import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseByteRange } from './byte-range.ts';

describe('parseByteRange', () => {
  const whole = { status: 'whole' } as const;
  const unsatisfiable = { status: 'unsatisfiable' } as const;
  const part = (from: number, until: number) => ({ status: 'part', from, until }) as const;
  const cases = [
    [undefined, whole],
    ['', whole],
    ['bytes=0-9', part(0, 10)],
    ['bytes=0-0', part(0, 1)],
    ['bytes=90-', part(90, 100)],
    ['bytes=0-', part(0, 100)],
    ['bytes=99-99', part(99, 100)],
    ['bytes=90-999999', part(90, 100)],
    ['bytes=-10', part(90, 100)],
    ['bytes=-1000', part(0, 100)],
    ['BYTES = 5 - 6', part(5, 7)],
    ['bytes=100-', unsatisfiable],
    ['bytes=100-200', unsatisfiable],
    ['bytes=-0', unsatisfiable],
    ['bytes=9-5', whole],
    ['bytes=0-1,5-6', whole],
    ['bytes=-', whole],
    ['bytes=a-b', whole],
    ['bytes=1.5-2', whole],
    ['bytes=--5', whole],
    ['items=0-5', whole],
    [`bytes=0-${'9'.repeat(15)}`, part(0, 100)],
    [`bytes=${'9'.repeat(400)}-`, whole],
  ] as const;
  for (const [header, expected] of cases) {
    test(`reads ${String(header).slice(0, 40)} of 100 bytes as ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(parseByteRange(header, 100), expected);
    });
  }

  test('finds nothing to satisfy in an empty file', () => {
    assert.deepEqual(parseByteRange('bytes=0-', 0), unsatisfiable);
    assert.deepEqual(parseByteRange('bytes=-5', 0), unsatisfiable);
  });
});
