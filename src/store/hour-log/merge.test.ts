/** What an export asks of merged rows beyond their order: columns whose values lie in the records' extras. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { atEnd } from '../../../test/helpers/at-end.ts';
import { eventRow, HOUR_START_MS } from '../../../test/helpers/event-rows.ts';
import { FakeClock } from '../../../test/helpers/fake-clock.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import type { EventRow } from '../../events/event-row.ts';
import { extendedColumnsOf } from '../../events/extended-columns.ts';
import { addHours, hourEndMs, hourOf } from '../../events/hour.ts';
import { HourLog } from './hour-log.ts';
import { HourLogReader } from './hour-log-reader.ts';
import { storeJobsInPlace } from './store-jobs.ts';

const AI = 'ai-1';
const HOUR = hourOf(HOUR_START_MS);
const COLUMNS = extendedColumnsOf('ads_track_click');

async function openLog(t: TestContext) {
  const root = join(await temporaryFolder(t), 'hour-log');
  const clock = new FakeClock(hourEndMs(HOUR) - 60_000); // in the last ten minutes, whose ids the next hour sees
  const log = await HourLog.open({ root, clock, jobs: storeJobsInPlace });
  atEnd(t, () => log.close());
  const append = async (rows: readonly EventRow[]): Promise<void> => {
    const receipt = { line: 'ads_track_click', received: rows.length, ignored: 0, rows: rows.length } as const;
    await log.append({ ai: AI, rows, receipts: [receipt], rejections: [] });
  };
  const linesOf = async (hours: number, columns = COLUMNS): Promise<string[]> => {
    const hour = addHours(HOUR, hours);
    clock.set(hourEndMs(hour));
    await log.seal(addHours(hour, 1));
    await log.prepare(hour);
    return [...new HourLogReader(root).readSorted(hour, AI, 'ads_track_click', columns)].flatMap((batch) =>
      [...batch.lineEnds].map((end, row) => batch.lines.toString('utf8', row === 0 ? 0 : batch.lineEnds[row - 1], end)),
    );
  };
  return { append, linesOf };
}

function clickRow(id: string, extras: EventRow['extras']): EventRow {
  return { ...eventRow({ kind: 'ads_track_click', id }), extras };
}

describe('readSorted with columns', () => {
  it('appends the fields of the extras to each line, quoted where they must be and empty where there are none', async (t) => {
    const { append, linesOf } = await openLog(t);
    await append([
      clickRow('a', { oaid: 'o-1', url: 'https://t.example/l/x?a="b",c', iv: 'not asked for' }),
      clickRow('b', {}),
      clickRow('c', { oaid: '' }),
    ]);
    const plain = await linesOf(0, []);
    const byId = (lines: readonly string[]) => new Map(lines.map((line) => [/,([abc])(?=[,\n])/.exec(line)![1], line]));
    const extended = byId(await linesOf(0));
    for (const [id, fields] of [
      ['a', ',o-1,"https://t.example/l/x?a=\\"b\\",c"\n'],
      ['b', ',,\n'],
      ['c', ',"",\n'],
    ] as const)
      assert.equal(extended.get(id), byId(plain).get(id)!.replace('\n', fields));
  });

  it('appends nothing to what stands for a row of the hour before', async (t) => {
    const { append, linesOf } = await openLog(t);
    await append([clickRow('a', { oaid: 'o-1' })]);
    await linesOf(0);
    await append([clickRow('b', { oaid: 'o-2' })]);
    const [nothing, line] = (await linesOf(1)).sort();
    assert.equal(nothing, '');
    assert.match(line!, /,b,o-2,\n$/);
  });

  it('appends fields larger than a batch', async (t) => {
    const { append, linesOf } = await openLog(t);
    const wide = [{ name: 'clickUrl', type: 'string', extra: 'url' }] as const;
    const urls = ['x', 'y', 'z'].map((letter) => letter.repeat(300_000));
    await append(urls.map((url, place) => clickRow(String(place), { url })));
    const lines = await linesOf(0, wide);
    assert.deepEqual(lines.map((line) => line.slice(line.lastIndexOf(',') + 1, -1)).sort(), urls);
  });
});
