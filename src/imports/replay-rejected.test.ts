import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { atEnd } from '../../test/helpers/at-end.ts';
import { FakeClock } from '../../test/helpers/fake-clock.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { NEW_YEAR, NEW_YEAR_MS, openWithProject, sampleProject } from '../catalog/catalog.test-helper.ts';
import type { Catalog, ReplayTable } from '../catalog/catalog.ts';
import { addHours, hourEndMs, hourOf, HOUR_MS, type Hour } from '../events/hour.ts';
import { buildRejectedRow } from '../events/rejected-row.ts';
import { RejectedEvents } from '../exports/rejected-events.ts';
import { HourLog } from '../store/hour-log/hour-log.ts';
import { HourLogReader } from '../store/hour-log/hour-log-reader.ts';
import { storeJobsInPlace } from '../store/hour-log/store-jobs.ts';
import { replayRejected, type ReplaySummary } from './replay-rejected.ts';

const click = (n: string): object => ({ t: 'cstm', tm: 1, u: 'visitor', s: 's', d: 'shop', n });
const STILL_WRONG = { t: 'cstm', tm: 1, u: 'visitor' };

type Replaying = {
  readonly catalog: Catalog;
  readonly ai: string;
  readonly log: HourLog;
  readonly reader: HourLogReader;
  readonly rejected: RejectedEvents;
  readonly clock: FakeClock;
  /** Replays the first hour, or these lines; with this replay table instead of the catalog's. */
  readonly replay: (lines?: string, replays?: ReplayTable) => Promise<ReplaySummary>;
  readonly download: (ai?: string) => string;
  /** How many custom events an hour holds when it has been closed. */
  readonly closedRows: (hour: Hour) => Promise<number>;
};

/** A log whose first hour holds these events, rejected for reasons that hold no more; one request each. */
async function openReplaying(t: TestContext, requests: readonly (readonly object[])[]): Promise<Replaying> {
  const { catalog, ai } = await openWithProject(t);
  const storeRoot = join(await temporaryFolder(t), 'hour-log');
  const clock = new FakeClock(NEW_YEAR_MS);
  const log = await HourLog.open({ root: storeRoot, clock, jobs: storeJobsInPlace });
  atEnd(t, () => log.close());
  const reader = new HourLogReader(storeRoot);
  const client = { pathWord: 'web', ip: '203.0.113.9', userAgent: null };
  for (const events of requests) {
    const rows = events.map((event) =>
      buildRejectedRow(client, { reason: 'an old fault', line: 'custom_event', event }),
    );
    const receipts = [{ line: 'custom_event', received: events.length, ignored: 0, rows: 0 } as const];
    await log.append({ ai, rows, receipts, rejections: rows.map(() => 'an old fault') });
    clock.set(clock.nowMs() + 1);
  }
  const close = async (hour: Hour): Promise<void> => {
    clock.set(Math.max(clock.nowMs(), hourEndMs(hour)));
    await log.seal(addHours(hour, 1));
    await log.prepare(hour);
  };
  await close(NEW_YEAR);
  const rejected = new RejectedEvents({ reader, store: log, key: Buffer.from('a key') });
  const download = (of = ai): string => Buffer.concat([...rejected.ndjson(of, NEW_YEAR)]).toString();
  const replay = (lines = download(), replays: ReplayTable = catalog.replays): Promise<ReplaySummary> =>
    replayRejected(
      {
        ai,
        catalog: { ...catalog, replays },
        store: log,
        reader,
        rejected,
        storeRoot,
        clock,
        retentionDays: 15,
      },
      { name: 'lines', bytes: Readable.from([Buffer.from(lines)]) },
    );
  const closedRows = async (hour: Hour): Promise<number> => {
    await close(hour);
    const ids = new Set<string>();
    for (const { rowIds, count } of reader.readSorted(hour, ai, 'custom_event'))
      for (let row = 0; row < count; row += 1) ids.add(rowIds.toString('hex', 16 * row, 16 * row + 16));
    return ids.size;
  };
  return { catalog, ai, log, reader, rejected, clock, replay, download, closedRows };
}

const NEXT = addHours(NEW_YEAR, 1);

