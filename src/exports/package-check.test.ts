import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { PublicPackage } from '../catalog/manifest-schema.ts';
import { headerLine } from '../events/data-types.ts';
import { findPackageFaults } from './package-check.ts';

const CSV = 'a,b\n1,"x\ny"\n2,""\n';

/** What a manifest says of a package of these bytes. */
function entryOf(gzip: Buffer, csv = CSV, rows = 2): PublicPackage {
  const hash = (algorithm: string, data: Buffer | string) => createHash(algorithm).update(data).digest('hex');
  return {
    dataType: 'visit',
    name: 'part-00000-a-c000.csv.gz',
    rows,
    bytes: gzip.length,
    md5: hash('md5', gzip),
    sha256: hash('sha256', gzip),
    csvSha256: hash('sha256', csv),
  };
}

function find(gzip: Buffer, expected: PublicPackage): Promise<readonly string[]> {
  // In pieces, as a file comes.
  const pieces = Array.from({ length: Math.ceil(gzip.length / 7) }, (_, at) => gzip.subarray(7 * at, 7 * at + 7));
  return findPackageFaults(() => Promise.resolve(Readable.from(pieces)), expected);
}

describe('findPackageFaults', () => {
  test('finds none in a package that is as its manifest says', async () => {
    const gzip = gzipSync(CSV);
    assert.deepEqual(await find(gzip, entryOf(gzip)), []);
  });

  test('says everything that differs in the file, and nothing of what is in it', async () => {
    const gzip = gzipSync(CSV);
    const faults = await find(gzip.subarray(1), entryOf(gzip));
    assert.equal(faults.length, 3);
    assert.match(faults.join('; '), /^it has \d+ bytes instead of \d+; its MD5 is .*; its SHA-256 is /);
  });

  test('says what differs in the CSV of a file that is as it was published', async () => {
    const other = gzipSync('a,b\n1,2');
    const faults = await find(other, entryOf(other));
    assert.equal(faults.length, 3);
    assert.match(
      faults.join('; '),
      /the SHA-256 of its CSV is .*; it has 0 rows instead of 2; its last row is not whole/,
    );
  });

  test('says that a published file cannot be unpacked', async () => {
    const gzip = gzipSync(CSV);
    const broken = Buffer.from(gzip);
    broken[12]! ^= 0xff;
    for (const bytes of [gzip.subarray(0, -9), Buffer.from('no gzip at all'), broken]) {
      const faults = await find(bytes, entryOf(bytes));
      assert.equal(faults.length, 1);
      assert.match(faults[0]!, /^it cannot be unpacked \(/);
    }
  });

  test('throws what reading throws', async () => {
    const fail = () => Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }));
    await assert.rejects(findPackageFaults(fail, entryOf(gzipSync(CSV))), { code: 'EIO' });
  });

  test('holds the CSV to what the manifest says of its columns and line breaks', async () => {
    const faultsOf = (csv: string, extendedColumns: boolean, lineBreaks: 'keep' | 'blank') => {
      const gzip = gzipSync(csv);
      const entry = { ...entryOf(gzip, csv, 1), dataType: 'ads_track_activation' } as const;
      const open = () => Promise.resolve(Readable.from([gzip]));
      return findPackageFaults(open, entry, { extendedColumns, lineBreaks });
    };
    const header = headerLine('ads_track_activation');
    const extended = header.replace('\n', ',OAID\n');
    assert.deepEqual(await faultsOf(`${header}a\n`, false, 'blank'), []);
    assert.deepEqual(await faultsOf(`${extended}a\n`, true, 'keep'), []);
    assert.deepEqual(await faultsOf(`${header}a\n`, true, 'keep'), ['its header line is another']);
    assert.deepEqual(await faultsOf(`${extended}a\n`, false, 'keep'), ['its header line is another']);
    assert.deepEqual(await faultsOf(`${header}"a\nb"\n`, false, 'keep'), []);
    for (const broken of ['\n', '\r'])
      assert.deepEqual(await faultsOf(`${header}"a${broken}b"\n`, false, 'blank'), [
        'it has line breaks inside values',
      ]);
  });
});
