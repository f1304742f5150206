import assert from 'node:assert/strict';
import { createHash, createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import type { Manifest } from './catalog.ts';
import { NEW_YEAR, NEW_YEAR_MS, samplePackage } from './catalog.test-helper.ts';
import type { PublicManifest } from './manifest-schema.ts';
import {
  buildLogEntry,
  buildManifestContent,
  buildPublicLogEntry,
  buildPublicManifest,
  findLogFault,
  findManifestFault,
  hashCanonical,
  NO_PREVIOUS_HASH,
  signManifestHash,
} from './public-manifest.ts';

const KEYS = generateKeyPairSync('ed25519', {
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

function manifestAfter(before: Manifest | undefined): Manifest {
  const unsigned = {
    ai: '0123456789abcdef',
    hour: NEW_YEAR,
    revision: 1,
    seq: (before?.seq ?? 0) + 1,
    prev: before?.hash ?? NO_PREVIOUS_HASH,
    publishedAtMs: NEW_YEAR_MS + 42,
    facts: {
      schemaVersion: 1,
      codec: 'isa-l 2.30.0 level 1',
      ledger: { events: {}, rows: { visit: { made: 1_003, exported: 1_000, duplicates: 3 } }, imported: 0 },
    },
    packages: [samplePackage('visit', 0)],
  } as const;
  const contentSha256 = hashCanonical(buildManifestContent(unsigned.facts, unsigned.packages));
  const hash = hashCanonical(buildLogEntry({ ...unsigned, contentSha256 }));
  return { ...unsigned, contentSha256, hash, signature: signManifestHash(hash, createPrivateKey(KEYS.privateKey)) };
}

const FIRST = manifestAfter(undefined);
const SECOND = manifestAfter(FIRST);
const LOG: readonly PublicManifest[] = [FIRST, SECOND, manifestAfter(SECOND)].map(buildPublicManifest);

describe('buildPublicManifest', () => {
  test('names the hour in Beijing time and shows no key of the package store', () => {
    const { packages, ...head } = LOG[0]!;
    assert.equal(head.hour, '2026010108');
    assert.equal(head.publishedAt, '2026-01-01T00:00:00.042Z');
    assert.deepEqual(Object.keys(packages[0]!), ['dataType', 'name', 'rows', 'bytes', 'md5', 'sha256', 'csvSha256']);
  });

  test('hashes to the SHA-256 of sorted JSON without blanks, as any client can write it', () => {
    const content = [
      '{"codec":"isa-l 2.30.0 level 1",',
      '"ledger":{"events":{},"imported":0,"rows":{"visit":{"duplicates":3,"exported":1000,"made":1003}}},',
      `"packages":[{"bytes":65536,"csvSha256":"${'c'.repeat(64)}","dataType":"visit","md5":"${'5'.repeat(32)}",`,
      `"name":"part-00000-a-c000.csv.gz","rows":1000,"sha256":"${'a'.repeat(64)}"}],"schemaVersion":1}`,
    ].join('');
    const contentSha256 = createHash('sha256').update(content).digest('hex');
    const entry = [
      `{"ai":"0123456789abcdef","contentSha256":"${contentSha256}","hour":"2026010108",`,
      `"prev":"${'0'.repeat(64)}","publishedAt":"2026-01-01T00:00:00.042Z","revision":1,"seq":1}`,
    ].join('');
    assert.equal(LOG[0]?.contentSha256, contentSha256);
    assert.equal(LOG[0].hash, createHash('sha256').update(entry).digest('hex'));
  });
});

describe('findManifestFault and findLogFault', () => {
  test('finds none in a log, nor in any stretch of it', () => {
    assert.equal(findManifestFault(LOG, KEYS.publicKey), undefined);
    assert.equal(findManifestFault(LOG.slice(1), KEYS.publicKey), undefined);
    assert.equal(findManifestFault([], KEYS.publicKey), undefined);
  });

  const [first, second, third] = LOG as [PublicManifest, PublicManifest, PublicManifest];
  const resigned = (changes: Partial<Manifest>): PublicManifest => {
    const changed = { ...SECOND, ...changes };
    const hash = hashCanonical(buildLogEntry(changed));
    const signature = signManifestHash(hash, createPrivateKey(KEYS.privateKey));
    return buildPublicManifest({ ...changed, hash, signature });
  };
  const faulty: readonly [string, readonly PublicManifest[], RegExp][] = [
    ['a changed package', [{ ...first, packages: [] }], /published something else/],
    ['a changed hour', [{ ...first, hour: '2026010109' }], /does not hash to/],
    [
      'a hash made anew without the key',
      [first, { ...resigned({ revision: 9 }), signature: second.signature }],
      /signed/,
    ],
    ['a missing entry', [first, third], /out of sequence/],
    ['an entry in the wrong place', [second, first], /out of sequence/],
    ['an entry of another project', [first, resigned({ ai: 'other' })], /out of sequence/],
    ['a first entry that follows something', [resigned({ seq: 1, prev: 'f'.repeat(64) })], /does not follow/],
    ['an entry that follows another history', [first, resigned({ prev: 'f'.repeat(64) })], /does not follow/],
  ];
  for (const [name, manifests, fault] of faulty) {
    test(`finds ${name}`, () => {
      assert.match(findManifestFault(manifests, KEYS.publicKey) ?? 'no fault', fault);
    });
  }

  test('checks the chain of entries whose publications are gone', () => {
    const entries = LOG.map(({ packages: _packages, ledger: _ledger, ...entry }) => entry);
    assert.equal(findLogFault(entries, KEYS.publicKey), undefined);
    assert.match(findLogFault([first, third], KEYS.publicKey) ?? 'no fault', /out of sequence/);
  });

  test('checks the entries that the catalog lists', () => {
    const entries = [FIRST, SECOND].map(({ packages: _packages, facts: _facts, ...entry }) =>
      buildPublicLogEntry(entry),
    );
    assert.equal(findLogFault(entries, KEYS.publicKey), undefined);
  });

  test('finds a log that another key has signed', () => {
    const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
    assert.match(findManifestFault(LOG, other) ?? 'no fault', /not signed by this key/);
  });
});
