import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DATA_TYPES } from '../events/data-types.ts';
import { addHours } from '../events/hour.ts';
import type { ManifestTable, PackageEntry } from './catalog.ts';
import {
  claimHour,
  hoursFrom,
  NEW_YEAR,
  NEW_YEAR_MS,
  openWithProject,
  publishHour,
  samplePackage,
  sampleProject,
} from './catalog.test-helper.ts';
import { buildPublicManifest, findManifestFault, NO_PREVIOUS_HASH } from './public-manifest.ts';

const FACTS = { schemaVersion: 1, codec: 'none', ledger: { events: {}, rows: {}, imported: 0 } } as const;
const NEXT_HOUR = addHours(NEW_YEAR, 1);

function draftOf(packages: readonly PackageEntry[], revision = 1) {
  return { revision, facts: FACTS, packages, nowMs: NEW_YEAR_MS };
}

describe('SqlManifestTable: publishing', () => {
  test('makes the packages visible, finishes the task, and gives the manifest as it can be read', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const packages = [samplePackage('visit', 0), samplePackage('visit', 1)];
    const manifest = await publishHour(catalog, ai, NEW_YEAR, packages);
    assert.deepEqual(manifest.packages, packages);
    assert.deepEqual(await catalog.manifests.newest(ai, NEW_YEAR), manifest);
    const [task] = await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 1));
    assert.equal(task?.status, 'finished');
    assert.equal(task.error, null);
  });

  test('puts packages into the order of data type and part, in the hash as well', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const packages = [samplePackage('vstr', 0), samplePackage('visit', 10), samplePackage('visit', 2)];
    await publishHour(catalog, ai, NEW_YEAR, packages);
    const manifest = await catalog.manifests.newest(ai, NEW_YEAR);
    assert.deepEqual(manifest?.packages, [packages[2], packages[1], packages[0]]);
    assert.equal(findManifestFault([buildPublicManifest(manifest)], catalog.serverKeys.publicKeyPem), undefined);
  });

  test('publishes an hour without rows as a manifest without packages', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const manifest = await publishHour(catalog, ai, NEW_YEAR, []);
    assert.deepEqual(await catalog.manifests.newest(ai, NEW_YEAR), manifest);
    assert.deepEqual(manifest.packages, []);
  });

  test('chains the entries of each project by themselves', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.projects.create(sampleProject({ ai: 'other', uid: 'AAAABBBB' }));
    const first = await publishHour(catalog, ai, NEXT_HOUR, [samplePackage('visit', 0)]);
    const foreign = await publishHour(catalog, 'other', NEW_YEAR, []);
    const second = await publishHour(catalog, ai, NEW_YEAR, []);
    assert.deepEqual([first.seq, foreign.seq, second.seq], [1, 1, 2]);
    assert.deepEqual([first.prev, foreign.prev, second.prev], [NO_PREVIOUS_HASH, NO_PREVIOUS_HASH, first.hash]);
    const log = [first, second].map(buildPublicManifest);
    assert.equal(findManifestFault(log, catalog.serverKeys.publicKeyPem), undefined);
  });

  test('counts the revisions of an hour and shows the newest', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    assert.equal(await catalog.manifests.nextRevision(ai, NEW_YEAR), 1);
    await publishHour(catalog, ai, NEW_YEAR, []);
    const second = await publishHour(catalog, ai, NEW_YEAR, [samplePackage('page', 0, 'b')]);
    assert.equal(second.revision, 2);
    assert.equal(await catalog.manifests.nextRevision(ai, NEW_YEAR), 3);
    assert.equal(await catalog.manifests.nextRevision(ai, NEXT_HOUR), 1);
    assert.deepEqual(await catalog.manifests.newest(ai, NEW_YEAR), second);
  });

  test('takes packages over from an older revision', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0)]);
    const taken = await catalog.manifests.listPackages(ai, hoursFrom(NEW_YEAR, 1));
    await publishHour(catalog, ai, NEW_YEAR, [...taken, samplePackage('page', 0, 'b')]);
    assert.deepEqual(await catalog.manifests.listPackages(ai, hoursFrom(NEW_YEAR, 1)), [
      { ...samplePackage('visit', 0), ai, hour: NEW_YEAR, revision: 2 },
      { ...samplePackage('page', 0, 'b'), ai, hour: NEW_YEAR, revision: 2 },
    ]);
  });

  test('changes nothing when the lease was lost', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const lost = await claimHour(catalog, ai, NEW_YEAR);
    const taken = await catalog.tasks.claim({ nowMs: NEW_YEAR_MS + 60_000, leaseMs: 60_000 });
    const before = await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 1));
    assert.equal(await catalog.manifests.publish(lost, draftOf([samplePackage('visit', 0)])), undefined);
    assert.equal(await catalog.manifests.newest(ai, NEW_YEAR), undefined);
    assert.equal(await catalog.manifests.nextRevision(ai, NEW_YEAR), 1);
    assert.deepEqual(await catalog.manifests.listPackages(ai, hoursFrom(NEW_YEAR, 1)), []);
    assert.deepEqual(await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 1)), before);
    assert.ok(await catalog.manifests.publish(taken!, draftOf([])), 'whoever took the task can publish it');
  });

  test('publishes a task once, however often it is tried', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const task = await claimHour(catalog, ai, NEW_YEAR);
    assert.ok(await catalog.manifests.publish(task, draftOf([])));
    assert.equal(await catalog.manifests.publish(task, draftOf([], 2)), undefined);
  });

  test('refuses any revision but the next, and leaves the task running', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const task = await claimHour(catalog, ai, NEW_YEAR);
    await assert.rejects(catalog.manifests.publish(task, draftOf([], 2)), { code: 'internal' });
    assert.equal((await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 1)))[0]?.status, 'running');
    assert.ok(await catalog.manifests.publish(task, draftOf([], 1)));
  });

  test('publishes nothing of a manifest when one of its packages cannot be stored', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const task = await claimHour(catalog, ai, NEW_YEAR);
    const twice = [samplePackage('visit', 0), samplePackage('visit', 0, 'b')];
    await assert.rejects(catalog.manifests.publish(task, draftOf(twice)), /UNIQUE constraint failed/);
    assert.equal(await catalog.manifests.newest(ai, NEW_YEAR), undefined);
    assert.equal(await catalog.manifests.nextRevision(ai, NEW_YEAR), 1);
    assert.equal(await catalog.tasks.extend(task, NEW_YEAR_MS + 90_000), true);
  });

  test('hashes facts as they will be read again', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const task = await claimHour(catalog, ai, NEW_YEAR);
    const facts = { ...FACTS, ledger: { ...FACTS.ledger, rows: { visit: undefined } } } as unknown as typeof FACTS;
    await catalog.manifests.publish(task, { ...draftOf([]), facts });
    const manifest = await catalog.manifests.newest(ai, NEW_YEAR);
    assert.deepEqual(manifest?.facts, FACTS);
    assert.equal(findManifestFault([buildPublicManifest(manifest)], catalog.serverKeys.publicKeyPem), undefined);
  });
});

