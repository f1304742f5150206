import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { columnsOf } from './data-types.ts';
import { ATTRIBUTE_NAMES, LEGACY_TABLES, legacyHeaderLine, legacyLayoutOf } from './legacy-tables.ts';

/** The columns of the 1.0 document in its order, written down from it and not from the source. */
const DOCUMENT = JSON.parse(
  readFileSync(new URL('../../test/data/legacy-columns.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, readonly string[]>>;

describe('the tables of the 1.0 API', () => {
  it('are the seven of the document', () => assert.deepEqual(LEGACY_TABLES, Object.keys(DOCUMENT)));

  for (const table of LEGACY_TABLES) {
    it(`have the columns of the document in its order: ${table}`, () =>
      assert.equal(legacyHeaderLine(table), `${DOCUMENT[table]!.join(',')}\n`));

    it(`are made of columns that the data type has: ${table}`, () => {
      const { dataType, columns, groupedBy, sendTime } = legacyLayoutOf(table);
      const made = columns.some((column) => 'made' in column && column.made === 'attribute');
      const needed = [
        ...columns.flatMap((column) => ('from' in column ? [column.from] : [])),
        ...groupedBy,
        sendTime,
        ...(made ? ['eventVariable', ...Object.values(ATTRIBUTE_NAMES)] : []),
      ];
      const there = columnsOf(dataType).map(({ name }) => name);
      assert.deepEqual(
        needed.filter((name) => !there.includes(name)),
        [],
      );
    });
  }
});
