import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { atEnd } from '../../test/helpers/at-end.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { CLICK_INDEX_FILE } from '../ads/click-index.ts';
import { ClickIndexFile } from '../ads/click-index-file.ts';
import { openDataCatalog } from '../catalog/data-catalog.ts';
import { systemClock } from '../lib/clock.ts';
import { HourLog } from '../store/hour-log/hour-log.ts';
import { storeJobsInPlace } from '../store/hour-log/store-jobs.ts';
import { createBackup } from './create-backup.ts';
import { restoreBackup } from './restore-backup.ts';

const KEY = Buffer.alloc(12, 7);
const NOW_MS = 1_795_407_000_000;
const CLAIM = { deviceKeys: [KEY], rowId: Buffer.alloc(16, 1), searchKeys: [KEY] };

/** A data directory whose click index is open and holds a click and a device. */
async function makeData(t: TestContext): Promise<{ folder: string; data: string }> {
  const folder = await temporaryFolder(t);
  const data = join(folder, 'data');
  await (await openDataCatalog(data, systemClock)).close();
  await (await HourLog.open({ root: join(data, 'hour-log'), clock: systemClock, jobs: storeJobsInPlace })).close();
  const index = ClickIndexFile.open({ path: join(data, CLICK_INDEX_FILE), syncs: true });
  atEnd(t, () => {
    index.close();
  });
  index.addClicks([{ keys: [KEY], timeMs: NOW_MS, linkId: 'aB3dE6gH', variables: '{"city":"beijing"}' }]);
  index.claim([{ ...CLAIM, deviceKeys: [Buffer.alloc(12, 8)] }], NOW_MS);
  index.confirm([{ ...CLAIM, deviceKeys: [Buffer.alloc(12, 8)] }]);
  return { folder, data };
}

describe('a backup', () => {
  it('holds the click index of a server that works on it, and a restore finds its clicks and devices', async (t) => {
    const { folder, data } = await makeData(t);
    const [target, restored] = [join(folder, 'backup'), join(folder, 'restored')];
    const { files } = await createBackup({ data, target, clock: systemClock });
    assert.deepEqual(
      files.map(({ path }) => path).filter((path) => path.startsWith('ads')),
      [CLICK_INDEX_FILE],
    );
    await restoreBackup({ from: target, data: restored });
    const path = join(restored, CLICK_INDEX_FILE);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const index = ClickIndexFile.open({ path, syncs: true });
    const answer = index.claim([CLAIM, { ...CLAIM, deviceKeys: [Buffer.alloc(12, 8)] }], NOW_MS + 1);
    index.close();
    assert.deepEqual(answer, [
      { isRepeated: false, click: { linkId: 'aB3dE6gH', variables: '{"city":"beijing"}' } },
      { isRepeated: true },
    ]);
  });

  it('is not made of a click index that a newer version wrote', async (t) => {
    const { folder, data } = await makeData(t);
    const newer = new DatabaseSync(join(data, CLICK_INDEX_FILE));
    newer.exec('PRAGMA user_version = 2');
    newer.close();
    const target = join(folder, 'backup');
    await assert.rejects(createBackup({ data, target, clock: systemClock }), { code: 'format_too_new' });
  });
});
