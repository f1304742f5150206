import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { makeFolder } from './empty-folder.ts';

describe('makeFolder', () => {
  it('makes a folder and those above it, for this user alone, also when many do so at once', async (t) => {
    const path = join(await temporaryFolder(t), 'a', 'b', 'c');
    await Promise.all([makeFolder(path), makeFolder(path), makeFolder(path)]);
    await makeFolder(path);
    assert.equal(statSync(path).mode & 0o777, 0o700);
    assert.equal(statSync(join(path, '..')).mode & 0o777, 0o700);
  });

  it('fails where a file stands, or nothing can be made', async (t) => {
    const file = join(await temporaryFolder(t), 'file');
    await writeFile(file, '');
    await assert.rejects(makeFolder(file), { code: 'ENOTDIR' });
    await assert.rejects(makeFolder(join(file, 'below')), { code: 'ENOTDIR' });
    if (process.platform === 'linux') await assert.rejects(makeFolder('/proc/tidegate/data'), { code: 'ENOENT' });
  });
});
