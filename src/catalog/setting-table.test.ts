import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addHours } from '../events/hour.ts';
import { NEW_YEAR, NEW_YEAR_MS, openForTest, openWithProject, sampleProject } from './catalog.test-helper.ts';

const NEXT = addHours(NEW_YEAR, 1);
const LATER_MS = NEW_YEAR_MS + 1;

describe('SqlSettingTable', () => {
  test('shows a change to every other process at its next question, with who made it and when', async (t) => {
    const { catalog, path, ai } = await openWithProject(t);
    const server = await openForTest(t, path);
    assert.equal(server.settings.of(ai).find('gzipLevel', NEXT), undefined);
    const values = { gzipLevel: 6, trustedProxies: ['10.0.0.0/8'] };
    await catalog.settings.change(ai, { values, fromHour: NEXT, nowMs: LATER_MS, by: 'ada' });
    assert.equal(server.settings.of(ai).find('gzipLevel', NEXT), 6);
    assert.equal(server.settings.of(ai).find('gzipLevel', NEW_YEAR), undefined);
    const made = { fromHour: NEXT, changedAtMs: LATER_MS, changedBy: 'ada' };
    assert.deepEqual(await server.settings.history(ai), [
      { setting: 'gzipLevel', value: 6, ...made },
      { setting: 'trustedProxies', value: ['10.0.0.0/8'], ...made },
    ]);
  });

  test('keeps projects apart', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const other = sampleProject({ ai: 'other', uid: 'Other123' });
    await catalog.projects.create(other);
    await catalog.settings.change(ai, { values: { export: false }, fromHour: NEXT, nowMs: LATER_MS, by: 'ada' });
    await catalog.settings.markDeletedBefore(ai, NEXT);
    assert.ok(!catalog.settings.of(ai).isExported(NEXT));
    assert.ok(catalog.settings.of(other.ai).isExported(NEXT));
    assert.equal(catalog.settings.of(ai).keptFrom(0, 1), NEXT);
    assert.ok(catalog.settings.of(other.ai).keptFrom(0, 1) < NEW_YEAR);
    assert.deepEqual(await catalog.settings.history(other.ai), []);
  });

  test('refuses a value that does not fit and a project that is none, and changes nothing', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const facts = { fromHour: NEXT, nowMs: LATER_MS, by: 'ada' };
    for (const values of [{ gzipLevel: 10 }, { packageBytes: 64 * 1024 * 1024 + 1 }, { retentionDays: 0.5 }]) {
      await assert.rejects(catalog.settings.change(ai, { values: { callLimit: 1, ...values }, ...facts }), {
        code: 'bad_request',
      });
    }
    await assert.rejects(catalog.settings.change('nobody', { values: { callLimit: 1 }, ...facts }), {
      code: 'unknown_project',
    });
    assert.deepEqual(await catalog.settings.history(ai), []);
    assert.ok(!catalog.settings.of('nobody').isExported(NEXT));
  });

  test('never takes back what retention has deleted', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.settings.markDeletedBefore(ai, NEXT);
    await catalog.settings.markDeletedBefore(ai, NEW_YEAR);
    assert.equal(catalog.settings.of(ai).keptFrom(0, 1), NEXT);
  });
});
