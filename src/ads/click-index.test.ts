import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { atEnd } from '../../test/helpers/at-end.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import type { IndexedClick } from './click-index-file.ts';
import { ClickIndex } from './click-index.ts';

const NOW_MS = 1_795_407_000_000;
const keyOf = (place: number): Buffer => Buffer.from(String(place).padStart(12, '.'));
const clickOf = (place: number): IndexedClick => ({
  keys: [keyOf(place)],
  timeMs: NOW_MS,
  linkId: `link-${place}`,
  variables: null,
});

async function openIndex(t: TestContext): Promise<{ index: ClickIndex; path: string }> {
  const path = join(await temporaryFolder(t), 'ads.sqlite');
  const index = new ClickIndex({ path, syncs: true });
  atEnd(t, () => index.close());
  return { index, path };
}

/** The links that these clicks are found with; undefined where there is none. */
async function linksOf(index: ClickIndex, places: readonly number[]): Promise<readonly (string | undefined)[]> {
  const claims = places.map((place) => ({
    deviceKeys: [Buffer.from(`device${place}`.padEnd(12))],
    rowId: Buffer.alloc(16, place),
    searchKeys: [keyOf(place)],
  }));
  const answers = await index.claim(claims, NOW_MS + 1);
  return (answers ?? []).map((answer) => (answer.isRepeated ? 'repeated' : answer.click?.linkId));
}

describe('ClickIndex', () => {
  it('adds clicks one after the other and many at once', async (t) => {
    const { index } = await openIndex(t);
    for (let place = 0; place < 20; place += 1) await index.add(clickOf(place));
    await Promise.all(Array.from({ length: 3_000 }, (_, place) => index.add(clickOf(100 + place))));
    assert.deepEqual(await linksOf(index, [0, 19, 100, 3_099, 5_000]), [
      'link-0',
      'link-19',
      'link-100',
      'link-3099',
      undefined,
    ]);
  });

  it('takes no more clicks than its bound while they wait, and refuses none that it took', async (t) => {
    const { index } = await openIndex(t);
    const adding: Promise<void>[] = [];
    while (!index.isFull) adding.push(index.add(clickOf(adding.length)));
    await assert.rejects(index.add(clickOf(0)), { code: 'overloaded' });
    assert.equal(adding.length, 20_000);
    await Promise.all(adding);
    assert.equal(index.isFull, false);
  });

  it('says why it cannot be used, and works when that is mended', async (t) => {
    const { index, path } = await openIndex(t);
    await mkdir(path);
    await assert.rejects(index.add(clickOf(1)), {
      code: 'store_unavailable',
      message: /The click index .*ads\.sqlite cannot be used now/,
    });
    await rm(path, { recursive: true });
    await index.add(clickOf(1));
    assert.deepEqual(await linksOf(index, [1]), ['link-1']);
  });

  it('finishes what was asked when it is closed, and refuses what comes behind', async (t) => {
    const { index, path } = await openIndex(t);
    const added = Promise.all([index.add(clickOf(1)), index.add(clickOf(2))]);
    await index.close();
    await added;
    await assert.rejects(index.add(clickOf(3)), { code: 'store_unavailable' });
    const again = new ClickIndex({ path, syncs: true });
    atEnd(t, () => again.close());
    assert.deepEqual(await linksOf(again, [1, 2]), ['link-1', 'link-2']);
  });
});
