import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_QUERY_PARTS, QueryParts, queryPartsOf } from './query-parts.ts';

/** Reads the parts of a query that stands between others. */
function read(query: string): readonly string[] {
  const bytes = Buffer.from(`x=1&${query}&y=2`);
  const parts = new QueryParts();
  parts.read(Buffer.from('a=0&b=0'), 0, 7); // what was read before is forgotten
  parts.read(bytes, 4, bytes.length - 4);
  return Array.from({ length: parts.count }, (_, part) => bytes.toString('utf8', parts.starts[part], parts.ends[part]));
}

test('a query has the same parts as bytes as it has as a text', () => {
  const query = fc.array(fc.constantFrom('&', 'a', '=1', '苹'), { maxLength: 20 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(query, (text) => assert.deepEqual(read(text), [...queryPartsOf(text)])),
    { numRuns: 1_000 },
  );
});

test('only the first parts of a query count, and one that is repeated counts once', () => {
  const many = Array.from({ length: MAX_QUERY_PARTS + 5 }, (_, place) => `p=${place}&p=0`).join('&');
  assert.equal(read(many).length, MAX_QUERY_PARTS);
  assert.deepEqual(read(many), [...queryPartsOf(many)]);
});