describe('SqlManifestTable: listing and finding', () => {
  test('lists the packages of the newest revisions in order of hour, data type and part', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await publishHour(catalog, ai, NEXT_HOUR, [samplePackage('action', 0), samplePackage('visit', 0)]);
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0, 'old')]);
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('page', 1, 'new'), samplePackage('page', 0, 'new')]);
    const listed = await catalog.manifests.listPackages(ai, hoursFrom(NEW_YEAR, 24));
    assert.deepEqual(listed, [
      { ...samplePackage('page', 0, 'new'), ai, hour: NEW_YEAR, revision: 2 },
      { ...samplePackage('page', 1, 'new'), ai, hour: NEW_YEAR, revision: 2 },
      { ...samplePackage('visit', 0), ai, hour: NEXT_HOUR, revision: 1 },
      { ...samplePackage('action', 0), ai, hour: NEXT_HOUR, revision: 1 },
    ]);
  });

  test('lists only the data type, the hours and the project asked for', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.projects.create(sampleProject({ ai: 'other', uid: 'AAAABBBB' }));
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('page', 0), samplePackage('visit', 0)]);
    await publishHour(catalog, ai, NEXT_HOUR, [samplePackage('visit', 0)]);
    await publishHour(catalog, 'other', NEW_YEAR, [samplePackage('visit', 0)]);
    const listed = await catalog.manifests.listPackages(ai, hoursFrom(NEW_YEAR, 1), 'visit');
    assert.deepEqual(listed, [{ ...samplePackage('visit', 0), ai, hour: NEW_YEAR, revision: 1 }]);
  });

  test('takes an hour whose newest revision is empty for empty', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0)]);
    await publishHour(catalog, ai, NEW_YEAR, []);
    assert.deepEqual(await catalog.manifests.listPackages(ai, hoursFrom(NEW_YEAR, 1)), []);
    assert.deepEqual((await catalog.manifests.newest(ai, NEW_YEAR))?.packages, []);
  });

  test('stores and lists thousands of packages of one hour', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const parts = Array.from({ length: 300 }, (_, part) => part);
    const packages = DATA_TYPES.flatMap((dataType) => parts.map((part) => samplePackage(dataType, part)));
    await publishHour(catalog, ai, NEW_YEAR, packages);
    const listed = await catalog.manifests.listPackages(ai, hoursFrom(NEW_YEAR, 1));
    assert.deepEqual(
      listed,
      packages.map((entry) => ({ ...entry, ai, hour: NEW_YEAR, revision: 1 })),
    );
  });

  test('finds a package by what its link says, in an older revision too', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const old = samplePackage('visit', 0, 'old');
    await publishHour(catalog, ai, NEW_YEAR, [old]);
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0, 'new')]);
    const find = (...link: Parameters<ManifestTable['findPackage']>) => catalog.manifests.findPackage(...link);
    assert.deepEqual(await find(ai, NEW_YEAR, 'visit', old.name), { ...old, ai, hour: NEW_YEAR, revision: 1 });
    assert.equal(await find(ai, NEW_YEAR, 'page', old.name), undefined);
    assert.equal(await find(ai, NEXT_HOUR, 'visit', old.name), undefined);
    assert.equal(await find('other', NEW_YEAR, 'visit', old.name), undefined);
  });
});

