import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { csvField } from './csv.ts';
import { CsvRowCounter } from './csv-row-counter.ts';

function count(csv: string, pieceBytes = Infinity): CsvRowCounter {
  const counter = new CsvRowCounter();
  const bytes = Buffer.from(csv);
  for (let at = 0; at < bytes.length; at += pieceBytes) counter.add(bytes.subarray(at, at + pieceBytes));
  return counter;
}

describe('CsvRowCounter', () => {
  const cases: readonly [csv: string, rows: number, isWhole: boolean][] = [
    ['', 0, true],
    ['a,b\n', 1, true],
    ['a,b\n1,2\n3,4\n', 3, true],
    ['a,b\n1,2', 1, false],
    ['"a\nb","c"\n', 1, true],
    ['"a\\"\n","\\\\"\n', 1, true],
    ['"\n\n', 0, false],
    ['"\\\\"\n"\\\\\\"\n"\n', 2, true],
  ];
  for (const [csv, rows, isWhole] of cases) {
    it(`counts ${rows} in ${JSON.stringify(csv)}`, () => {
      for (const pieceBytes of [1, 2, 3, Infinity]) {
        const counter = count(csv, pieceBytes);
        assert.deepEqual([counter.rows, counter.isWhole], [rows, isWhole]);
      }
    });
  }

  it('counts the rows of any values, however they come in pieces', () => {
    const value = fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', '\r', ',', ' ', '商') });
    fc.assert(
      fc.property(
        fc.array(fc.array(value, { minLength: 2, maxLength: 4 })),
        fc.integer({ min: 1, max: 9 }),
        (rows, piece) => {
          const csv = rows.map((row) => `${row.map(csvField).join(',')}\n`).join('');
          const counter = count(csv, piece);
          assert.deepEqual([counter.rows, counter.isWhole], [rows.length, true]);
        },
      ),
    );
  });
});
