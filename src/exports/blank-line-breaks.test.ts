import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { csvField } from '../events/csv.ts';
import type { RowBatch } from '../store/hour-store.ts';
import { parseCsv } from '../../test/helpers/parse-csv.ts';
import { blankLineBreaks } from './blank-line-breaks.ts';

function batchOf(lines: readonly string[]): RowBatch {
  const buffers = lines.map((line) => Buffer.from(line));
  let end = 0;
  return {
    count: lines.length,
    lines: Buffer.concat(buffers),
    lineEnds: Uint32Array.from(buffers, (line) => (end += line.length)),
    rowIds: Buffer.from(lines.flatMap((_, row) => Array<number>(16).fill(row))),
    flags: new Uint8Array(lines.length),
  };
}

function linesOf({ lines, lineEnds }: RowBatch): string[] {
  return [...lineEnds].map((end, row) => lines.toString('utf8', row === 0 ? 0 : lineEnds[row - 1], end));
}

describe('blankLineBreaks', () => {
  test('makes one blank of each line break inside a value, whatever kind it is', () => {
    const [batch] = [...blankLineBreaks([batchOf(['"a\r\nb","\n\n\r"\n', '', 'plain,""\n', '"\\"\r"\n'])])];
    assert.deepEqual(linesOf(batch!), ['"a b","   "\n', '', 'plain,""\n', '"\\" "\n']);
  });

  test('gives batches without any as they are', () => {
    const batch = batchOf(['a,b\n', '', '"c,d"\n']);
    assert.equal([...blankLineBreaks([batch])][0], batch);
  });

  test('changes nothing else of any rows, and leaves no line break but those between them', () => {
    const value = fc.string({ unit: fc.constantFrom('a', ',', '"', '\\', '\n', '\r', ' ', '苹'), maxLength: 8 });
    fc.assert(
      fc.property(fc.array(fc.array(value, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 }), (rows) => {
        const batch = batchOf(rows.map((row) => `${row.map(csvField).join(',')}\n`));
        const [blanked] = [...blankLineBreaks([batch])];
        assert.deepEqual(
          linesOf(blanked!).map((line) => parseCsv(line)[0]),
          rows.map((row) => row.map((text) => text.replaceAll(/\r\n|\r|\n/g, ' '))),
        );
        assert.equal(blanked!.lines.toString().split('\n').length - 1, rows.length);
        assert.ok(!blanked!.lines.includes('\r'));
        assert.deepEqual(blanked!.rowIds, batch.rowIds);
      }),
    );
  });
});
