import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NEW_YEAR, openWithProject, publishHour, samplePackage } from './catalog.test-helper.ts';
import { parseManifestDocument, type PublicManifest } from './manifest-schema.ts';
import { buildPublicManifest } from './public-manifest.ts';

describe('parseManifestDocument', () => {
  test('reads back what the catalog publishes, in JSON of any layout', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const manifest = await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0)]);
    const document = buildPublicManifest(manifest);
    assert.deepEqual(parseManifestDocument(JSON.stringify(document)), document);
    assert.deepEqual(parseManifestDocument(JSON.stringify(document, null, 4)), document);
  });

  test('says what is no manifest, and where', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const document = buildPublicManifest(await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0)]));
    const changed = (change: (copy: Record<string, unknown>) => void): string => {
      const copy = structuredClone<PublicManifest>(document) as unknown as Record<string, unknown>;
      change(copy);
      return JSON.stringify(copy);
    };
    const cases: readonly [string, RegExp][] = [
      ['', /no JSON/],
      ['{"ai":', /no JSON/],
      ['null', /the document must be object/],
      ['[]', /the document/],
      ['{"message":"Unauthorized","errors":[]}', /the document must have required properties/],
      [changed((copy) => (copy.seq = '1')), /\/seq must be integer/],
      [changed((copy) => (copy.hash = 'F'.repeat(64))), /\/hash must match pattern/],
      [changed((copy) => (copy.schemaVersion = 3)), /\/schemaVersion must be equal to one of/],
      [changed((copy) => (copy.settings = { lineBreaks: 'keep' })), /\/settings must have required properties/],
      [changed((copy) => (copy.packages = [{}])), /\/packages\/0 must have required properties/],
      [changed((copy) => (copy.ledger = { events: { visit: {} }, rows: {}, imported: 0 })), /\/ledger\/events\/visit/],
    ];
    for (const [text, sentence] of cases) {
      const parsed = parseManifestDocument(text);
      assert.equal(typeof parsed, 'string', text);
      assert.match(parsed as string, sentence);
    }
  });
});
