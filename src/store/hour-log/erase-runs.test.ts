import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ROW_FLAGS } from '../../events/event-row.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import { findVisitors, rewriteRuns } from './erase-runs.ts';
import { writeKeyTime } from './record-codec.ts';
import { readRunIndex } from './run-reader.ts';
import { RunWriter } from './run-writer.ts';

const AI = '0123456789abcdef';
const RECORDS = 200_000;
const MIB = 1024 * 1024;

/** Writes a run of one project's records, of a thousand visitors, with lines of 300 bytes. */
function writeLargeRun(path: string): void {
  const writer = new RunWriter(path);
  writer.beginGroup(AI, 'evar', 'rows');
  for (let place = 0; place < RECORDS; place += 1) {
    const visitor = `u-${String(Math.floor((place * 1_000) / RECORDS)).padStart(4, '0')}`;
    const key = Buffer.concat([Buffer.from(`${visitor}\0s\0`), Buffer.alloc(24)]);
    writeKeyTime(key, place, key.length - 24);
    key.writeUInt32BE(place, key.length - 16);
    const line = Buffer.from(`${visitor},${'x'.repeat(290)}\n`);
    const bytes = Buffer.concat([key, line]);
    const parts = { keyStart: 0, lineStart: key.length, extrasStart: bytes.length, end: bytes.length };
    writer.add({ bytes, flags: ROW_FLAGS.firstOfEvent, sendTimeMs: place, ...parts });
  }
  writer.finish([], null);
}

describe('erasing from a large run', () => {
  it('holds a block of it in memory, and not the run', async (t) => {
    const folder = await temporaryFolder(t);
    const [from, to] = [join(folder, 'a.run'), join(folder, 'a-e1.run')];
    writeLargeRun(from);
    assert.ok((await stat(from)).size > 60 * MIB);
    const erased = Array.from({ length: 100 }, (_, place) => ({
      visitor: `u-${String(10 * place).padStart(4, '0')}`,
      untilMs: RECORDS,
      erasure: 0,
    }));
    const peakBefore = process.resourceUsage().maxRSS;
    const found = findVisitors({ runPaths: [from], ai: AI, erased });
    rewriteRuns({ runs: [{ from, to }], ai: AI, erased });
    const grownMib = (process.resourceUsage().maxRSS - peakBefore) / 1024;
    assert.deepEqual(found.counts, [{ erasure: 0, kind: 'evar', rows: RECORDS / 10 }]);
    assert.equal(readRunIndex(to).groups[0]?.rows, RECORDS * 0.9);
    assert.ok(grownMib < 40, `it took ${grownMib} MiB`);
  });
});
