import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { PackageEntry } from '../catalog/catalog.ts';
import { claimHour, NEW_YEAR, NEW_YEAR_MS, openWithProject } from '../catalog/catalog.test-helper.ts';
import type { PublicManifest } from '../catalog/manifest-schema.ts';
import { buildPublicManifest } from '../catalog/public-manifest.ts';
import { addHours, type Hour } from '../events/hour.ts';
import type { VerifiedCounts } from './findings.ts';
import { verifyDownload } from './verify-download.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';

type Checked = {
  readonly counts: VerifiedCounts;
  readonly faults: readonly string[];
  readonly notes: readonly string[];
};

/** A catalog that publishes, and a folder to download to. */
async function openShop(t: TestContext) {
  const { catalog, ai } = await openWithProject(t);
  const folder = await temporaryFolder(t);
  const publish = async (hour: Hour, packages: readonly PackageEntry[] = []): Promise<PublicManifest> => {
    const task = await claimHour(catalog, ai, hour);
    const revision = await catalog.manifests.nextRevision(ai, hour);
    const exported = packages.reduce((sum, { rows }) => sum + rows, 0);
    const rows = exported > 0 ? { visit: { made: exported, exported, duplicates: 0 } } : {};
    const facts = { schemaVersion: 1, codec: 'zlib', ledger: { events: {}, rows, imported: 0 } } as const;
    const manifest = await catalog.manifests.publish(task, { revision, facts, packages, nowMs: NEW_YEAR_MS });
    return buildPublicManifest(manifest!);
  };
  const check = async (manifests: readonly PublicManifest[]): Promise<Checked> => {
    const faults: string[] = [];
    const notes: string[] = [];
    const counts = await verifyDownload({
      manifests,
      publicKey: createPublicKey(catalog.serverKeys.publicKeyPem),
      folder,
      isOwnFile: () => false,
      findings: { fault: (sentence) => faults.push(sentence), note: (sentence) => notes.push(sentence) },
    });
    return { counts, faults, notes };
  };
  return { publish, check, folder };
}

/** A package of two rows, and its bytes. */
function visitPackage(part: number, label: string): { readonly entry: PackageEntry; readonly gzip: Buffer } {
  const csv = `a\n1\n${label}\n`;
  const gzip = gzipSync(csv);
  const hash = (algorithm: string, data: Buffer | string) => createHash(algorithm).update(data).digest('hex');
  const name = `part-0000${part}-${label}-c000.csv.gz`;
  const sums = { md5: hash('md5', gzip), sha256: hash('sha256', gzip), csvSha256: hash('sha256', csv) };
  return { entry: { dataType: 'visit', part, name, key: name, rows: 2, bytes: gzip.length, ...sums }, gzip };
}

describe('verifyDownload', () => {
  test('takes manifests in any order, with gaps, and the same one twice', async (t) => {
    const { publish, check } = await openShop(t);
    const all = [];
    for (let hours = 0; hours < 5; hours += 1) all.push(await publish(addHours(NEW_YEAR, hours)));
    const { counts, faults, notes } = await check([all[4]!, all[0]!, all[1]!, all[0]!]);
    assert.deepEqual([faults, notes], [[], []]);
    assert.deepEqual([counts.manifests, counts.entries], [3, 3]);
  });

  test('needs the packages of the newest revision only', async (t) => {
    const { publish, check, folder } = await openShop(t);
    const [old, kept, added] = [visitPackage(0, 'old'), visitPackage(1, 'kept'), visitPackage(2, 'added')];
    const first = await publish(NEW_YEAR, [old.entry, kept.entry]);
    const second = await publish(NEW_YEAR, [kept.entry, added.entry]);
    for (const { entry, gzip } of [kept, added]) await writeFile(join(folder, entry.name), gzip);
    assert.deepEqual((await check([first, second])).faults, []);
    assert.deepEqual((await check([second, first])).faults, []);
    const { faults, notes } = await check([first]);
    assert.match(faults.join(), /revision 1: visit part-00000-old-c000\.csv\.gz is missing/);
    assert.match(notes.join(), /part-00002-added-c000\.csv\.gz is in none of the manifests/);
    await writeFile(join(folder, old.entry.name), old.gzip.subarray(1));
    assert.match((await check([first, second])).faults.join(), /part-00000-old-c000\.csv\.gz: it has/);
  });

  test('finds a manifest that another server has signed, and one that was changed', async (t) => {
    const [ours, other] = [await openShop(t), await openShop(t)];
    const foreign = await ours.check([await other.publish(NEW_YEAR)]);
    assert.match(foreign.faults.join('\n'), /is not signed by this key/);
    const changed = { ...(await ours.publish(NEW_YEAR)), codec: 'another' };
    assert.match((await ours.check([changed])).faults.join('\n'), /published something else/);
  });

  test('finds a history that was split: two forms of an entry, and one that follows another', async (t) => {
    const [ours, other] = [await openShop(t), await openShop(t)];
    const first = await ours.publish(NEW_YEAR);
    const second = await ours.publish(addHours(NEW_YEAR, 1));
    const foreign = await other.publish(addHours(NEW_YEAR, 2));
    const twice = await ours.check([first, second, { ...foreign, hour: first.hour }]);
    assert.match(twice.faults.join('\n'), /entry 1 of the log has two forms/);
    const split = await ours.check([{ ...first, hash: '0'.repeat(64) }, second]);
    assert.match(split.faults.join('\n'), /Entry 2 of .* does not follow the entry before it/);
  });
});
