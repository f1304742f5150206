import assert from 'node:assert/strict';
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { atEnd } from '../../test/helpers/at-end.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { ClickIndexFile, LEASE_MS, snapshotClickIndex, type ActivationClaim } from './click-index-file.ts';
import { ATTRIBUTION_MS } from '../events/click-owner.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 4);
const DAY_MS = 86_400_000;
const key = (text: string): Buffer => Buffer.from(text.padEnd(12, '.'));
const rowId = (text: string): Buffer => Buffer.from(text.padEnd(16, '.'));

async function openIndex(t: TestContext): Promise<{ path: string; index: ClickIndexFile }> {
  const path = join(await temporaryFolder(t), 'ads.sqlite');
  const index = ClickIndexFile.open({ path, syncs: true });
  atEnd(t, () => {
    index.close();
  });
  return { path, index };
}

function addClick(index: ClickIndexFile, keys: readonly string[], linkId: string, timeMs = NOW_MS): void {
  index.addClicks([{ keys: keys.map(key), timeMs, linkId, variables: null }]);
}

/** The link that an activation with these search keys gets; its device is new. */
let devices = 0;
function linkOf(index: ClickIndexFile, keys: readonly string[], nowMs = NOW_MS + 1): string | null {
  devices += 1;
  const device = `d-${devices}`;
  const claim = { deviceKeys: [key(device)], rowId: rowId(device), searchKeys: keys.map(key) };
  const [decision] = index.claim([claim], nowMs) ?? [];
  assert.ok(decision && !decision.isRepeated);
  return decision.click?.linkId ?? null;
}

const claimOf = (device: string, row = device): ActivationClaim => ({
  deviceKeys: [key(device)],
  rowId: rowId(row),
  searchKeys: [],
});

/** What becomes of activations that come together. */
function claim(index: ClickIndexFile, claims: readonly ActivationClaim[], nowMs = NOW_MS): string {
  const answer = index.claim(claims, nowMs);
  return answer ? answer.map(({ isRepeated }) => (isRepeated ? 'repeated' : 'first')).join() : 'busy';
}

describe('clicks', () => {
  it('are found by any of their keys, the last one of each', async (t) => {
    const { index } = await openIndex(t);
    addClick(index, ['imei', 'origin'], 'link-1');
    addClick(index, ['origin'], 'link-2', NOW_MS + 1);
    assert.equal(linkOf(index, ['imei']), 'link-1');
    assert.equal(linkOf(index, ['origin']), 'link-2');
    assert.equal(linkOf(index, ['other']), null);
  });

  it('are looked for by the first key that has one, even if another has a later one', async (t) => {
    const { index } = await openIndex(t);
    addClick(index, ['imei'], 'link-1', NOW_MS - 10 * DAY_MS);
    addClick(index, ['origin'], 'link-2', NOW_MS);
    assert.equal(linkOf(index, ['imei', 'origin']), 'link-1');
    assert.equal(linkOf(index, ['none', 'origin']), 'link-2');
  });

  it('stay the last where an earlier one comes in behind it', async (t) => {
    const { index } = await openIndex(t);
    addClick(index, ['imei'], 'later', NOW_MS);
    addClick(index, ['imei'], 'earlier', NOW_MS - 1);
    assert.equal(linkOf(index, ['imei']), 'later');
  });

  it('count for 15 days, to the millisecond, and are the last of any day', async (t) => {
    const { index } = await openIndex(t);
    addClick(index, ['imei'], 'first', NOW_MS);
    assert.equal(linkOf(index, ['imei'], NOW_MS + ATTRIBUTION_MS - 1), 'first');
    assert.equal(linkOf(index, ['imei'], NOW_MS + ATTRIBUTION_MS), null);
    addClick(index, ['imei'], 'second', NOW_MS + 3 * DAY_MS);
    assert.equal(linkOf(index, ['imei'], NOW_MS + 4 * DAY_MS), 'second');
  });

  it('are deleted when none of their day counts any more, and none before', async (t) => {
    const { index, path } = await openIndex(t);
    for (let day = 0; day <= 20; day += 1) addClick(index, ['imei'], `link-${day}`, NOW_MS + day * DAY_MS);
    const nowMs = NOW_MS + 20 * DAY_MS;
    addClick(index, ['old'], 'old', nowMs - ATTRIBUTION_MS + 1);
    index.deleteBefore(nowMs - ATTRIBUTION_MS);
    assert.equal(linkOf(index, ['old'], nowMs), 'old');
    using database = new DatabaseSync(path, { readOnly: true });
    const tables = database.prepare(`SELECT count(*) AS n FROM sqlite_master WHERE name GLOB 'click_*'`).get();
    assert.equal(tables?.n, 16);
    addClick(index, ['again'], 'again', nowMs);
    assert.equal(linkOf(index, ['again'], nowMs), 'again');
  });
});

