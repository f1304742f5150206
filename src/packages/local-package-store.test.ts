import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readlink, realpath, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { mountSmallDisk } from '../../test/helpers/small-disk.ts';
import { LocalPackageStore } from './local-package-store.ts';

const KEY = 'ab12/202611230500/r1/page/part-00000-x-c000.csv.gz';

describe('LocalPackageStore', () => {
  test('shows a package only after finish, whole', async (t) => {
    const { store, folder } = await openStore(t);
    const content = randomBytes(700_000);
    const sink = await store.create(KEY);
    await sink.write(content.subarray(0, 300_000));
    assert.equal(await store.open(KEY), undefined);
    await sink.write(content.subarray(300_000));
    await sink.finish();
    assert.deepEqual(await readAll(store, KEY), content);
    assert.deepEqual(await filesIn(folder), [KEY]);
  });

  test('replaces a package of the same key, and only at finish', async (t) => {
    const { store } = await openStore(t);
    await put(store, KEY, Buffer.from('old'));
    const sink = await store.create(KEY);
    await sink.write(Buffer.from('new'));
    assert.equal(String(await readAll(store, KEY)), 'old');
    await sink.finish();
    assert.equal(String(await readAll(store, KEY)), 'new');
  });

  test('leaves nothing behind after abort, which may be called twice and after finish', async (t) => {
    const { store, folder } = await openStore(t);
    const aborted = await store.create(KEY);
    await aborted.write(Buffer.from('half'));
    await aborted.abort();
    await aborted.abort();
    await assert.rejects(aborted.write(Buffer.from('more')), /is aborted/);
    await assert.rejects(aborted.finish(), /is aborted/);
    assert.deepEqual(await filesIn(folder), []);

    const finished = await store.create(KEY);
    await finished.finish();
    await finished.abort();
    assert.deepEqual(await filesIn(folder), [KEY]);
  });

  test('refuses keys that are no relative path of safe names', async (t) => {
    const { store } = await openStore(t);
    const keys = [
      '',
      '/a',
      'a/',
      'a//b',
      '..',
      'a/../b',
      '.',
      'a/.b',
      'a\\b',
      'a b',
      'a\0',
      'ä',
      'a\n',
      'x'.repeat(201),
    ];
    for (const key of keys) {
      await assert.rejects(store.create(key), RangeError, key);
      await assert.rejects(store.open(key), RangeError, key);
      await assert.rejects(store.delete(key), RangeError, key);
    }
  });

  test('opens nothing where there is no package', async (t) => {
    const { store } = await openStore(t);
    await put(store, 'a/b', Buffer.from('x'));
    for (const key of ['a', 'c', 'a/c', 'a/b/c']) assert.equal(await store.open(key), undefined, key);
  });

  test('streams any range of bytes and refuses others', async (t) => {
    const { store } = await openStore(t);
    const content = randomBytes(600_000);
    await put(store, KEY, content);
    const ranges = [
      [0, 600_000],
      [0, 0],
      [600_000, 600_000],
      [1, 2],
      [262_143, 262_145],
      [599_999, 600_000],
      [100, 560_000],
    ] as const;
    for (const [from, until] of ranges) {
      const opened = (await store.open(KEY))!;
      assert.equal(opened.bytes, 600_000);
      assert.deepEqual(await buffer(opened.stream({ from, until })), content.subarray(from, until));
    }
    const opened = (await store.open(KEY))!;
    for (const [from, until] of [
      [-1, 5],
      [5, 4],
      [0, 600_001],
    ] as const) {
      assert.throws(() => opened.stream({ from, until }), RangeError);
    }
    await opened.close();
    await opened.close();
    assert.equal(await openFilesBelow(store, t), 0);
  });

  test('reads a package to its end although it is deleted meanwhile', async (t) => {
    const { store, folder } = await openStore(t);
    const content = randomBytes(3_000_000);
    await put(store, KEY, content);
    const stream = (await store.open(KEY))!.stream({ from: 0, until: content.length });
    await once(stream, 'readable');
    await store.delete(KEY);
    assert.deepEqual(await readdir(folder), []);
    assert.equal(await store.open(KEY), undefined);
    assert.deepEqual(await buffer(stream), content);
  });

  test('closes the file when the reader goes away, before or after the first byte', async (t) => {
    const { store } = await openStore(t);
    await put(store, KEY, randomBytes(2_000_000));
    const unread = (await store.open(KEY))!.stream({ from: 0, until: 2_000_000 });
    const halfRead = (await store.open(KEY))!.stream({ from: 0, until: 2_000_000 });
    await once(halfRead, 'readable');
    halfRead.read(1000);
    if (process.platform === 'linux') assert.equal(await openFilesBelow(store, t), 2);
    for (const stream of [unread, halfRead]) {
      stream.destroy();
      await once(stream, 'close');
    }
    assert.equal(await openFilesBelow(store, t), 0);
  });

  test('fails a stream whose file has become shorter, instead of ending it politely', async (t) => {
    const { store, folder } = await openStore(t);
    await put(store, KEY, randomBytes(1_000_000));
    const stream = (await store.open(KEY))!.stream({ from: 0, until: 1_000_000 });
    await writeFile(join(folder, KEY), 'short');
    await assert.rejects(buffer(stream), { code: 'store_corrupt' });
  });

  test('deletes a package with its empty folders, and nothing when it is not there', async (t) => {
    const { store, folder } = await openStore(t);
    await put(store, 'a/1/r1/page/x', Buffer.from('1'));
    await put(store, 'a/1/r1/visit/x', Buffer.from('2'));
    await store.delete('a/1/r1/page/x');
    await store.delete('a/1/r1/page/x');
    assert.deepEqual(await readdir(join(folder, 'a/1/r1')), ['visit']);
    await store.delete('a/1/r1/visit/x');
    assert.deepEqual(await readdir(folder), []);
    await store.delete('b/c');
  });

  test('deletes everything below a folder, unfinished packages too, but for what it is told to keep', async (t) => {
    const { store, folder } = await openStore(t);
    for (const key of ['a/1/v1/r1/x', 'a/1/v1/r2/x', 'a/1/v1/r2/page/y', 'a/1/r1/x'])
      await put(store, key, Buffer.from('1'));
    const unfinished = await store.create('a/1/v1/r2/z');
    await store.deleteUnder('a/1/v1', new Set(['r1']));
    assert.deepEqual(await filesIn(folder), ['a/1/r1/x', 'a/1/v1/r1/x']);
    await store.deleteUnder('a/1/v1');
    await store.deleteUnder('a/1/v1');
    assert.deepEqual([await filesIn(folder), await readdir(join(folder, 'a/1'))], [['a/1/r1/x'], ['r1']]);
    await assert.rejects(store.deleteUnder('../x'), RangeError);
    await unfinished.abort();
  });

  test('writes and deletes in the same folders at the same time', async (t) => {
    const { store, folder } = await openStore(t);
    const one = async (name: string): Promise<void> => {
      for (let round = 0; round < 30; round += 1) {
        await put(store, `a/h/r1/page/${name}`, Buffer.from(name));
        await store.delete(`a/h/r1/page/${name}`);
      }
    };
    await Promise.all(['w', 'x', 'y', 'z'].map(one));
    assert.deepEqual(await readdir(folder), []);
  });

  test('makes its directory when it is not there', async (t) => {
    const { folder } = await openStore(t);
    const store = await LocalPackageStore.open(join(folder, 'new/deep'));
    await put(store, 'x', Buffer.from('1'));
    assert.ok((await stat(join(folder, 'new/deep/x'))).isFile());
  });

  test('says that the disk is full and keeps nothing of the package', async (t) => {
    const mountPath = await mountSmallDisk(t, 1);
    if (mountPath === undefined) return;
    const store = await LocalPackageStore.open(mountPath);
    const sink = await store.create(KEY);
    await sink.write(Buffer.alloc(512 * 1024));
    await assert.rejects(sink.write(Buffer.alloc(1024 * 1024)), { code: 'ENOSPC' });
    await assert.rejects(sink.finish(), /is failed/);
    await sink.abort();
    assert.deepEqual(await filesIn(mountPath), []);
    await put(store, KEY, Buffer.alloc(512 * 1024)); // the space is free again
  });
});

const folders = new WeakMap<LocalPackageStore, string>();

async function openStore(t: TestContext): Promise<{ store: LocalPackageStore; folder: string }> {
  const folder = await realpath(await temporaryFolder(t));
  const store = await LocalPackageStore.open(folder);
  folders.set(store, folder);
  return { store, folder };
}

async function put(store: LocalPackageStore, key: string, content: Buffer): Promise<void> {
  const sink = await store.create(key);
  await sink.write(content);
  await sink.finish();
}

async function readAll(store: LocalPackageStore, key: string): Promise<Buffer> {
  const opened = (await store.open(key))!;
  return buffer(opened.stream({ from: 0, until: opened.bytes }));
}

/** Every file below a folder, temporary ones included. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.map((path) => path.slice(folder.length + 1)).sort();
}

/** How many files of the store this process holds open. */
async function openFilesBelow(store: LocalPackageStore, t: TestContext): Promise<number> {
  if (process.platform !== 'linux') {
    t.diagnostic('open files are counted on Linux only');
    return 0;
  }
  const targets = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith(folders.get(store)!)).length;
}
