/**
 * What every HourStore promises, as tests. Each implementation's own test file runs this suite with its way to open a store.
 *
 * The invariants' numbers are those of src/store/hour-store.ts.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { ROW_FLAGS } from '../../src/events/event-row.ts';
import { addHours, hourOf, HOUR_MS, type Hour } from '../../src/events/hour.ts';
import type { HourReader, HourStore } from '../../src/store/hour-store.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { eventBatch, HOUR_START_MS, type RowSpec } from '../helpers/event-rows.ts';

export type OpenStore = { readonly store: HourStore; readonly reader: HourReader };
export type StoreUnderTest = {
  /** Opens a store; with the folder of an earlier one, that store again. */
  open(options: {
    readonly folder: string;
    readonly clock: FakeClock;
    readonly segmentBytes?: number;
  }): Promise<OpenStore>;
  folder(context: TestContext): Promise<string>;
};

const AI = '0123456789abcdef';
const HOUR = hourOf(HOUR_START_MS);

/** Reads all lines of a project's rows in an hour. */
export function readLines(reader: HourReader, hour: Hour, ai = AI, kind: 'evar' | 'page' = 'evar'): string[] {
  return [...reader.readSorted(hour, ai, kind)].flatMap((batch) => batch.lines.toString().split('\n').slice(0, -1));
}

