import { join } from 'node:path';
import { hourStoreSuite } from '../../../test/conformance/hour-store-suite.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import { HourLog } from './hour-log.ts';
import { HourLogReader } from './hour-log-reader.ts';
import { storeJobsInPlace } from './store-jobs.ts';

hourStoreSuite('HourLog', {
  folder: temporaryFolder,
  open: async ({ folder, clock, segmentBytes }) => {
    const root = join(folder, 'hour-log');
    const store = await HourLog.open({
      root,
      clock,
      jobs: storeJobsInPlace,
      ...(segmentBytes ? { segmentBytes } : {}),
    });
    return { store, reader: new HourLogReader(root) };
  },
});