describe('replayRejected', () => {
  it('sends what is taken now as new arrivals, and leaves what is rejected still', async (t) => {
    const { ai, reader, replay, closedRows } = await openReplaying(t, [
      [click('a'), STILL_WRONG, click('b')],
      [{ t: 'imp' }],
    ]);
    const summary = await replay();
    assert.deepEqual(summary, {
      events: 4,
      replayed: 2,
      sentBefore: 0,
      ignored: 1,
      rejected: 1,
      reasons: { 'n (the event name) is missing': 1 },
    });
    assert.equal(await closedRows(NEXT), 2);
    const { kinds, receipts } = reader.counts(NEXT, ai);
    assert.deepEqual(
      kinds.map(({ kind }) => kind),
      ['custom_event'],
      'nothing is rejected a second time',
    );
    assert.deepEqual(
      receipts.map(({ line, received, rows }) => [line, received, rows]),
      [
        ['custom_event', 2, 2],
        ['replay', 2, 0],
      ],
    );
  });

  it('keeps equal events of one request apart, and makes one of a request that was sent twice', async (t) => {
    const { replay, closedRows } = await openReplaying(t, [[click('a'), click('a')], [click('b')], [click('b')]]);
    assert.equal((await replay()).replayed, 4);
    assert.equal(await closedRows(NEXT), 3);
  });

  it('sends no event twice, in whatever hour it is asked to', async (t) => {
    const { clock, log, replay, closedRows } = await openReplaying(t, [[click('a'), STILL_WRONG]]);
    assert.equal((await replay()).replayed, 1);
    assert.deepEqual(await replay().then(({ replayed, sentBefore }) => [replayed, sentBefore]), [0, 1]);
    assert.equal(await closedRows(NEXT), 1);
    clock.set(clock.nowMs() + 3 * HOUR_MS);
    await log.seal(hourOf(clock.nowMs()));
    assert.equal((await replay()).replayed, 0);
    assert.equal(await closedRows(hourOf(clock.nowMs())), 0);
  });

  it('finds what a replay that died had sent, in the same hour and hours later', async (t) => {
    for (const hoursLater of [0, 1, 5]) {
      const { clock, log, catalog, replay, closedRows } = await openReplaying(t, [[click('a'), click('b')]]);
      const dying: ReplayTable = {
        find: (...of) => catalog.replays.find(...of),
        begin: (...of) => catalog.replays.begin(...of),
        finish: () => Promise.reject(new Error('killed')),
        deleteBefore: (...of) => catalog.replays.deleteBefore(...of),
      };
      await assert.rejects(replay(undefined, dying), /killed/);
      clock.set(clock.nowMs() + hoursLater * HOUR_MS);
      await log.seal(hourOf(clock.nowMs()));
      const { replayed, sentBefore } = await replay();
      assert.equal(replayed + sentBefore, 2);
      let rows = 0;
      for (let hour = NEXT; hour <= hourOf(NEW_YEAR_MS + (1 + hoursLater) * HOUR_MS); hour = addHours(hour, 1))
        rows += await closedRows(hour);
      assert.equal(rows, 2, `${hoursLater} hours later`);
    }
  });

  it('sends what a replay that died before its append had only begun', async (t) => {
    const { clock, log, catalog, ai, rejected, download, replay, closedRows } = await openReplaying(t, [[click('a')]]);
    const { id } = JSON.parse(download()) as { readonly id: string };
    const ids = [rejected.parseId(ai, id)!.digest];
    await catalog.replays.begin(ai, { hour: NEW_YEAR, ids, begunHour: NEXT });
    clock.set(clock.nowMs() + 2 * HOUR_MS);
    await log.seal(hourOf(clock.nowMs()));
    assert.equal((await replay()).replayed, 1);
    assert.equal(await closedRows(addHours(NEXT, 2)), 1);
  });

  it('sends an edited event once, and its first form not after it', async (t) => {
    const { download, replay, closedRows } = await openReplaying(t, [[STILL_WRONG, click('a')]]);
    const edited = download().replace('"u":"visitor"}', '"u":"visitor","n":"mended"}');
    assert.deepEqual(await replay(edited).then(({ replayed, rejected }) => [replayed, rejected]), [2, 0]);
    assert.deepEqual(await replay().then(({ replayed, sentBefore }) => [replayed, sentBefore]), [0, 2]);
    assert.equal(await closedRows(NEXT), 2);
  });

  it('refuses lines that are no rejected events of the project, and names them', async (t) => {
    const { catalog, download, replay } = await openReplaying(t, [[click('a')]]);
    await catalog.projects.create(sampleProject({ ai: 'other', uid: 'Other123' }));
    const line = download();
    const id = /"id":"([^"]*)"/.exec(line)![1]!;
    const cases: readonly (readonly [what: string, line: string])[] = [
      ['no id', line.replace(/"id":"[^"]*",/, '')],
      ['another hour', line.replace(id, `2026010109${id.slice(10)}`)],
      [
        'another digest',
        line.replace(
          id,
          id.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
        ),
      ],
      ['no JSON', '{"id":'],
      ['a platform that is none', line.replace('"platform":"web"', '"platform":"tv"')],
    ];
    for (const [what, bad] of cases)
      await assert.rejects(replay(bad), { code: 'replay_invalid', message: /^lines, line 1: / }, what);
    assert.equal((await replay()).replayed, 1, 'nothing was sent before');
  });

  it('refuses to send into an hour that will not be exported', async (t) => {
    const { catalog, ai, clock, replay } = await openReplaying(t, [[click('a')]]);
    const change = { values: { export: false }, fromHour: NEXT, nowMs: clock.nowMs(), by: 'ada' };
    await catalog.settings.change(ai, change);
    await assert.rejects(replay(), { code: 'replay_refused' });
  });
});
