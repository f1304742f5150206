import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ROW_FLAGS } from '../events/event-row.ts';
import { hourOf } from '../events/hour.ts';
import type { PackageCreator } from '../packages/package-store.ts';
import type { HourReader, ReceiptCount, RowBatch } from '../store/hour-store.ts';
import { HOUR_START_MS } from '../../test/helpers/event-rows.ts';
import { exportHour, type ExportedHour, type ExportHourOptions } from './export-hour.ts';
import { openZlibCodec } from './gzip/zlib-codec.ts';

const AI = '0123456789abcdef';

/** One row for each character; equal characters are equal row ids. A capital letter is flagged as published before. */
function batchOf(ids: string): RowBatch {
  const lines = Array.from(ids).map((id) => `${id}\n`);
  return {
    count: ids.length,
    lines: Buffer.from(lines.join('')),
    lineEnds: new Uint32Array(lines.map((_line, place) => 2 * (place + 1))),
    rowIds: Buffer.concat(Array.from(ids).map((id) => Buffer.alloc(16, id.toLowerCase()))),
    flags: Uint8Array.from(Array.from(ids), (id) => (id >= 'a' ? ROW_FLAGS.firstOfEvent : ROW_FLAGS.published)),
  };
}

const nothing = (): Promise<void> => Promise.resolve();

/** Exports an hour that holds these rows, and whose requests were counted so. */
function exportRows(
  ids: string,
  receipt: Omit<ReceiptCount, 'ai' | 'line'>,
  {
    finish = nothing,
    sourceOf = () => 'runs',
    settings = {},
  }: {
    readonly finish?: () => Promise<void>;
    readonly sourceOf?: () => string;
    readonly settings?: Partial<Pick<ExportHourOptions, 'maxPackageBytes' | 'extendedColumns' | 'lineBreaks'>>;
  } = {},
): Promise<ExportedHour> {
  const reader: HourReader = {
    readSorted: (_hour, _ai, kind) => (kind === 'evar' ? [batchOf(ids)] : []),
    counts: () => ({
      kinds: [{ ai: AI, kind: 'evar', rows: ids.length, events: ids.length }],
      receipts: [{ ai: AI, line: 'evar', ...receipt }],
    }),
    sourceOf,
  };
  const store: PackageCreator = { create: () => Promise.resolve({ write: nothing, finish, abort: nothing }) };
  const hour = hourOf(HOUR_START_MS);
  const job = { reader, store, codec: openZlibCodec(), ai: AI, hour, revision: 1, maxPackageBytes: 1 << 20 };
  return exportHour({ ...job, ...settings });
}

describe('exportHour', () => {
  it('exports an hour whose ledger balances: duplicates and what was published before are counted', async () => {
    const { ledger, packages } = await exportRows('abbCc', { received: 4, ignored: 0, rows: 4 });
    assert.deepEqual(ledger.rows, { evar: { made: 4, exported: 2, duplicates: 2 } });
    assert.deepEqual(
      packages.map(({ rows }) => rows),
      [2],
    );
  });

  it('gives the entries of a manifest when their packages are finished, and not before', async () => {
    let isFinished = false;
    const finish = async (): Promise<void> => {
      await setImmediate();
      isFinished = true;
    };
    await exportRows('a', { received: 1, ignored: 0, rows: 1 }, { finish });
    assert.ok(isFinished);
  });

  it('names packages by what their rows were read from, so that no other rows get into their place', async () => {
    const nameOf = async (source: string): Promise<string | undefined> => {
      const { packages } = await exportRows('a', { received: 1, ignored: 0, rows: 1 }, { sourceOf: () => source });
      return packages[0]?.name;
    };
    assert.equal(await nameOf('runs'), await nameOf('runs'));
    assert.notEqual(await nameOf('runs'), await nameOf('other runs'));
  });

  it('names packages by how their rows are cut and written, so that a command with other options writes over none of a server', async () => {
    const ways = [
      {},
      { maxPackageBytes: 1 << 21 },
      { extendedColumns: true },
      { lineBreaks: 'blank' },
      { lineBreaks: 'keep' },
    ] as const;
    const names = new Set<string | undefined>();
    for (const settings of ways)
      names.add((await exportRows('a', { received: 1, ignored: 0, rows: 1 }, { settings })).packages[0]?.name);
    assert.equal(names.size, ways.length - 1, 'to keep line breaks is the default');
  });

  it('writes no package when rows came or went between its name and its first row', async () => {
    const sources = ['runs', 'other runs'];
    let finished = 0;
    const changing = exportRows(
      'a',
      { received: 1, ignored: 0, rows: 1 },
      {
        sourceOf: () => sources.shift()!,
        finish: () => Promise.resolve(void (finished += 1)),
      },
    );
    await assert.rejects(changing, { code: 'store_unavailable' });
    assert.equal(finished, 0);
  });

  it('does not take an hour that changed while it was read for one from which an event is missing', async () => {
    const sources = ['runs', 'runs', 'other runs'];
    const changing = exportRows('a', { received: 2, ignored: 0, rows: 1 }, { sourceOf: () => sources.shift()! });
    await assert.rejects(changing, { code: 'store_unavailable' });
  });

  it('refuses an hour from which an event is missing', async () => {
    await assert.rejects(exportRows('a', { received: 2, ignored: 0, rows: 1 }), {
      code: 'ledger_unbalanced',
      message: /evar: 2 events received, but 1 accepted \+ 0 rejected \+ 0 ignored\.$/,
    });
  });

  it('refuses an hour that has a row too many', async () => {
    await assert.rejects(exportRows('ab', { received: 2, ignored: 0, rows: 1 }), {
      code: 'ledger_unbalanced',
      message: /: evar: 1 rows made, but 2 exported \+ 0 duplicates\.$/,
    });
  });
});
