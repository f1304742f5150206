import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { atEnd } from '../../../test/helpers/at-end.ts';
import { eventBatch, HOUR_START_MS } from '../../../test/helpers/event-rows.ts';
import { FakeClock } from '../../../test/helpers/fake-clock.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import { addHours, hourOf } from '../../events/hour.ts';
import { HourLog } from './hour-log.ts';
import { readSeal, sealHour } from './seal.ts';
import { storeJobsInPlace } from './store-jobs.ts';

const HOUR = hourOf(HOUR_START_MS);

describe('sealHour', () => {
  it('B1 counts a segment of which one reading of the folder sees neither its own name nor that of its run', async (t) => {
    const root = join(await temporaryFolder(t), 'hour-log');
    const log = await HourLog.open({ root, clock: new FakeClock(HOUR_START_MS), jobs: storeJobsInPlace });
    await log.append(eventBatch('ai', [{ id: 'a' }]));
    const { readdir } = fs;
    let readings = 0;
    // A directory is read piece by piece: a file that gets another name meanwhile may be in none of them.
    const blindAtFirst = (path: string): Promise<string[]> => (readings++ === 0 ? Promise.resolve([]) : readdir(path));
    t.mock.method(fs, 'readdir', blindAtFirst as typeof readdir);
    syncBuiltinESMExports();
    atEnd(t, () => {
      t.mock.restoreAll();
      syncBuiltinESMExports();
    });
    await sealHour(root, HOUR);
    assert.equal((await readSeal(root, HOUR))?.segments.length, 1);
    await log.close();
  });

  it('F2 leaves a seal as it is, whoever seals again', async (t) => {
    const root = join(await temporaryFolder(t), 'hour-log');
    const log = await HourLog.open({ root, clock: new FakeClock(HOUR_START_MS), jobs: storeJobsInPlace });
    await log.append(eventBatch('ai', [{ id: 'a' }]));
    await log.seal(addHours(HOUR, 1));
    const first = await readSeal(root, HOUR);
    await log.prepare(HOUR); // now the segment is a run
    await Promise.all([sealHour(root, HOUR), sealHour(root, HOUR)]);
    assert.deepEqual(await readSeal(root, HOUR), first);
    await log.close();
  });
});
