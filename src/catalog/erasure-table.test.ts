import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hourFromInteger } from '../events/hour.ts';
import { atEnd } from '../../test/helpers/at-end.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { TEST_PROJECT } from '../../test/helpers/test-server.ts';
import type { Catalog } from './catalog.ts';
import { findCertificateFault, hashVisitor, signCertificate } from './erasure-certificate.ts';
import { openCatalog } from './open-catalog.ts';

const { ai, secret } = TEST_PROJECT;
const HOUR = hourFromInteger(500_000);

async function openWithProject(t: TestContext): Promise<{ readonly catalog: Catalog; readonly path: string }> {
  const path = join(await temporaryFolder(t), 'catalog.sqlite');
  const catalog = await openCatalog({ path });
  atEnd(t, () => catalog.close());
  await catalog.projects.create(TEST_PROJECT);
  return { catalog, path };
}

/** Says whether any of the catalog's files holds a text. */
async function holds(path: string, text: string): Promise<boolean> {
  for (const name of await readdir(dirname(path)))
    if ((await readFile(join(dirname(path), name))).includes(text)) return true;
  return false;
}

describe('SqlErasureTable', () => {
  it('keeps the ids until they are forgotten, and then no byte of them, whatever other erasures keep', async (t) => {
    const { catalog, path } = await openWithProject(t);
    const { erasures } = catalog;
    // Long and short lists, so that pages are split and filled again.
    const made = [];
    for (let place = 0; place < 12; place += 1) {
      const visitorIds = Array.from(
        { length: place % 3 === 0 ? 100 : 3 },
        (_, n) => `gone-${place}-${n}-${randomBytes(20).toString('hex')}`,
      );
      made.push({ ...(await erasures.create({ ai, visitorIds, nowMs: 1_000 + place })), visitorIds });
    }
    for (const [place, { id }] of made.entries()) {
      assert.ok(await holds(path, `gone-${place}-1-`));
      await erasures.forgetVisitors(id);
      assert.equal(await erasures.wipeDeleted(), true);
      assert.equal(await holds(path, `gone-${place}-`), false, `erasure ${place}`);
      for (const other of made.slice(place + 1)) {
        const found = (await erasures.listUnfinished()).find((candidate) => candidate.id === other.id);
        assert.deepEqual(found?.visitorIds, other.visitorIds);
      }
    }
  });

  it('says that it is to be tried again while another connection is in the way', async (t) => {
    const { catalog, path } = await openWithProject(t);
    const { DatabaseSync } = await import('node:sqlite');
    using other = new DatabaseSync(path, { readOnly: true });
    other.exec('BEGIN');
    other.prepare('SELECT count(*) FROM project').get();
    await catalog.erasures.create({ ai, visitorIds: ['u'], nowMs: 1 });
    assert.equal(await catalog.erasures.wipeDeleted(), false);
    other.exec('COMMIT');
    assert.equal(await catalog.erasures.wipeDeleted(), true);
  });

  it('keeps what the first try of an hour has recorded, until it is marked', async (t) => {
    const { erasures } = (await openWithProject(t)).catalog;
    const { id } = await erasures.create({ ai, visitorIds: ['u'], nowMs: 1 });
    const before = { revision: 3, hash: 'a'.repeat(64) };
    assert.equal(await erasures.isBegun(id, HOUR), false);
    await erasures.recordHour(id, { hour: HOUR, rows: { page: 5 }, before });
    await erasures.recordHour(id, { hour: HOUR, rows: { page: 1 }, before: null });
    assert.equal(await erasures.isBegun(id, HOUR), true);
    await erasures.markErased(id, HOUR);
    assert.equal(await erasures.isBegun(id, HOUR), false);
    assert.deepEqual(await erasures.listHours(id), [{ hour: HOUR, rows: { page: 5 }, before }]);
  });

  it('lists by project, and refuses one that is not there', async (t) => {
    const { erasures } = (await openWithProject(t)).catalog;
    const { id } = await erasures.create({ ai, visitorIds: ['u'], nowMs: 1 });
    await erasures.update(id, { nextHour: HOUR, failedHours: [HOUR], error: 'why' });
    const erasure = await erasures.read(ai, id);
    assert.deepEqual([erasure?.nextHour, erasure?.failedHours, erasure?.error], [HOUR, [HOUR], 'why']);
    assert.deepEqual(erasure?.visitorHashes, [hashVisitor(secret, ai, 'u')]);
    assert.equal(await erasures.read('other', id), undefined);
    assert.deepEqual(await erasures.listUnfinished('other'), []);
    await assert.rejects(erasures.create({ ai: 'other', visitorIds: ['u'], nowMs: 1 }), { code: 'unknown_project' });
  });
});

describe('a certificate', () => {
  it('cannot be changed, or signed by another key', async (t) => {
    const { catalog } = await openWithProject(t);
    const { signingKeyPem, publicKeyPem } = catalog.serverKeys;
    const instant = '2026-11-23T04:00:00.000Z';
    const certificate = signCertificate(
      {
        version: 1,
        receiptId: 'a'.repeat(24),
        ai,
        requestedAt: instant,
        erasedUntil: instant,
        doneAt: instant,
        visitors: [hashVisitor(secret, ai, 'u')],
        hours: [],
      },
      signingKeyPem,
    );
    assert.equal(findCertificateFault(certificate, publicKeyPem), undefined);
    assert.match(findCertificateFault({ ...certificate, visitors: [] }, publicKeyPem) ?? '', /does not hash to/);
    const other = await openWithProject(t);
    assert.match(
      findCertificateFault(certificate, other.catalog.serverKeys.publicKeyPem) ?? '',
      /not signed by this key/,
    );
  });
});
