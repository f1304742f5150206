import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { atEnd } from '../../test/helpers/at-end.ts';
import { eventBatch } from '../../test/helpers/event-rows.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { NEW_YEAR, NEW_YEAR_MS, openWithProject, publishHour } from '../catalog/catalog.test-helper.ts';
import type { Catalog, ClaimedTask } from '../catalog/catalog.ts';
import { FakeClock } from '../../test/helpers/fake-clock.ts';
import { HourLog } from '../store/hour-log/hour-log.ts';
import { HourLogReader } from '../store/hour-log/hour-log-reader.ts';
import { ImportWriter } from '../store/hour-log/import-writer.ts';
import { importFolder } from '../store/hour-log/layout.ts';
import { storeJobsInPlace } from '../store/hour-log/store-jobs.ts';
import { ImportRecovery } from './recover-imports.ts';

/** An hour that was published without rows, and an import into it that was committed after that. */
async function importAfterPublishing(t: TestContext): Promise<{ catalog: Catalog; ai: string; root: string }> {
  const { catalog, ai } = await openWithProject(t);
  await publishHour(catalog, ai, NEW_YEAR, []);
  const root = join(await temporaryFolder(t), 'hour-log');
  const log = await HourLog.open({ root, clock: new FakeClock(NEW_YEAR_MS), jobs: storeJobsInPlace });
  atEnd(t, () => log.close());
  const writer = await ImportWriter.begin({ root, ai, jobs: storeJobsInPlace });
  const { receipts, ...batch } = eventBatch(ai, [{ id: 'a' }]);
  const imported = { line: 'import', received: 1, ignored: 0, rows: 0 } as const;
  await writer.append({ ...batch, receipts: [...receipts, imported] }, NEW_YEAR_MS);
  await writer.commit();
  return { catalog, ai, root };
}

function openRecovery(catalog: Catalog, reader: HourLogReader, clock = new FakeClock(NEW_YEAR_MS)): ImportRecovery {
  return new ImportRecovery({ catalog, reader, clock, logger: pino({ level: 'silent' }) });
}

describe('ImportRecovery', () => {
  it('has an hour exported again whose import was committed and not exported', async (t) => {
    const { catalog, ai, root } = await importAfterPublishing(t);
    await openRecovery(catalog, new HourLogReader(root)).recoverAll();
    assert.ok(await catalog.tasks.claim({ nowMs: NEW_YEAR_MS, leaseMs: 1_000, ai, hours: [NEW_YEAR] }));
  });

  it('leaves an hour alone whose imported rows retention has deleted, as a restored data directory may have it', async (t) => {
    const { catalog, ai, root } = await importAfterPublishing(t);
    const reader = new HourLogReader(root);
    const [{ id, commit } = { id: '', commit: undefined }] = reader.committedImports();
    for (const run of commit!.hours[0]!.runs) await rm(join(importFolder(root, id), run));
    await openRecovery(catalog, reader).recoverAll();
    assert.equal(await catalog.tasks.claim({ nowMs: NEW_YEAR_MS, leaseMs: 1_000, ai, hours: [NEW_YEAR] }), undefined);
  });

  it('has an hour exported again whose back-fill was committed and not exported, and no more once it was', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await publishHour(catalog, ai, NEW_YEAR, []);
    const root = join(await temporaryFolder(t), 'hour-log');
    const log = await HourLog.open({ root, clock: new FakeClock(NEW_YEAR_MS), jobs: storeJobsInPlace });
    atEnd(t, () => log.close());
    const writer = await ImportWriter.begin({ root, ai, jobs: storeJobsInPlace });
    const { receipts: _receipts, ...batch } = eventBatch(ai, [{ id: 'a', kind: 'action_tag' }]);
    await writer.append(
      { ...batch, receipts: [{ line: 'action_tag', received: 0, ignored: 0, rows: 1 }] },
      NEW_YEAR_MS,
    );
    await writer.commit();
    const reader = new HourLogReader(root);
    const claim = { nowMs: NEW_YEAR_MS, leaseMs: 1_000, ai, hours: [NEW_YEAR] };
    await openRecovery(catalog, reader).recoverAll();
    const task = await catalog.tasks.claim(claim);
    assert.ok(task);
    const rows = { action_tag: { made: 1, exported: 1, duplicates: 0 } };
    const facts = { schemaVersion: 1, codec: 'zlib', ledger: { events: {}, rows, imported: 0 } } as const;
    await catalog.manifests.publish(task, { revision: 2, facts, packages: [], nowMs: NEW_YEAR_MS });
    await openRecovery(catalog, reader).recoverAll();
    assert.equal(await catalog.tasks.claim(claim), undefined);
  });

  it('has an hour exported again beside a running server, whose import counted and died, once it had time to do so itself', async (t) => {
    const { catalog, ai, root } = await importAfterPublishing(t);
    const clock = new FakeClock(NEW_YEAR_MS);
    const recovery = openRecovery(catalog, new HourLogReader(root), clock);
    const claim = (): Promise<ClaimedTask | undefined> =>
      catalog.tasks.claim({ nowMs: clock.nowMs(), leaseMs: 1_000, ai, hours: [NEW_YEAR] });
    await recovery.look();
    clock.set(NEW_YEAR_MS + 29_999);
    await recovery.look();
    assert.equal(await claim(), undefined);
    clock.set(NEW_YEAR_MS + 30_000);
    await recovery.look();
    assert.ok(await claim());
  });

  it('leaves a task alone that an import has made itself, until it has ended', async (t) => {
    const { catalog, ai, root } = await importAfterPublishing(t);
    const clock = new FakeClock(NEW_YEAR_MS);
    const recovery = openRecovery(catalog, new HourLogReader(root), clock);
    await recovery.look();
    await catalog.tasks.restart(ai, [NEW_YEAR], NEW_YEAR_MS);
    const task = await catalog.tasks.claim({ nowMs: NEW_YEAR_MS, leaseMs: 60_000, ai, hours: [NEW_YEAR] });
    clock.set(NEW_YEAR_MS + 30_000);
    await recovery.look();
    assert.ok(await catalog.tasks.extend(task!, NEW_YEAR_MS + 60_000), 'who exports the hour goes on');
    const ledger = { events: {}, rows: {}, imported: 1 };
    const facts = { schemaVersion: 2, codec: 'zlib', ledger } as const;
    await catalog.manifests.publish(task!, { revision: 2, facts, packages: [], nowMs: NEW_YEAR_MS });
    await recovery.look();
    const after = await catalog.tasks.claim({ nowMs: NEW_YEAR_MS, leaseMs: 1_000, ai, hours: [NEW_YEAR] });
    assert.equal(after, undefined);
  });
});