describe('SqlManifestTable: revisions and the log', () => {
  test('reads any revision that is kept', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const first = await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0, 'old')]);
    const second = await publishHour(catalog, ai, NEW_YEAR, []);
    assert.deepEqual(await catalog.manifests.read(ai, NEW_YEAR, 1), first);
    assert.deepEqual(await catalog.manifests.read(ai, NEW_YEAR, 2), second);
    assert.equal(await catalog.manifests.read(ai, NEW_YEAR, 3), undefined);
    assert.equal(await catalog.manifests.read(ai, NEXT_HOUR, 1), undefined);
    await catalog.manifests.deletePackagesBefore(NEXT_HOUR);
    assert.equal(await catalog.manifests.read(ai, NEW_YEAR, 1), undefined);
  });

  test('lists the revisions that are kept, in order of hour and revision', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.projects.create(sampleProject({ ai: 'other', uid: 'AAAABBBB' }));
    await publishHour(catalog, 'other', NEW_YEAR, []);
    for (const hour of [NEXT_HOUR, NEW_YEAR, NEXT_HOUR]) await publishHour(catalog, ai, hour, []);
    assert.deepEqual(await catalog.manifests.listRevisions(ai, hoursFrom(NEW_YEAR, 24)), [
      { hour: NEW_YEAR, revision: 1 },
      { hour: NEXT_HOUR, revision: 1 },
      { hour: NEXT_HOUR, revision: 2 },
    ]);
    assert.deepEqual(await catalog.manifests.listRevisions(ai, hoursFrom(NEW_YEAR, 1)), [
      { hour: NEW_YEAR, revision: 1 },
    ]);
  });

  test('lists the log of a project page by page, also what retention has taken', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.projects.create(sampleProject({ ai: 'other', uid: 'AAAABBBB' }));
    const entries = [];
    for (const hour of [NEXT_HOUR, NEW_YEAR, addHours(NEW_YEAR, 2)]) {
      const { facts: _facts, packages: _packages, ...entry } = await publishHour(catalog, ai, hour, []);
      await publishHour(catalog, 'other', hour, []);
      entries.push(entry);
    }
    await catalog.manifests.deletePackagesBefore(addHours(NEW_YEAR, 2));
    assert.deepEqual(await catalog.manifests.listLog(ai, { fromSeq: 1, limit: 2 }), entries.slice(0, 2));
    assert.deepEqual(await catalog.manifests.listLog(ai, { fromSeq: 3, limit: 2 }), entries.slice(2));
    assert.deepEqual(await catalog.manifests.listLog(ai, { fromSeq: 4, limit: 2 }), []);
  });
});

describe('SqlManifestTable: retention', () => {
  test('deletes manifests and packages of old hours, gives their keys, and keeps the log', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const first = await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0, 'a')]);
    const second = await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0, 'b')]);
    const kept = await publishHour(catalog, ai, NEXT_HOUR, [samplePackage('visit', 0, 'c')]);
    const keys = await catalog.manifests.deletePackagesBefore(NEXT_HOUR);
    assert.deepEqual(keys.toSorted(), [first.packages[0]?.key, second.packages[0]?.key]);
    assert.equal(await catalog.manifests.newest(ai, NEW_YEAR), undefined);
    assert.equal(await catalog.manifests.findPackage(ai, NEW_YEAR, 'visit', first.packages[0]!.name), undefined);
    assert.deepEqual(await catalog.manifests.newest(ai, NEXT_HOUR), kept);
    assert.equal(await catalog.manifests.nextRevision(ai, NEW_YEAR), 3);
    const next = await publishHour(catalog, ai, addHours(NEW_YEAR, 2), []);
    assert.deepEqual([next.seq, next.prev], [4, kept.hash]);
  });

  test('gives a key once that two revisions share, and nothing the second time', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0)]);
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0), samplePackage('visit', 1)]);
    const keys = await catalog.manifests.deletePackagesBefore(NEXT_HOUR);
    assert.deepEqual(keys.toSorted(), [samplePackage('visit', 0).key, samplePackage('visit', 1).key]);
    assert.deepEqual(await catalog.manifests.deletePackagesBefore(NEXT_HOUR), []);
  });
});
