import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { systemClock } from '../lib/clock.ts';
import { openDataCatalog, openExistingCatalog, unfinishedRestorePath } from './data-catalog.ts';

describe('a data directory', () => {
  it('is not opened while it is the half of a restore', async (t) => {
    const data = join(await temporaryFolder(t), 'data');
    await (await openDataCatalog(data, systemClock)).close();
    await writeFile(unfinishedRestorePath(data), '');
    for (const open of [openDataCatalog, openExistingCatalog]) {
      const opening = open(data, systemClock).then((catalog) => catalog.close());
      await assert.rejects(opening, { code: 'data_directory', message: /half of a restore/ });
    }
    await rm(unfinishedRestorePath(data));
    await (await openExistingCatalog(data, systemClock)).close();
  });
});
