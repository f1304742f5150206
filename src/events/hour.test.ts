import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  addHours,
  beijingDayOf,
  formatBeijingHour,
  formatRequestTime,
  formatUtcHour,
  HOUR_MS,
  hourEndMs,
  hourFromInteger,
  hourOf,
  hourStartMs,
  parseBeijingHour,
  parseExportDate,
  parseUtcHour,
  type Hour,
} from './hour.ts';

const at = (iso: string): Hour => hourOf(Date.parse(iso));

describe('hourOf', () => {
  it('holds the first millisecond of an hour and not the one after its last', () => {
    const hour = at('2026-11-23T04:00:00Z');
    assert.equal(hourOf(hourStartMs(hour)), hour);
    assert.equal(hourOf(hourEndMs(hour) - 1), hour);
    assert.equal(hourOf(hourEndMs(hour)), addHours(hour, 1));
    assert.equal(hourOf(hourStartMs(hour) - 1), addHours(hour, -1));
    assert.equal(hourEndMs(hour) - hourStartMs(hour), HOUR_MS);
  });
});

describe('formatting', () => {
  const cases: readonly (readonly [instant: string, beijing: string, utc: string])[] = [
    ['2018-06-30T16:00:00Z', '2018070100', '201806301600'],
    ['2018-06-30T15:59:59.999Z', '2018063023', '201806301500'],
    ['2026-12-31T16:00:00Z', '2027010100', '202612311600'],
    ['2028-02-29T12:30:00Z', '2028022920', '202802291200'],
    ['1970-01-01T00:00:00Z', '1970010108', '197001010000'],
  ];
  for (const [instant, beijing, utc] of cases) {
    it(`names the hour of ${instant} ${beijing} in requests and ${utc} in file names`, () => {
      assert.equal(formatBeijingHour(at(instant)), beijing);
      assert.equal(formatUtcHour(at(instant)), utc);
    });
  }

  it('reads back every hour from its name', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_500_000 }), (number) => {
        const hour = hourFromInteger(number);
        assert.equal(parseUtcHour(formatUtcHour(hour)), hour);
        assert.equal(parseBeijingHour(formatBeijingHour(hour)), hour);
        const date = parseExportDate('hour', formatBeijingHour(hour));
        assert.ok(typeof date === 'object');
        assert.equal(date.hours.from, hour);
      }),
    );
  });

  for (const text of [
    '201806301601',
    '2018063016',
    '201806312400',
    '201802301600',
    '20180630160',
    'x01806301600',
    '',
  ]) {
    it(`does not take ${JSON.stringify(text)} for an hour of a file name`, () => {
      assert.equal(parseUtcHour(text), undefined);
    });
  }

  for (const text of [
    '',
    '20261124',
    '202611240700',
    '2026112424',
    '2026023007',
    '2026-11-24',
    ' 2026112407',
    '２０２６112407',
  ]) {
    it(`does not take ${JSON.stringify(text)} for an hour in Beijing time`, () => {
      assert.equal(parseBeijingHour(text), undefined);
    });
  }

  it('writes the request time in UTC to the minute', () => {
    assert.equal(formatRequestTime(Date.parse('2018-07-18T02:37:59.999Z')), '2018-07-18 02:37');
  });

  it('refuses a stored hour that is no integer', () => {
    assert.throws(() => hourFromInteger(1.5), RangeError);
    assert.throws(() => hourFromInteger(Number.NaN), RangeError);
  });
});

describe('beijingDayOf', () => {
  it('begins a day at 16:00 UTC and holds 24 hours', () => {
    const from = at('2018-06-30T16:00:00Z');
    for (const inside of [from, addHours(from, 23)]) {
      assert.deepEqual(beijingDayOf(inside), { from, until: addHours(from, 24) });
    }
    assert.deepEqual(beijingDayOf(addHours(from, -1)), { from: addHours(from, -24), until: from });
    assert.deepEqual(beijingDayOf(addHours(from, 24)), { from: addHours(from, 24), until: addHours(from, 48) });
  });
});

describe('parseExportDate', () => {
  const hours: readonly (readonly [text: string, echo: string, from: string])[] = [
    ['2018070100', '2018070100', '2018-06-30T16:00:00Z'],
    ['201807010059', '2018070100', '2018-06-30T16:00:00Z'],
    ['2018070123', '2018070123', '2018-07-01T15:00:00Z'],
    ['2018070124', '2018070124', '2018-07-01T16:00:00Z'],
    ['201807012400', '2018070124', '2018-07-01T16:00:00Z'],
    ['2018123124', '2018123124', '2018-12-31T16:00:00Z'],
    ['2028022924', '2028022924', '2028-02-29T16:00:00Z'],
  ];
  for (const [text, echo, from] of hours) {
    it(`reads the hour ${text} as the one that begins at ${from}`, () => {
      const expected = { exportType: 'hour', echo, hours: { from: at(from), until: addHours(at(from), 1) } };
      assert.deepEqual(parseExportDate('hour', text), expected);
    });
  }

  for (const text of ['20180701', '2018070100', '2018070123', '201807010000', '2018070124', '2018070199']) {
    it(`reads the day ${text} by its first eight digits alone`, () => {
      const from = at('2018-06-30T16:00:00Z');
      const expected = { exportType: 'day', echo: '20180701', hours: { from, until: addHours(from, 24) } };
      assert.deepEqual(parseExportDate('day', text), expected);
    });
  }

  const refused: readonly (readonly ['hour' | 'day', text: string, why: RegExp])[] = [
    ['hour', '20180701', /needs the hour/],
    ['hour', '2018070125', /25 is no hour/],
    ['hour', '2018070199', /99 is no hour/],
    ['day', '20260231', /20260231 is no day/],
    ['hour', '2026023100', /20260231 is no day/],
    ['day', '20270229', /is no day/],
    ['day', '20261301', /is no day/],
    ['day', '20260001', /is no day/],
    ['day', '20260100', /is no day/],
    ['day', '00000101', /is no day/],
    ['day', '19691231', /is no day/],
    ['day', '2026', /8, 10 or 12 digits/],
    ['day', '202601010', /8, 10 or 12 digits/],
    ['hour', '20260101000000', /8, 10 or 12 digits/],
    ['hour', '2026-01-01', /8, 10 or 12 digits/],
    ['hour', ' 2026010100', /8, 10 or 12 digits/],
    ['hour', '2026010100\n', /8, 10 or 12 digits/],
    ['day', '２０２６０１０１', /8, 10 or 12 digits/],
    ['day', '', /8, 10 or 12 digits/],
  ];
  for (const [exportType, text, why] of refused) {
    it(`says why ${JSON.stringify(text)} is no ${exportType}`, () => {
      const sentence = parseExportDate(exportType, text);
      assert.ok(typeof sentence === 'string');
      assert.match(sentence, why);
    });
  }

  it('takes the leap day of a leap year', () => {
    assert.equal(typeof parseExportDate('day', '20280229'), 'object');
  });
});
