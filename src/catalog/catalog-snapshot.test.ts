import assert from 'node:assert/strict';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { atEnd } from '../../test/helpers/at-end.ts';
import { flipByte } from '../../test/helpers/run-files.ts';
import {
  NEW_YEAR,
  NEW_YEAR_MS,
  openForTest,
  openWithProject,
  publishHour,
  samplePackage,
  sampleProject,
} from './catalog.test-helper.ts';
import { refuseNewerCatalog, snapshotCatalog } from './catalog-snapshot.ts';

describe('snapshotCatalog', () => {
  it('copies what is committed while others go on writing, and names the packages of its manifests', async (t) => {
    const { catalog, path, ai } = await openWithProject(t);
    const packages = [samplePackage('visit', 0, 'a'), samplePackage('page', 0, 'b')];
    await publishHour(catalog, ai, NEW_YEAR, packages);
    const writer = new DatabaseSync(path);
    atEnd(t, () => writer.close());
    writer.exec(`BEGIN IMMEDIATE; UPDATE project SET name = 'not committed'`);
    const target = join(dirname(path), 'copy.sqlite');
    const named = snapshotCatalog(path, target);
    writer.exec('COMMIT');
    assert.deepEqual(
      named.map(({ key, sha256 }) => [key, sha256]),
      packages.map(({ key, sha256 }) => [key, sha256]).sort(),
    );
    const copy = await openForTest(t, target);
    assert.deepEqual(
      (await copy.projects.list()).map(({ name, secret }) => [name, secret]),
      [[sampleProject().name, sampleProject().secret]],
    );
    assert.equal(copy.serverKeys.publicKeyPem, catalog.serverKeys.publicKeyPem);
    assert.equal((await catalog.projects.list())[0]!.name, 'not committed');
  });

  it('names the packages that were made for the 1.0 API, so that a backup has them', async (t) => {
    const { catalog, path, ai } = await openWithProject(t);
    await publishHour(catalog, ai, NEW_YEAR, [samplePackage('visit', 0, 'a')]);
    await catalog.legacy.request(ai, [{ hour: NEW_YEAR, revision: 1 }], NEW_YEAR_MS);
    const task = await catalog.legacy.claim({ nowMs: NEW_YEAR_MS, leaseMs: 1 });
    const made = { ...samplePackage('visit', 0, 'b'), dataType: 'visit' } as const;
    assert.ok(await catalog.legacy.publish(task!, 1, [made]));
    const named = snapshotCatalog(path, join(dirname(path), 'copy.sqlite'));
    assert.deepEqual(
      named.map(({ key }) => key),
      [samplePackage('visit', 0, 'a').key, made.key],
    );
  });

  it('is one file that only its owner may read, also while it is looked at', async (t) => {
    const { path } = await openWithProject(t);
    const target = join(dirname(path), 'copy.sqlite');
    snapshotCatalog(path, target);
    refuseNewerCatalog(target);
    assert.equal((await stat(target)).mode & 0o777, 0o600);
    assert.deepEqual(
      (await readdir(dirname(path))).filter((name) => name.startsWith('copy')),
      ['copy.sqlite'],
    );
  });

  it('refuses a catalog of a newer program, a damaged one, and a target that is there', async (t) => {
    const { catalog, path } = await openWithProject(t);
    const target = (name: string): string => join(dirname(path), name);
    await writeFile(target('taken'), '');
    assert.throws(() => snapshotCatalog(path, target('taken')), { code: 'EEXIST' });
    await catalog.close();
    const database = new DatabaseSync(path);
    database.exec(`INSERT INTO migration SELECT 1000, 'from later', applied_at_ms FROM migration LIMIT 1`);
    database.close();
    assert.throws(() => snapshotCatalog(path, target('a')), { code: 'format_too_new' });
    assert.throws(() => refuseNewerCatalog(path), { code: 'format_too_new' });
    await flipByte(path, 3);
    assert.throws(() => snapshotCatalog(path, target('b')), { code: 'store_corrupt' });
    assert.throws(() => snapshotCatalog(target('missing'), target('c')), { code: 'store_unavailable' });
  });
});
