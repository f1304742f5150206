import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { copyFileHashed, hashFile, linkFileHashed } from './file-copy.ts';

const sumOf = (bytes: Buffer) => ({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });

describe('copying files', () => {
  for (const size of [0, 1, 1024 * 1024, 2_500_000]) {
    it(`copies ${size} bytes and takes their checksum`, async (t) => {
      const folder = await temporaryFolder(t);
      const bytes = randomBytes(size);
      await writeFile(join(folder, 'a'), bytes);
      assert.deepEqual(await copyFileHashed(join(folder, 'a'), join(folder, 'b')), sumOf(bytes));
      assert.deepEqual(await readFile(join(folder, 'b')), bytes);
      assert.deepEqual(await hashFile(join(folder, 'b')), sumOf(bytes));
    });
  }

  it('keeps the rights of a file that nobody else may read', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'a'), 'secret');
    await chmod(join(folder, 'a'), 0o600);
    await copyFileHashed(join(folder, 'a'), join(folder, 'b'));
    assert.equal((await stat(join(folder, 'b'))).mode & 0o777, 0o600);
  });

  it('links a file, and takes the checksum of what is there', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'a'), 'published');
    assert.deepEqual(await linkFileHashed(join(folder, 'a'), join(folder, 'b')), sumOf(Buffer.from('published')));
    assert.equal((await stat(join(folder, 'b'))).ino, (await stat(join(folder, 'a'))).ino);
  });

  it('replaces nothing, and says so when there is nothing to copy', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'a'), 'new');
    await writeFile(join(folder, 'b'), 'old');
    for (const take of [copyFileHashed, linkFileHashed]) {
      await assert.rejects(take(join(folder, 'a'), join(folder, 'b')), { code: 'EEXIST' });
      await assert.rejects(take(join(folder, 'missing'), join(folder, 'c')), { code: 'ENOENT' });
    }
    assert.equal(await readFile(join(folder, 'b'), 'utf8'), 'old');
    await assert.rejects(stat(join(folder, 'c')), { code: 'ENOENT' });
  });
});
