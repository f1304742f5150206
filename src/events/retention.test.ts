import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatBeijingHour } from './hour.ts';
import { retainedFrom } from './retention.ts';

describe('retainedFrom', () => {
  const cases = [
    ['the last millisecond of a Beijing day', '2018-07-16T15:59:59.999Z', 15, '2018070100'],
    ['the first millisecond of the next', '2018-07-16T16:00:00.000Z', 15, '2018070200'],
    ['the middle of a day', '2018-07-17T02:30:00.000Z', 15, '2018070200'],
    ['one day of retention', '2018-07-16T16:00:00.000Z', 1, '2018071600'],
    ['less than a day', '2018-07-16T17:00:00.000Z', 0.5, '2018071600'],
  ] as const;
  for (const [when, now, days, first] of cases) {
    test(`keeps ${first} and later at ${when} with ${days} days`, () => {
      assert.equal(formatBeijingHour(retainedFrom(Date.parse(now), days)), first);
    });
  }
});