describe('activations', () => {
  it('count once for a device in 15 days, whatever event repeats it', async (t) => {
    const { index } = await openIndex(t);
    assert.equal(claim(index, [claimOf('a')]), 'first');
    index.confirm([claimOf('a')]);
    assert.equal(claim(index, [claimOf('a')]), 'repeated');
    assert.equal(claim(index, [claimOf('a', 'another event')], NOW_MS + ATTRIBUTION_MS - 1), 'repeated');
    assert.equal(claim(index, [claimOf('a', 'another event')], NOW_MS + ATTRIBUTION_MS), 'first');
  });

  it('are of the same device when they share one id of several', async (t) => {
    const { index } = await openIndex(t);
    const first = { deviceKeys: [key('imei'), key('oaid')], rowId: rowId('1'), searchKeys: [] };
    assert.equal(claim(index, [first]), 'first');
    index.confirm([first]);
    assert.equal(claim(index, [{ ...first, deviceKeys: [key('idfa'), key('oaid')], rowId: rowId('2') }]), 'repeated');
    assert.equal(claim(index, [{ ...first, deviceKeys: [key('idfa')], rowId: rowId('2') }]), 'first');
  });

  it('count once for a device in one request', async (t) => {
    const { index } = await openIndex(t);
    assert.equal(
      claim(index, [claimOf('a'), claimOf('a'), claimOf('a', 'other'), claimOf('b')]),
      'first,repeated,repeated,first',
    );
  });

  it('are taken again when the same event is sent again and no row was confirmed', async (t) => {
    const { index } = await openIndex(t);
    assert.equal(claim(index, [claimOf('a')]), 'first');
    assert.equal(claim(index, [claimOf('a')]), 'first');
    index.confirm([claimOf('a')]);
    assert.equal(claim(index, [claimOf('a')]), 'repeated');
  });

  it('wait for another of the device that is on its way, and take its place when it was lost', async (t) => {
    const { index } = await openIndex(t);
    assert.equal(claim(index, [claimOf('a')]), 'first');
    assert.equal(claim(index, [claimOf('b'), claimOf('a', 'other')]), 'busy');
    assert.equal(
      claim(index, [claimOf('b', 'other')]),
      'first',
      'what was claimed beside a busy device was given back',
    );
    assert.equal(claim(index, [claimOf('a', 'other')], NOW_MS + LEASE_MS), 'first');
    index.release([claimOf('a')]); // of the one that lost its place: changes nothing
    assert.equal(claim(index, [claimOf('a', 'third')], NOW_MS + LEASE_MS), 'busy');
  });

  it('are free again when they were released, but not when they were confirmed', async (t) => {
    const { index } = await openIndex(t);
    claim(index, [claimOf('a')]);
    index.release([claimOf('a')]);
    assert.equal(claim(index, [claimOf('a', 'other')]), 'first');
    index.confirm([claimOf('a', 'other')]);
    index.release([claimOf('a', 'other')]);
    assert.equal(claim(index, [claimOf('a', 'third')]), 'repeated');
  });

  it('are forgotten with their clicks', async (t) => {
    const { index } = await openIndex(t);
    claim(index, [claimOf('a')]);
    index.confirm([claimOf('a')]);
    addClick(index, ['a'], 'link-1', NOW_MS - 2 * DAY_MS);
    addClick(index, ['a', 'b'], 'link-2');
    addClick(index, ['a'], 'link-3', NOW_MS + 1);
    index.forget([{ key: key('a'), fromMs: 0, untilMs: NOW_MS }]);
    assert.equal(linkOf(index, ['a'], NOW_MS + 2), 'link-3', 'what came in later stays');
    index.forget([{ key: key('a'), fromMs: NOW_MS + 1, untilMs: NOW_MS + 1 }]);
    assert.equal(linkOf(index, ['a']), null);
    assert.equal(linkOf(index, ['b']), 'link-2');
    assert.equal(claim(index, [claimOf('a', 'other')]), 'first');
  });

  it('leave no copy in pages that a sweep gave free, when the file is wiped', async (t) => {
    const { index, path } = await openIndex(t);
    const swept = Array.from({ length: 2_000 }, (_, place) => `old-${place}`);
    addClick(index, swept, 'link-1', NOW_MS - 20 * DAY_MS);
    addClick(index, ['young'], 'link-2');
    index.deleteBefore(NOW_MS - ATTRIBUTION_MS);
    assert.equal(index.wipe(), true);
    const bytes = await readFile(path);
    assert.deepEqual(
      swept.filter((name) => bytes.includes(key(name))),
      [],
    );
    assert.equal(linkOf(index, ['young']), 'link-2');
    using database = new DatabaseSync(path, { readOnly: true });
    assert.deepEqual({ ...database.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' });
    assert.equal(database.prepare(`SELECT count(*) AS n FROM sqlite_master WHERE name = 'filler'`).get()?.n, 0);
  });

  it('are deleted when they do not count any more', async (t) => {
    const { index, path } = await openIndex(t);
    for (let device = 0; device < 12_000; device += 1_000)
      claim(
        index,
        Array.from({ length: 1_000 }, (_, place) => claimOf(`d${device + place}`)),
      );
    claim(index, [claimOf('young')], NOW_MS + 1);
    index.deleteBefore(NOW_MS + 1);
    using database = new DatabaseSync(path, { readOnly: true });
    assert.equal(database.prepare('SELECT count(*) AS n FROM device').get()?.n, 1);
  });
});

describe('the file', () => {
  it('is shared by several processes, each of which sees at once what another has written', async (t) => {
    const { index, path } = await openIndex(t);
    const other = ClickIndexFile.open({ path, syncs: true });
    atEnd(t, () => {
      other.close();
    });
    addClick(index, ['imei'], 'link-1');
    assert.equal(linkOf(other, ['imei']), 'link-1');
    assert.equal(claim(index, [claimOf('a')]), 'first');
    assert.equal(claim(other, [claimOf('a', 'other')]), 'busy');
    index.deleteBefore(NOW_MS + 30 * DAY_MS);
    addClick(other, ['imei'], 'link-2');
    assert.equal(linkOf(index, ['imei']), 'link-2');
  });

  it('is for its owner alone, in a backup too', async (t) => {
    const { index, path } = await openIndex(t);
    addClick(index, ['imei'], 'link-1');
    snapshotClickIndex(path, `${path}.copy`);
    for (const each of [path, `${path}-wal`, `${path}.copy`])
      assert.equal((await stat(each)).mode & 0o777, 0o600, each);
    const copy = ClickIndexFile.open({ path: `${path}.copy`, syncs: true });
    assert.equal(linkOf(copy, ['imei']), 'link-1');
    copy.close();
  });

  it('is refused when a newer version wrote it, or when it is damaged', async (t) => {
    const { path } = await openIndex(t);
    const newer = new DatabaseSync(path);
    newer.exec('PRAGMA user_version = 2');
    newer.close();
    assert.throws(() => ClickIndexFile.open({ path, syncs: true }), { code: 'format_too_new' });
    assert.throws(
      () => {
        snapshotClickIndex(path, `${path}.copy`);
      },
      { code: 'format_too_new' },
    );
    const damaged = join(await temporaryFolder(t), 'ads.sqlite');
    await writeFile(damaged, 'no database'.repeat(1_000));
    assert.throws(() => ClickIndexFile.open({ path: damaged, syncs: true }), {
      code: 'store_corrupt',
      message: /click index/,
    });
    await truncate(damaged, 0); // as a crash leaves a file that was just made
    ClickIndexFile.open({ path: damaged, syncs: true }).close();
  });
});
