import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { flipByte } from '../../test/helpers/run-files.ts';
import { mountSmallDisk } from '../../test/helpers/small-disk.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { sampleProject } from '../catalog/catalog.test-helper.ts';
import { openDataCatalog, openExistingCatalog, unfinishedRestorePath } from '../catalog/data-catalog.ts';
import { systemClock } from '../lib/clock.ts';
import { hashFile } from '../lib/file-copy.ts';
import { HourLog } from '../store/hour-log/hour-log.ts';
import { storeJobsInPlace } from '../store/hour-log/store-jobs.ts';
import { createBackup } from './create-backup.ts';
import type { BackupFileList } from './backup-file-list.ts';
import { restoreBackup } from './restore-backup.ts';

type Backup = { readonly folder: string; readonly from: string; readonly data: string };

/** A backup, and where a data directory may be made of it. */
async function makeBackup(t: TestContext): Promise<Backup> {
  const folder = await temporaryFolder(t);
  const source = join(folder, 'source');
  const catalog = await openDataCatalog(source, systemClock);
  await catalog.projects.create(sampleProject());
  await catalog.close();
  const log = await HourLog.open({ root: join(source, 'hour-log'), clock: systemClock, jobs: storeJobsInPlace });
  await log.close();
  const from = join(folder, 'backup');
  await createBackup({ data: source, target: from, clock: systemClock });
  return { folder, from, data: join(folder, 'data') };
}

async function editList({ from }: Backup, edit: (list: BackupFileList) => object): Promise<void> {
  const path = join(from, 'backup.json');
  await writeFile(path, JSON.stringify(edit(JSON.parse(await readFile(path, 'utf8')) as BackupFileList)));
}

async function assertRestored(data: string): Promise<void> {
  const catalog = await openExistingCatalog(data, systemClock);
  assert.deepEqual(
    (await catalog.projects.list()).map(({ name }) => name),
    [sampleProject().name],
  );
  await catalog.close();
}

