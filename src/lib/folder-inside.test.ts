import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { isInside } from './folder-inside.ts';

describe('isInside', () => {
  it('follows links and takes paths that are not there yet', async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, 'data'));
    await symlink(join(folder, 'data'), join(folder, 'link'));
    const cases: readonly [path: string, folder: string, inside: boolean][] = [
      ['data', 'data', true],
      ['data/new/deep', 'data', true],
      ['link/new', 'data', true],
      ['data/new', 'link', true],
      ['data-2', 'data', false],
      ['new', 'data', false],
      ['.', 'data', false],
      ['data/../new', 'data', false],
    ];
    for (const [path, outer, inside] of cases)
      assert.equal(await isInside(`${folder}/${path}`, join(folder, outer)), inside, path);
  });
});
