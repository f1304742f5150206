import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ROW_FLAGS } from '../events/event-row.ts';
import { hourOf } from '../events/hour.ts';
import type { PackageCreator } from '../packages/package-store.ts';
import type { HourReader, ReceiptCount, RowBatch } from '../store/hour-store.ts';
import { HOUR_START_MS } from '../../test/helpers/event-rows.ts';
import { exportHour, type ExportedHour } from './export-hour.ts';
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
  finish: () => Promise<void> = nothing,
): Promise<ExportedHour> {
  const reader: HourReader = {
    readSorted: (_hour, _ai, kind) => (kind === 'evar' ? [batchOf(ids)] : []),
    counts: () => ({
      kinds: [{ ai: AI, kind: 'evar', rows: ids.length, events: ids.length }],
      receipts: [{ ai: AI, line: 'evar', ...receipt }],
    }),
  };
  const store: PackageCreator = { create: () => Promise.resolve({ write: nothing, finish, abort: nothing }) };
  const hour = hourOf(HOUR_START_MS);
  return exportHour({ reader, store, codec: openZlibCodec(), ai: AI, hour, revision: 1, maxPackageBytes: 1 << 20 });
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
    await exportRows('a', { received: 1, ignored: 0, rows: 1 }, async () => {
      await setImmediate();
      isFinished = true;
    });
    assert.ok(isFinished);
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
