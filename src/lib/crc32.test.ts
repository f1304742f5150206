import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { crc32, useCrc32 } from './crc32.ts';
import { atEnd } from '../../test/helpers/at-end.ts';

const CHECK = Buffer.from('123456789');
const CHECK_CRC = 0xcbf43926; // the check value that the catalogues of CRCs give for CRC-32/ISO-HDLC

/** What a test has set is not for the next one. */
function putBack(t: TestContext): void {
  atEnd(t, () => useCrc32(zlibCrc32));
}

describe('crc32', () => {
  it('gives the check value, in one piece and in two', () => {
    assert.equal(crc32(CHECK), CHECK_CRC);
    assert.equal(crc32(CHECK.subarray(4), crc32(CHECK.subarray(0, 4))), CHECK_CRC);
  });

  it('takes a faster implementation that is right', (t) => {
    putBack(t);
    let calls = 0;
    const isTaken = useCrc32((bytes, crc) => {
      calls += 1;
      return zlibCrc32(bytes, crc);
    });
    calls = 0;
    assert.equal(isTaken, true);
    assert.equal(crc32(CHECK), CHECK_CRC);
    assert.equal(calls, 1);
  });

  it('leaves an implementation that is wrong alone', (t) => {
    putBack(t);
    assert.equal(
      useCrc32((bytes, crc) => (bytes.length < 100 ? zlibCrc32(bytes, crc) : 0)),
      false,
    );
    assert.equal(crc32(CHECK), CHECK_CRC);
  });
});
