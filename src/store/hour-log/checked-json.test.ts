import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildCheckedJson, hasExactly, isCount, parseCheckedJson } from './checked-json.ts';

type Length = { readonly version: number; readonly bytes: number };

function isLength(value: object): value is Length {
  return hasExactly(value, 'version', 'bytes') && isCount(value.version) && isCount(value.bytes);
}

const PATH = '/data/hour-log/hours/202611230400/seal.json';
const LENGTH: Length = { version: 1, bytes: 7646 };

describe('checked JSON', () => {
  it('gives back what was written', () => {
    assert.deepEqual(parseCheckedJson(buildCheckedJson(LENGTH), PATH, isLength), LENGTH);
  });

  it('refuses a file in which any one bit has changed, and names it without the path of the server', () => {
    const written = Buffer.from(buildCheckedJson(LENGTH).trimEnd());
    for (let bit = 0; bit < written.length * 8; bit += 1) {
      const changed = Buffer.from(written);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(
        () => parseCheckedJson(changed.toString(), PATH, isLength),
        { code: 'store_corrupt', message: /^The file 202611230400\/seal\.json is damaged: / },
        `bit ${bit}: ${changed.toString()}`,
      );
    }
  });

  it('takes a file of before there was a checksum, if it says what it should', () => {
    assert.deepEqual(parseCheckedJson('{"version":1,"bytes":7646}\n', PATH, isLength), LENGTH);
    for (const text of ['', '[]', 'null', '{"version":1}', '{"version":1,"bypes":7646}', '{"version":1,"bytes":-1}']) {
      assert.throws(() => parseCheckedJson(text, PATH, isLength), { code: 'store_corrupt' }, text);
    }
  });
});
