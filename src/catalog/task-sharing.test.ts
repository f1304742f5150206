/** Tasks and manifests shared by real processes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addHours, type Hour } from '../events/hour.ts';
import type { ClaimedTask } from './catalog.ts';
import { hoursFrom, NEW_YEAR, NEW_YEAR_MS, openWithProject, startTestProcess } from './catalog.test-helper.ts';
import { buildPublicManifest, findManifestFault } from './public-manifest.ts';

const LEASE = { nowMs: NEW_YEAR_MS, leaseMs: 60_000 };

describe('tasks shared by processes', () => {
  test('are claimed once each by two processes and this one', async (t) => {
    const { catalog, ai, path } = await openWithProject(t);
    await catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 200), NEW_YEAR_MS);
    const others = await Promise.all([1, 2].map(() => startTestProcess(t, path, 'claim-all', LEASE)));
    const answers = Promise.all(others.map((other) => other.run<Hour[]>()));
    const here: Hour[] = [];
    for (let task; (task = await catalog.tasks.claim(LEASE));) here.push(task.hour);
    const claimed = [...here, ...(await answers).flat()];
    assert.equal(claimed.length, 200);
    assert.equal(new Set(claimed).size, 200);
  });

  test('go to another when the process that holds the lease is killed, not before the lease ends', async (t) => {
    const { catalog, ai, path } = await openWithProject(t);
    await catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 1), NEW_YEAR_MS);
    const other = await startTestProcess(t, path, 'hold-task', LEASE);
    const held = await other.run<ClaimedTask>();
    other.child.kill('SIGKILL');
    await other.ended;
    assert.equal(await catalog.tasks.claim({ ...LEASE, nowMs: NEW_YEAR_MS + 59_999 }), undefined);
    const taken = await catalog.tasks.claim({ ...LEASE, nowMs: NEW_YEAR_MS + 60_000 });
    assert.equal(taken?.hour, held.hour);
    assert.equal(taken.attempts, 2);
    assert.equal(await catalog.tasks.extend(held, NEW_YEAR_MS + 10 ** 9), false);
  });

  test('are published by two processes into one log without gaps', async (t) => {
    const { catalog, ai, path } = await openWithProject(t);
    await catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 60), NEW_YEAR_MS);
    const others = await Promise.all([1, 2].map(() => startTestProcess(t, path, 'publish-all', LEASE)));
    const counts = await Promise.all(others.map((other) => other.run<number>()));
    assert.equal(counts[0]! + counts[1]!, 60);
    const hours = Array.from({ length: 60 }, (_, index) => addHours(NEW_YEAR, index));
    const manifests = await Promise.all(hours.map((hour) => catalog.manifests.newest(ai, hour)));
    const log = manifests.map((manifest) => buildPublicManifest(manifest!)).sort((a, b) => a.seq - b.seq);
    assert.equal(findManifestFault(log, catalog.serverKeys.publicKeyPem), undefined);
    assert.equal(log.at(-1)?.seq, 60);
  });

  test('are not published in part when the process is killed in the middle of it', async (t) => {
    const { catalog, ai, path } = await openWithProject(t);
    await catalog.tasks.ensure(ai, hoursFrom(NEW_YEAR, 1), NEW_YEAR_MS);
    const other = await startTestProcess(t, path, 'die-publishing', LEASE);
    await assert.rejects(other.run(), /SIGKILL/);
    assert.equal(await catalog.manifests.newest(ai, NEW_YEAR), undefined);
    assert.equal(await catalog.manifests.nextRevision(ai, NEW_YEAR), 1);
    const [task] = await catalog.tasks.list(ai, hoursFrom(NEW_YEAR, 1));
    assert.equal(task?.status, 'running');
    assert.ok(await catalog.tasks.claim({ ...LEASE, nowMs: NEW_YEAR_MS + 60_000 }));
  });
});
