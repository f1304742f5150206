import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { mountSmallDisk } from '../../test/helpers/small-disk.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import type { Catalog, PackageEntry } from '../catalog/catalog.ts';
import {
  NEW_YEAR,
  NEW_YEAR_MS,
  openForTest,
  publishHour,
  samplePackage,
  sampleProject,
} from '../catalog/catalog.test-helper.ts';
import { catalogPath, openDataCatalog, openExistingCatalog } from '../catalog/data-catalog.ts';
import { addHours } from '../events/hour.ts';
import { systemClock } from '../lib/clock.ts';
import { BackupWriter } from './backup-writer.ts';
import { readFileList } from './backup-file-list.ts';
import { copyCatalog } from './catalog-copy.ts';
import { createBackup, type CreatedBackup } from './create-backup.ts';

type Source = { readonly folder: string; readonly data: string; readonly catalog: Catalog };

/** A data directory with a project, whose catalog a server has open. */
async function openSource(t: TestContext): Promise<Source> {
  const folder = await temporaryFolder(t);
  const data = join(folder, 'data');
  const catalog = await openForTest(t, catalogPath(data));
  await catalog.projects.create(sampleProject());
  return { folder, data, catalog };
}

/** Publishes an hour with one package, whose file is there. */
async function publish({ data, catalog }: Source, name: string, hours = 0, bytes = randomBytes(500)): Promise<string> {
  const entry: PackageEntry = {
    ...samplePackage('visit', 0, name),
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
  await mkdir(dirname(join(data, 'packages', entry.key)), { recursive: true });
  await writeFile(join(data, 'packages', entry.key), bytes);
  await publishHour(catalog, sampleProject().ai, addHours(NEW_YEAR, hours), [entry]);
  return entry.key;
}

function backUp({ data, folder }: Source, target = join(folder, 'backup')): Promise<CreatedBackup> {
  return createBackup({ data, target, clock: { nowMs: () => NEW_YEAR_MS } });
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

describe('createBackup', () => {
  it('holds the catalog, the packages and a list of them, and says since when nothing is missing', async (t) => {
    const source = await openSource(t);
    const key = await publish(source, 'a');
    await writeFile(join(source.data, 'packages', dirname(key), '.unfinished.tmp'), 'x');
    await writeFile(join(source.data, 'demo.json'), '{}');
    const target = join(source.folder, 'backup');
    const { files, faults, startedAt } = await backUp(source, target);
    assert.deepEqual([faults, startedAt], [[], new Date(NEW_YEAR_MS)]);
    const list = await readFileList(target);
    assert.deepEqual([list.files, list.startedAt], [files, '2026-01-01T00:00:00.000Z']);
    const paths = ['catalog.sqlite', `packages/${key}`];
    assert.deepEqual(files.map(({ path }) => path).sort(), paths);
    assert.deepEqual(await filesIn(target), ['backup.json', ...paths].sort());
    for (const { path, bytes, sha256 } of files) {
      const content = await readFile(join(target, path));
      assert.deepEqual([content.length, createHash('sha256').update(content).digest('hex')], [bytes, sha256]);
    }
    assert.equal((await stat(target)).mode & 0o777, 0o700);
  });

  it('is no data directory, and neither is one that did not end', async (t) => {
    const source = await openSource(t);
    const target = join(source.folder, 'backup');
    await backUp(source, target);
    const refused = { code: 'data_directory', message: /is a backup; tidegate restore makes/ };
    await assert.rejects(openExistingCatalog(target, systemClock), refused);
    await assert.rejects(openDataCatalog(target, systemClock), refused);
    await assert.rejects(backUp({ ...source, data: target }, join(source.folder, 'second')), refused);
    const half = join(source.folder, 'half');
    const writer = await BackupWriter.begin({ data: source.data, target: half });
    await copyCatalog(source.data, writer);
    const refusedHalf = { code: 'data_directory', message: /is the half of a backup that did not end/ };
    await assert.rejects(openExistingCatalog(half, systemClock), refusedHalf);
    await assert.rejects(backUp(source, half), { code: 'folder_not_empty' });
  });

  it('is made in an empty folder only, and not in the data directory, whatever links lead there', async (t) => {
    const source = await openSource(t);
    const { folder, data } = source;
    await mkdir(join(folder, 'full/x'), { recursive: true });
    await symlink(data, join(folder, 'link'));
    await writeFile(join(folder, 'file'), '');
    await assert.rejects(backUp(source, join(folder, 'full')), { code: 'folder_not_empty' });
    await assert.rejects(backUp(source, folder), { code: 'folder_not_empty' });
    await assert.rejects(backUp(source, join(folder, 'file')), {
      code: 'backup_failed',
      message: /a file stands where a folder should be/,
    });
    for (const inside of [data, join(data, 'new'), join(folder, 'link/new')])
      await assert.rejects(backUp(source, inside), { name: 'ConfigurationError', message: /lies in the data/ });
    await mkdir(join(folder, 'mount/lost+found'), { recursive: true });
    await backUp(source, join(folder, 'mount'));
    await assert.rejects(backUp({ ...source, data: join(folder, 'none') }), { code: 'data_directory' });
  });

  it('says which packages are missing or changed, and holds the others', async (t) => {
    const source = await openSource(t);
    const [missing, changed, whole] = [
      await publish(source, 'a'),
      await publish(source, 'b', 1),
      await publish(source, 'c', 2),
    ];
    await rm(join(source.data, 'packages', missing));
    await writeFile(join(source.data, 'packages', changed), 'something else');
    const { files, faults } = await backUp(source);
    assert.deepEqual(faults, [
      `The package ${missing} is missing.`,
      `The package ${changed} is not what its manifest says.`,
    ]);
    assert.deepEqual(
      files.map(({ path }) => path),
      [`packages/${changed}`, `packages/${whole}`, 'catalog.sqlite'],
    );
  });

  it('takes the catalog again when retention deletes a package between the two', async (t) => {
    const source = await openSource(t);
    const [old, young] = [await publish(source, 'a'), await publish(source, 'b', 1)];
    const writer = await BackupWriter.begin({ data: source.data, target: join(source.folder, 'backup') });
    const keep = writer.tryKeep.bind(writer);
    let isSwept = false;
    writer.tryKeep = async (path) => {
      if (!isSwept) {
        await source.catalog.manifests.deletePackagesBefore(addHours(NEW_YEAR, 1));
        await rm(join(source.data, 'packages', old));
        isSwept = true;
      }
      return keep(path);
    };
    assert.deepEqual(await copyCatalog(source.data, writer), []);
    const files = await writer.finish(new Date(0), new Date(0));
    assert.deepEqual(
      files.map(({ path }) => path),
      [`packages/${young}`, 'catalog.sqlite'],
    );
  });

  it('leaves an empty folder when it is stopped', async (t) => {
    const source = await openSource(t);
    await publish(source, 'a');
    const target = join(source.folder, 'backup');
    const stopped = createBackup({ data: source.data, target, clock: systemClock, signal: AbortSignal.abort() });
    await assert.rejects(stopped, { code: 'backup_failed', message: `The backup in ${target} was stopped.` });
    assert.deepEqual(await readdir(target), []);
  });

  it('copies onto another file system, and leaves nothing there when it is full', async (t) => {
    const disk = await mountSmallDisk(t, 4);
    if (disk === undefined) return;
    const source = await openSource(t);
    const key = await publish(source, 'a');
    await backUp(source, join(disk, 'a'));
    const copied = join(disk, 'a/packages', key);
    assert.deepEqual(await readFile(copied), await readFile(join(source.data, 'packages', key)));
    assert.equal((await stat(copied)).nlink, 1);
    await publish(source, 'b', 1, randomBytes(5_000_000));
    await assert.rejects(backUp(source, join(disk, 'b')), {
      code: 'backup_failed',
      message: /^The file packages\/b\/visit\/\S+ could not be taken into the backup: the disk is full \(ENOSPC\)\.$/,
    });
    assert.deepEqual(await readdir(join(disk, 'b')), []);
    await writeFile(join(disk, 'filler'), randomBytes(3_900_000)).catch(() => undefined);
    await assert.rejects(backUp(source, join(disk, 'b')), { code: 'backup_failed', message: /full/ });
    assert.deepEqual(await readdir(join(disk, 'b')), []);
  });
});