describe('restoreBackup', () => {
  it('makes a data directory, for its owner alone, in a folder that is new or empty', async (t) => {
    const backup = await makeBackup(t);
    for (const data of [backup.data, join(backup.folder, 'new/deep'), join(backup.folder, 'Übung 数据')]) {
      await restoreBackup({ from: backup.from, data });
      assert.deepEqual((await readdir(data)).sort(), ['catalog.sqlite', 'hour-log']);
      await assertRestored(data);
    }
    await mkdir(join(backup.folder, 'mount/lost+found'), { recursive: true });
    await restoreBackup({ from: backup.from, data: join(backup.folder, 'mount') });
  });

  const refused: readonly [
    what: string,
    damage: (backup: Backup) => Promise<unknown>,
    code: string,
    message: RegExp,
  ][] = [
    ['half of a backup', ({ from }) => rm(join(from, 'backup.json')), 'backup_invalid', /has no backup\.json/],
    [
      'a list that is no JSON',
      ({ from }) => truncate(join(from, 'backup.json'), 20),
      'backup_invalid',
      /backup\.json of .* is damaged/,
    ],
    [
      'a list that leads out of the folder',
      (backup) =>
        editList(backup, (list) => ({ ...list, files: [...list.files, { path: '../x', bytes: 1, sha256: '' }] })),
      'backup_invalid',
      /is damaged/,
    ],
    [
      'a list without a catalog',
      (backup) => editList(backup, (list) => ({ ...list, files: list.files.slice(1) })),
      'backup_invalid',
      /is damaged/,
    ],
    [
      'a flipped byte',
      ({ from }) => flipByte(join(from, 'hour-log/format.json'), 3),
      'backup_invalid',
      /The file hour-log\/format\.json of the backup .* is not what backup\.json says/,
    ],
    [
      'a file cut short',
      ({ from }) => truncate(join(from, 'catalog.sqlite'), 4096),
      'backup_invalid',
      /The file catalog\.sqlite of the backup .* has 4096 bytes instead of/,
    ],
    [
      'a missing file',
      ({ from }) => rm(join(from, 'hour-log/format.json')),
      'backup_invalid',
      /lacks the file hour-log\/format\.json/,
    ],
    [
      'a backup of a newer form',
      (backup) => editList(backup, () => ({ version: 2, parts: [] })),
      'format_too_new',
      /is of version 2; this program knows up to 1/,
    ],
  ];
  for (const [what, damage, code, message] of refused) {
    it(`refuses ${what} and leaves nothing`, async (t) => {
      const backup = await makeBackup(t);
      await damage(backup);
      await assert.rejects(restoreBackup(backup), { code, message });
      assert.deepEqual(await readdir(backup.data).catch(() => []), []);
    });
  }

  it('refuses a backup of data that a newer program has written', async (t) => {
    const newer: readonly ((source: string) => Promise<unknown>)[] = [
      (source) => writeFile(join(source, 'hour-log/format.json'), '{"version":2,"firstHour":1}'),
      (source) => {
        const database = new DatabaseSync(join(source, 'catalog.sqlite'));
        database.exec(`INSERT INTO migration SELECT 1000, 'from later', applied_at_ms FROM migration LIMIT 1`);
        database.close();
        return Promise.resolve();
      },
    ];
    for (const change of newer) {
      const backup = await makeBackup(t);
      await change(backup.from);
      // As the newer program would have listed it.
      const list = JSON.parse(await readFile(join(backup.from, 'backup.json'), 'utf8')) as BackupFileList;
      const files = await Promise.all(
        list.files.map(async ({ path }) => ({ path, ...(await hashFile(join(backup.from, path))) })),
      );
      await editList(backup, () => ({ ...list, files }));
      await assert.rejects(restoreBackup(backup), { code: 'format_too_new' });
      assert.deepEqual(await readdir(backup.data), []);
    }
  });

  it('touches no directory that holds anything, and none that the backup lies in', async (t) => {
    const { folder, from, data } = await makeBackup(t);
    await mkdir(join(folder, 'full'));
    await writeFile(join(folder, 'full/notes'), 'mine');
    await assert.rejects(restoreBackup({ from, data: join(folder, 'full') }), { code: 'folder_not_empty' });
    assert.deepEqual(await readdir(join(folder, 'full')), ['notes']);
    await symlink(from, join(folder, 'link'));
    for (const inside of [from, join(from, 'new'), join(folder, 'link/new')])
      await assert.rejects(restoreBackup({ from, data: inside }), { name: 'ConfigurationError' });
    await mkdir(data);
    await cp(from, join(data, 'backup'), { recursive: true });
    await writeFile(unfinishedRestorePath(data), '');
    await assert.rejects(restoreBackup({ from: join(data, 'backup'), data }), { name: 'ConfigurationError' });
    assert.equal((await readdir(join(data, 'backup'))).length, 3);
  });

  it('goes on from the half of a restore, which nothing else opens', async (t) => {
    const { from, data } = await makeBackup(t);
    await cp(from, data, { recursive: true });
    await rm(join(data, 'backup.json'));
    await writeFile(join(data, 'hour-log/left-over'), '');
    await writeFile(unfinishedRestorePath(data), '');
    const unfinished = { code: 'data_directory', message: /is the half of a restore that did not end/ };
    await assert.rejects(openExistingCatalog(data, systemClock), unfinished);
    await assert.rejects(openDataCatalog(data, systemClock), unfinished);
    await assert.rejects(createBackup({ data, target: `${data}-2`, clock: systemClock }), unfinished);
    await restoreBackup({ from, data });
    assert.deepEqual(await readdir(join(data, 'hour-log')), ['format.json']);
    await assertRestored(data);
  });

  it('leaves an empty directory when it is stopped or the disk is full', async (t) => {
    const { from, data } = await makeBackup(t);
    const stopped = restoreBackup({ from, data, signal: AbortSignal.abort() });
    await assert.rejects(stopped, { code: 'backup_failed', message: `The restore into ${data} was stopped.` });
    assert.deepEqual(await readdir(data), []);
    const disk = await mountSmallDisk(t, 1);
    if (disk === undefined) return;
    await writeFile(join(disk, 'filler'), Buffer.alloc(1000 * 1024));
    await assert.rejects(restoreBackup({ from, data: join(disk, 'data') }), {
      code: 'backup_failed',
      message: /^The restore of the file catalog\.sqlite failed: the disk is full \(ENOSPC\)\.$/,
    });
    assert.deepEqual(await readdir(join(disk, 'data')), []);
  });
});