export function hourStoreSuite(name: string, subject: StoreUnderTest): void {
  describe(`${name} as an HourStore`, () => {
    it('S1 keeps acknowledged rows when the store is opened again without having been closed', async (t) => {
      const folder = await subject.folder(t);
      const clock = new FakeClock(HOUR_START_MS + 5);
      const first = await subject.open({ folder, clock });
      await first.store.append(eventBatch(AI, [{ id: 'a' }, { id: 'b', timeMs: 2 }]));
      const second = await subject.open({ folder, clock });
      clock.set(HOUR_START_MS + HOUR_MS);
      await second.store.seal(addHours(HOUR, 1));
      await second.store.prepare(HOUR);
      assert.deepEqual(readLines(second.reader, HOUR), [
        `u-1,s-1,1,${HOUR_START_MS + 5},a`,
        `u-1,s-1,2,${HOUR_START_MS + 5},b`,
      ]);
      await first.store.close();
      await second.store.close();
    });

    it('S3 gives a later send time to what arrives after the seal, although the clock stepped back', async (t) => {
      const clock = new FakeClock(HOUR_START_MS + 5);
      const { store, reader } = await subject.open({ folder: await subject.folder(t), clock });
      await store.append(eventBatch(AI, [{ id: 'before' }]));
      await store.seal(addHours(HOUR, 1));
      clock.set(HOUR_START_MS - 2 * HOUR_MS);
      const { sendTimeMs } = await store.append(eventBatch(AI, [{ id: 'after' }]));
      assert.equal(sendTimeMs, HOUR_START_MS + HOUR_MS);
      await store.seal(addHours(HOUR, 2));
      await store.prepare(HOUR);
      await store.prepare(addHours(HOUR, 1));
      assert.deepEqual(readLines(reader, HOUR), [`u-1,s-1,1,${HOUR_START_MS + 5},before`]);
      assert.deepEqual(readLines(reader, addHours(HOUR, 1)), [`u-1,s-1,1,${HOUR_START_MS + HOUR_MS},after`]);
      await store.close();
    });

    it('S3 holds between two collectors: one seals while the other appends, and every row is in exactly one hour', async (t) => {
      const folder = await subject.folder(t);
      const clock = new FakeClock(HOUR_START_MS + 5);
      const collector = await subject.open({ folder, clock });
      const sealer = await subject.open({ folder, clock });
      const appends: Promise<unknown>[] = [];
      let sealed: Promise<void> | undefined;
      for (let i = 0; i < 300; i += 1) {
        appends.push(collector.store.append(eventBatch(AI, [{ id: `row ${i}` }])));
        if (i % 10 === 0) await appends.at(-1);
        if (i === 150) sealed = sealer.store.seal(addHours(HOUR, 1));
      }
      await Promise.all(appends);
      await sealed;
      await sealer.store.seal(addHours(HOUR, 2));
      const ids: string[] = [];
      for (const hour of [HOUR, addHours(HOUR, 1)]) {
        await sealer.store.prepare(hour);
        ids.push(...readLines(sealer.reader, hour).map((line) => line.split(',')[4]!));
      }
      assert.deepEqual(ids.sort(), Array.from({ length: 300 }, (_, i) => `row ${i}`).sort());
      await collector.store.close();
      await sealer.store.close();
    });

    it('S5 gives rows in order of visitor, session, time, row id and send time over many small segments', async (t) => {
      const rowSpec = fc.record<RowSpec>({
        visitor: fc.constantFrom('', 'a', 'aa', 'b', '商', '🍎', 'a\u0001'),
        session: fc.constantFrom('', 's', 's1', 'z'),
        timeMs: fc.constantFrom(-5, 0, 1, 255, 256, 1_795_469_638_324),
        id: fc.constantFrom('r1', 'r2', 'r3'),
      });
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(rowSpec, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 12 }),
          async (batches) => {
            const clock = new FakeClock(HOUR_START_MS);
            const { store, reader } = await subject.open({ folder: await subject.folder(t), clock, segmentBytes: 700 });
            const expected: { readonly key: readonly (Buffer | number)[]; readonly id: string }[] = [];
            for (const [i, rows] of batches.entries()) {
              clock.set(HOUR_START_MS + i);
              const batch = eventBatch(AI, rows);
              const { sendTimeMs } = await store.append(batch);
              batch.rows.forEach((row, place) =>
                expected.push({
                  key: [Buffer.from(row.visitor), Buffer.from(row.session), row.timeMs, row.rowId, sendTimeMs],
                  id: rows[place]!.id,
                }),
              );
            }
            await store.seal(addHours(HOUR, 1));
            await store.prepare(HOUR);
            expected.sort((a, b) => {
              for (const [place, part] of a.key.entries()) {
                const other = b.key[place]!;
                const order = Buffer.isBuffer(part) ? Buffer.compare(part, other as Buffer) : part - (other as number);
                if (order !== 0) return order;
              }
              return 0;
            });
            assert.deepEqual(
              readLines(reader, HOUR),
              expected.map(({ key: [visitor, session, timeMs, , sendTimeMs], id }) =>
                [visitor, session, timeMs, sendTimeMs, id].join(','),
              ),
            );
            await store.close();
          },
        ),
        { numRuns: 25 },
      );
    });

    it('S6 shows the row ids of the last ten minutes before the next hour’s rows of the same id', async (t) => {
      const clock = new FakeClock(HOUR_START_MS + HOUR_MS - 10 * 60_000 - 1);
      const { store, reader } = await subject.open({ folder: await subject.folder(t), clock });
      await store.append(eventBatch(AI, [{ id: 'too early' }]));
      clock.set(HOUR_START_MS + HOUR_MS - 10 * 60_000);
      await store.append(eventBatch(AI, [{ id: 'resent' }, { id: 'not resent' }, { id: 'page', kind: 'page' }]));
      clock.set(HOUR_START_MS + HOUR_MS + 5);
      await store.seal(addHours(HOUR, 1));
      await store.append(eventBatch(AI, [{ id: 'resent' }, { id: 'too early' }, { id: 'new', timeMs: 2 }]));
      await store.append(eventBatch('other', [{ id: 'resent' }]));
      await store.seal(addHours(HOUR, 2));
      await store.prepare(addHours(HOUR, 1));
      const rows = (ai: string): string[] =>
        [...reader.readSorted(addHours(HOUR, 1), ai, 'evar')].flatMap((batch) => {
          const ids = batch.lines
            .toString()
            .split('\n')
            .map((line) => line.split(',').at(-1)!);
          return [...batch.flags].map((flags) => (flags & ROW_FLAGS.published ? 'published' : ids.shift()!));
        });
      assert.deepEqual(
        rows(AI)
          .filter((id) => id !== 'published')
          .sort(),
        ['new', 'resent', 'too early'],
      );
      assert.equal(rows(AI)[rows(AI).indexOf('resent') - 1], 'published');
      assert.equal(rows(AI).filter((id) => id === 'published').length, 2);
      assert.deepEqual(rows('other'), ['resent']);
      await store.close();
    });

    it('keeps the rows of projects and data types apart and counts them', async (t) => {
      const clock = new FakeClock(HOUR_START_MS);
      const { store, reader } = await subject.open({ folder: await subject.folder(t), clock });
      await store.append(eventBatch(AI, [{ id: 'a' }, { id: 'p', kind: 'page' }]));
      await store.append(eventBatch('other', [{ id: 'b' }]));
      await store.seal(addHours(HOUR, 1));
      await store.prepare(HOUR);
      assert.deepEqual(readLines(reader, HOUR), [`u-1,s-1,1,${HOUR_START_MS},a`]);
      assert.deepEqual(readLines(reader, HOUR, 'other'), [`u-1,s-1,1,${HOUR_START_MS},b`]);
      assert.deepEqual(readLines(reader, HOUR, AI, 'page'), [`u-1,s-1,1,${HOUR_START_MS},p`]);
      const counts = reader.counts(HOUR, AI);
      assert.deepEqual(
        counts.receipts.toSorted((a, b) => (a.line < b.line ? -1 : 1)),
        [
          { ai: AI, line: 'evar', received: 1, ignored: 0, rows: 1 },
          { ai: AI, line: 'page', received: 1, ignored: 0, rows: 1 },
        ],
      );
      assert.deepEqual(
        [...counts.kinds].sort((a, b) => (a.kind < b.kind ? -1 : 1)),
        [
          { ai: AI, kind: 'evar', rows: 1, events: 1 },
          { ai: AI, kind: 'page', rows: 1, events: 1 },
        ],
      );
      await store.close();
    });

    it('prepares an hour without rows, and drops hours for good', async (t) => {
      const clock = new FakeClock(HOUR_START_MS);
      const { store, reader } = await subject.open({ folder: await subject.folder(t), clock });
      await store.seal(addHours(HOUR, 1));
      await store.prepare(HOUR);
      assert.deepEqual(readLines(reader, HOUR), []);
      await store.dropBefore(addHours(HOUR, 1), new Set());
      assert.throws(() => readLines(reader, HOUR), { code: 'store_corrupt' });
      await store.close();
    });
  });
}
