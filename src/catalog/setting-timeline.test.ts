import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { addHours, beijingDayOf, HOUR_MS, hourStartMs, hourFromInteger, type Hour } from '../events/hour.ts';
import { NEW_YEAR, NEW_YEAR_MS } from './catalog.test-helper.ts';
import { nextHourAfter, SettingTimeline, unchangedTimeline, type SettingChange } from './setting-timeline.ts';

const DAY_MS = 24 * HOUR_MS;
const DEFAULTS = {
  retentionDays: 15,
  packageBytes: 1_000,
  ingestLimitBytes: 5,
  callLimit: 7,
  trustedProxies: ['10.0.0.1'],
};

function change(setting: SettingChange['setting'], value: SettingChange['value'], fromHour: Hour): SettingChange {
  return { setting, value, fromHour, changedAtMs: 0, changedBy: 'test' };
}

function timelineOf(changes: readonly SettingChange[], deletedBefore = hourFromInteger(0)): SettingTimeline {
  return new SettingTimeline({ exportEnabledAtMs: NEW_YEAR_MS, changes, deletedBefore });
}

const at = (hours: number): Hour => addHours(NEW_YEAR, hours);

describe('SettingTimeline', () => {
  test('exports from the hour in which export was enabled, and not in the hours that it was off', () => {
    const timeline = timelineOf([
      change('export', false, at(3)),
      change('export', true, at(5)),
      change('export', false, at(8)),
    ]);
    const exported = Array.from({ length: 12 }, (_, hours) => hours - 1).filter((hours) =>
      timeline.isExported(at(hours)),
    );
    assert.deepEqual(exported, [0, 1, 2, 5, 6, 7]);
    assert.deepEqual(timeline.exportedRanges({ from: at(-1), until: at(11) }), [
      { from: at(0), until: at(3) },
      { from: at(5), until: at(8) },
    ]);
  });

  test('exports earlier when it is switched on before the project was to begin, and goes on at its beginning', () => {
    assert.ok(timelineOf([change('export', true, at(-2))]).isExported(at(-2)));
    assert.ok(!timelineOf([change('export', true, at(-2))]).isExported(at(-3)));
    assert.ok(timelineOf([change('export', false, at(-2))]).isExported(at(0)));
  });

  test('gives ranges that hold exactly the exported hours, whatever was changed when', () => {
    const changes = fc.array(fc.tuple(fc.option(fc.boolean()), fc.integer({ min: -6, max: 20 })), { maxLength: 8 });
    fc.assert(
      fc.property(changes, fc.integer({ min: -8, max: 8 }), fc.integer({ min: 0, max: 24 }), (made, from, length) => {
        const timeline = timelineOf(made.map(([value, hours]) => change('export', value, at(hours))));
        const range = { from: at(from), until: at(from + length) };
        const ranges = timeline.exportedRanges(range);
        const expected = Array.from({ length }, (_, place) => at(from + place)).filter((hour) =>
          timeline.isExported(hour),
        );
        assert.deepEqual(
          ranges.flatMap((each) =>
            Array.from({ length: each.until - each.from }, (_, place) => addHours(each.from, place)),
          ),
          expected,
        );
        for (const [place, each] of ranges.entries()) assert.ok(place === 0 || ranges[place - 1]!.until < each.from);
      }),
    );
  });

  test('gives each hour the last change up to it, and of two for one hour the one made later', () => {
    const timeline = timelineOf([
      change('gzipLevel', 6, at(4)),
      change('gzipLevel', 9, at(8)),
      change('gzipLevel', 2, at(2)),
      change('gzipLevel', 3, at(4)),
      change('gzipLevel', null, at(10)),
    ]);
    const levels = [1, 2, 3, 4, 7, 8, 9, 10, 99].map(
      (hours) => timeline.packageSettings(at(hours), DEFAULTS).gzipLevel,
    );
    assert.deepEqual(levels, [1, 2, 2, 3, 3, 9, 9, 1, 1]);
    assert.deepEqual(
      timeline.plannedAfter(at(4)).map(({ value }) => value),
      [9, null],
    );
    assert.deepEqual(
      timeline.plannedAfter(at(0)).map(({ value }) => value),
      [2, 3, 9, null],
      'what another for the same hour takes back is not planned',
    );
  });

  test("takes the server's options where the project says nothing", () => {
    const settings = unchangedTimeline(NEW_YEAR_MS).settingsAt(at(0), DEFAULTS);
    assert.deepEqual(settings, {
      ...DEFAULTS,
      export: true,
      gzipLevel: 1,
      extendedColumns: false,
      lineBreaks: 'keep',
      legacyExport: false,
    });
  });

  test('keeps hours by the retention in force now, and never one that was deleted before', () => {
    const nowMs = NEW_YEAR_MS + 40 * DAY_MS;
    const shorter = timelineOf([change('retentionDays', 2, at(0))]);
    const limit = shorter.keptFrom(nowMs, 15);
    assert.equal(limit, beijingDayOf(addHours(NEW_YEAR, 38 * 24)).from);
    const longer = [change('retentionDays', 2, at(0)), change('retentionDays', 30, at(39 * 24))];
    assert.ok(timelineOf(longer).keptFrom(nowMs, 15) < limit);
    assert.equal(timelineOf(longer, limit).keptFrom(nowMs, 15), limit);
  });
});

test('a change holds from the hour after the one that it was made in', () => {
  assert.equal(nextHourAfter(hourStartMs(NEW_YEAR)), at(1));
  assert.equal(nextHourAfter(hourStartMs(at(1)) - 1), at(1));
});
