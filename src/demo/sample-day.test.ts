// The sample traffic is taken whole, joins as the export promises, and holds what breaks careless readers.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findField } from '../events/csv-line.ts';
import { columnsOf, type DataType } from '../events/data-types.ts';
import type { EventRow } from '../events/event-row.ts';
import { beijingDayOf, hourOf, hourStartMs } from '../events/hour.ts';
import { mapEvents, PATH_PLATFORMS } from '../events/map-events.ts';
import { PageDomains } from '../events/page-domains.ts';
import { NO_RULES } from '../rules/rule-set.ts';
import { UserAgents } from '../events/user-agent.ts';
import { parseImportLine } from '../imports/import-line.ts';
import { makeSampleDay } from './sample-day.ts';

const DAY = beijingDayOf(hourOf(Date.UTC(2026, 10, 22, 12)));
const VISITS = 400;
const LINES = makeSampleDay({ day: DAY, visits: VISITS });
const IMPORTED = LINES.map((text, place) =>
  parseImportLine({ source: 'sample', bytes: Buffer.from(text), number: place + 1 }),
);

describe('makeSampleDay', () => {
  it('makes the same lines for the same day', () => {
    assert.deepEqual(makeSampleDay({ day: DAY, visits: VISITS }), LINES);
  });

  it('sends in order of time and only within the day, more in the evening than at night', () => {
    const times = IMPORTED.map((line) => line.sendTimeMs);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    assert.ok(times[0]! >= hourStartMs(DAY.from) && times.at(-1)! < hourStartMs(DAY.until));
    const inHour = (hourOfDay: number): number => times.filter((time) => hourOf(time) === DAY.from + hourOfDay).length;
    assert.ok(inHour(21) > 4 * inHour(3), `${inHour(21)} events at 21:00, ${inHour(3)} at 03:00`);
  });

  it('comes from every platform', () => {
    const platforms = new Set(IMPORTED.map((line) => line.pathWord));
    assert.deepEqual([...platforms].sort(), Object.keys(PATH_PLATFORMS).sort());
  });

  it('has no event that is rejected, ignored or cut', () => {
    assert.deepEqual(mapped.rejections, []);
    assert.equal(mapped.ignored, 0);
    assert.deepEqual(mapped.cuts, []);
  });

  it('fills every data type that SDKs fill', () => {
    const types = new Set(mapped.rows.map((row) => row.kind));
    const filled = ['action', 'ads_track_activation', 'custom_event', 'evar', 'page', 'pvar', 'visit', 'vstr'];
    assert.deepEqual([...types].sort(), filled);
  });

  it('has one visit for each session, and a visit for every page', () => {
    const visits = valuesOf('visit', 'vstRequestId');
    assert.equal(new Set(visits).size, visits.length);
    assert.deepEqual(missingFrom(visits, valuesOf('page', 'vstRequestId')), []);
  });

  it('has a page for every action, custom event and page variable of a visitor', () => {
    const pages = valuesOf('page', 'pageRequestId');
    assert.equal(new Set(pages).size, pages.length);
    for (const dataType of ['action', 'custom_event', 'pvar'] as const) {
      const ids = valuesOf(dataType, 'pageRequestId').filter((id) => id !== '');
      assert.ok(ids.length > 0);
      assert.deepEqual(missingFrom(pages, ids), [], dataType);
    }
  });

  it('knows the visitor of all events but those of servers', () => {
    const anonymous = valuesOf('custom_event', 'visitUserId').filter((visitor) => visitor === '').length;
    assert.equal(anonymous, IMPORTED.filter((line) => line.pathWord === 's2s').length);
    assert.ok(valuesOf('custom_event', 'domain').filter((domain) => domain === '').length <= anonymous);
  });

  it('holds Chinese text, commas, quotes, backslashes, line breaks and emoji', () => {
    const text = mapped.rows.map((row) => row.lineTail.slice(0, -1)).join('');
    for (const piece of ['苹果', '5斤装, 顺丰', '\\"', '\\\\', '\n', '\r\n', '🎂', '👨‍👩‍👧'])
      assert.ok(text.includes(piece), JSON.stringify(piece));
  });
});

type Mapped = {
  readonly rows: readonly EventRow[];
  readonly rejections: readonly string[];
  readonly ignored: number;
  readonly cuts: readonly string[];
};

const mapped = mapAll();

/** Maps the lines as the import does, each as a request of its own. */
function mapAll(): Mapped {
  const cuts: string[] = [];
  const mapper = {
    pageDomains: new PageDomains(),
    userAgents: new UserAgents(),
    rulesOf: () => NO_RULES,
    onCut: (dataType: string, column: string) => void cuts.push(`${dataType}.${column}`),
  };
  const batches = IMPORTED.map(({ pathWord, ip, userAgent, event }) =>
    mapEvents({ ai: 'demo', pathWord, elements: [event], oversize: new Map(), ip, userAgent }, mapper),
  );
  return {
    rows: batches.flatMap((batch) => batch.rows),
    rejections: batches.flatMap((batch) => batch.rejections),
    ignored: batches.flatMap((batch) => batch.receipts).reduce((sum, receipt) => sum + receipt.ignored, 0),
    cuts,
  };
}

/** The values of one column, as they stand in the CSV. */
function valuesOf(dataType: DataType, column: string): string[] {
  const place = columnsOf(dataType).findIndex(({ name }) => name === column);
  return mapped.rows
    .filter((row) => row.kind === dataType)
    .map((row) => {
      const line = Buffer.from(row.lineHead + row.lineTail);
      const field = findField(line, 0, line.length, place)!;
      return line.toString('utf8', field.start, field.end);
    });
}

function missingFrom(known: readonly string[], asked: readonly string[]): string[] {
  const set = new Set(known);
  return asked.filter((value) => !set.has(value));
}
