import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PackageReader } from './package-store.ts';
import { RecentPackages } from './recent-packages.ts';

/** A store that counts what it opens and closes; a key that begins with `no` is not there. */
function countingStore() {
  const counts = { opened: 0, closed: 0 };
  const store: PackageReader = {
    open: (key) => {
      if (key.startsWith('no')) return Promise.resolve(undefined);
      counts.opened += 1;
      const close = () => {
        counts.closed += 1;
        return Promise.resolve();
      };
      const stream = (): never => assert.fail('A download reads.');
      return Promise.resolve({ bytes: 1, read: () => Promise.resolve(1), stream, close });
    },
  };
  return { store, counts };
}

describe('RecentPackages', () => {
  test('opens a package once for all readers of a second, and closes it then', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { store, counts } = countingStore();
    const packages = new RecentPackages(store);
    for (let reader = 0; reader < 3; reader += 1) await (await packages.open('a'))!.close();
    assert.deepEqual(counts, { opened: 1, closed: 0 });
    t.mock.timers.tick(1_000);
    assert.deepEqual(counts, { opened: 1, closed: 1 });
    await (await packages.open('a'))!.close();
    assert.equal(counts.opened, 2);
  });

  test('closes a package that is read for longer when its last reader is done', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { store, counts } = countingStore();
    const packages = new RecentPackages(store);
    const [first, second] = [(await packages.open('a'))!, (await packages.open('a'))!];
    t.mock.timers.tick(1_000);
    await first.close();
    await first.close();
    assert.equal(counts.closed, 0);
    await second.close();
    assert.equal(counts.closed, 1);
  });

  test('keeps 64 packages open and no more, and nothing of one that is not there', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { store, counts } = countingStore();
    const packages = new RecentPackages(store);
    assert.equal(await packages.open('none'), undefined);
    for (let key = 0; key < 100; key += 1) await (await packages.open(`${key}`))!.close();
    assert.deepEqual(counts, { opened: 100, closed: 36 });
    t.mock.timers.tick(1_000);
    assert.equal(counts.closed, 100);
  });
});
