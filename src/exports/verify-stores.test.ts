import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Catalog, Publication } from '../catalog/catalog.ts';
import { claimHour, NEW_YEAR, openWithProject, publishHour, samplePackage } from '../catalog/catalog.test-helper.ts';
import { addHours } from '../events/hour.ts';
import type { PackageReader } from '../packages/package-store.ts';
import { verifyStores } from './verify-stores.ts';

/** Verifies a catalog over a package store, which is empty unless told. */
async function verify(
  catalog: Pick<Catalog, 'manifests' | 'tasks' | 'serverKeys' | 'legacy'>,
  ai: string,
  packages: PackageReader = { open: () => Promise.resolve(undefined) },
) {
  const faults: string[] = [];
  const notes: string[] = [];
  const findings = {
    fault: (sentence: string) => faults.push(sentence),
    note: (sentence: string) => notes.push(sentence),
  };
  const counts = await verifyStores({ catalog, packages, ais: [ai], findings });
  return { counts, faults, notes };
}

/** A project with three hours whose packages are in no store. */
async function openPublished(t: TestContext) {
  const { catalog, ai } = await openWithProject(t);
  for (const hours of [0, 1, 2]) {
    const packages =
      hours === 1 ? [{ ...samplePackage('visit', 0), rows: 7 }] : [{ ...samplePackage('visit', 1), rows: 7 }];
    await publishHour(catalog, ai, addHours(NEW_YEAR, hours), packages);
  }
  return { catalog, ai };
}

describe('verifyStores', () => {
  test('follows the log from page to page', async (t) => {
    const { catalog, ai } = await openPublished(t);
    const asked: number[] = [];
    const listLog = catalog.manifests.listLog.bind(catalog.manifests);
    t.mock.method(catalog.manifests, 'listLog', (project: string, { fromSeq }: { readonly fromSeq: number }) => {
      asked.push(fromSeq);
      return listLog(project, { fromSeq, limit: 2 });
    });
    const { counts } = await verify(catalog, ai);
    assert.equal(counts.entries, 3);
    assert.deepEqual(asked, [1, 3, 4]);
  });

  test('finds a changed entry of the log, and a log that begins late', async (t) => {
    const { catalog, ai } = await openPublished(t);
    const log = await catalog.manifests.listLog(ai, { fromSeq: 1, limit: 10 });
    const faultsOf = async (entries: readonly Publication[]): Promise<string> => {
      const listLog = t.mock.method(catalog.manifests, 'listLog', (_ai: string, { fromSeq }: { fromSeq: number }) =>
        Promise.resolve(entries.filter(({ seq }) => seq >= fromSeq)),
      );
      const { faults } = await verify(catalog, ai);
      listLog.mock.restore();
      return faults.join('\n');
    };
    assert.match(
      await faultsOf([log[0]!, { ...log[1]!, publishedAtMs: 1 }, log[2]!]),
      /Entry 2 of .* does not hash to/,
    );
    assert.match(await faultsOf(log.slice(1)), /The log of .* begins with entry 2/);
  });

  test('names a package that is not in the store, once for all revisions that list it', async (t) => {
    const { catalog, ai } = await openPublished(t);
    const { counts, faults } = await verify(catalog, ai);
    assert.equal(faults.length, 2, faults.join('\n'));
    assert.match(
      faults[0]!,
      /Hour 2026010108 of .*, revision 1: package a\/visit\/part-00001-a-c000\.csv\.gz: it is not in/,
    );
    assert.equal(counts.manifests, 3);
  });

  test('takes what retention deletes meanwhile for no fault', async (t) => {
    const { catalog, ai } = await openPublished(t);
    const open = async (): Promise<undefined> => {
      await catalog.manifests.deletePackagesBefore(addHours(NEW_YEAR, 24));
    };
    const { faults, counts } = await verify(catalog, ai, { open });
    assert.deepEqual(faults, []);
    assert.equal(counts.manifests, 1);
    assert.deepEqual((await verify(catalog, ai)).faults, [], 'afterwards only the log is left');
  });

  test('notes hours in ERROR', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.tasks.fail(await claimHour(catalog, ai, NEW_YEAR), 'The disk is gone.');
    const { faults, notes } = await verify(catalog, ai);
    assert.deepEqual([faults, notes], [[], [`Hour 2026010108 of ${ai} is in ERROR: The disk is gone.`]]);
  });
});
