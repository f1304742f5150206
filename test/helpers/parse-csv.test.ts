import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCsv } from './parse-csv.ts';

describe('parseCsv, which the export tests trust', () => {
  it('reads plain, quoted, empty and null fields', () => {
    assert.deepEqual(parseCsv('a,"b,\\"c\\"\n\\\\d",,""\n"x",\n'), [
      ['a', 'b,"c"\n\\d', null, ''],
      ['x', null],
    ]);
  });

  const refused = ['a', '"a\n', '"a"b\n', 'a"b\n', 'a\\b\n', ' a\n', 'a \n', 'a\r\n', '"a\\n"\n'];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text)}, which the format never writes`, () => {
      assert.throws(() => parseCsv(text));
    });
  }
});
