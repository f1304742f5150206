import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCsv } from '../../test/helpers/parse-csv.ts';
import { csvField } from './csv.ts';
import { CsvRows, fieldText } from './csv-rows.ts';

const VALUES = [
  null,
  '',
  'plain',
  'a,b',
  '"',
  '\\',
  '\\"',
  '"\\',
  'ends in \\',
  'line\nline',
  '\r\n',
  '\n',
  ' blank ',
  '苹果 😀',
  ',\n"\\,',
];
const CSV = VALUES.map((value, place) => {
  const fields = [value, VALUES[(place + 1) % VALUES.length]!, null];
  return `${fields.map((field) => (field === null ? '' : csvField(field))).join(',')}\n`;
}).join('');

/** Walks the CSV in pieces of so many bytes. */
function walk(csv: Buffer, pieceBytes: number): { readonly rows: (string | null)[][]; readonly isWhole: boolean } {
  const reader = new CsvRows();
  const rows: (string | null)[][] = [];
  for (let from = 0; from < csv.length; from += pieceBytes)
    for (const row of reader.rowsOf(csv.subarray(from, from + pieceBytes)))
      rows.push(row.ends.map((_, place) => fieldText(row, place)));
  return { rows, isWhole: reader.isWhole };
}

describe('CsvRows', () => {
  it('gives every row and field, wherever the pieces are cut', () => {
    const csv = Buffer.from(CSV);
    for (let pieceBytes = 1; pieceBytes <= csv.length; pieceBytes += 1)
      assert.deepEqual(walk(csv, pieceBytes), { rows: parseCsv(CSV), isWhole: true }, `${pieceBytes} bytes`);
  });

  it('says that the last row is not whole', () => {
    assert.equal(walk(Buffer.from('a,b\nc,"d\n'), 4).isWhole, false);
    assert.equal(walk(Buffer.from('a,b\nc'), 4).isWhole, false);
    assert.equal(walk(Buffer.from('a,b\n'), 4).isWhole, true);
  });
});
