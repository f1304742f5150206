import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { writeFileAtomic, writeFileOnce } from './atomic-file.ts';

describe('writeFileOnce', () => {
  it('F2 keeps the file of the first of many writers, and leaves nothing of the others', async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, 'file');
    const texts = Array.from({ length: 8 }, (_, i) => `text ${i}`);
    const results = await Promise.all(texts.map((text) => writeFileOnce(path, text)));
    assert.equal(results.filter((result) => result === 'written').length, 1);
    const first = texts[results.indexOf('written')];
    assert.equal(await readFile(path, 'utf8'), first);
    assert.equal(await writeFileOnce(path, 'later'), 'exists');
    assert.equal(await readFile(path, 'utf8'), first);
    assert.deepEqual(await readdir(folder), ['file']);
  });
});

describe('writeFileAtomic', () => {
  it('replaces a file and leaves nothing but it', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFileAtomic(join(folder, 'file'), 'before');
    await writeFileAtomic(join(folder, 'file'), 'after');
    assert.equal(await readFile(join(folder, 'file'), 'utf8'), 'after');
    assert.deepEqual(await readdir(folder), ['file']);
  });
});
