import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { newCatalogPath, openForTest, sampleProject, startTestProcess } from './catalog.test-helper.ts';

const OTHER = sampleProject({ ai: 'other-project', uid: 'AAAABBBB', createdAtMs: 1 });

describe('SqlProjectTable', () => {
  test('finds a project by its ai and by its uid as soon as it is created', async (t) => {
    const { projects } = await openForTest(t, await newCatalogPath(t));
    assert.equal(projects.findByAi('0123456789abcdef'), undefined);
    await projects.create(sampleProject());
    assert.deepEqual(projects.findByAi('0123456789abcdef'), sampleProject());
    assert.deepEqual(projects.findByUid('GPnPmxRy'), sampleProject());
    assert.equal(projects.findByAi('GPnPmxRy'), undefined);
  });

  test('finds at once a project that another process has created', async (t) => {
    const path = await newCatalogPath(t);
    const { projects } = await openForTest(t, path);
    await projects.create(OTHER);
    assert.equal(projects.findByAi('0123456789abcdef'), undefined);
    const other = await startTestProcess(t, path, 'create-project', sampleProject());
    assert.equal(await other.run(), 'created');
    assert.deepEqual(projects.findByAi('0123456789abcdef'), sampleProject());
    assert.deepEqual(projects.findByUid('GPnPmxRy'), sampleProject());
  });

  test('keeps the same objects while only other tables change', async (t) => {
    const catalog = await openForTest(t, await newCatalogPath(t));
    await catalog.projects.create(OTHER);
    const before = catalog.projects.findByAi(OTHER.ai);
    await catalog.tokens.create(OTHER.ai, 0);
    assert.equal(catalog.projects.findByAi(OTHER.ai), before);
  });

  test('lists projects with the oldest first', async (t) => {
    const { projects } = await openForTest(t, await newCatalogPath(t));
    await projects.create(sampleProject());
    await projects.create(OTHER);
    assert.deepEqual(await projects.list(), [OTHER, sampleProject()]);
  });

  test('refuses an ai or uid that is taken, and changes nothing', async (t) => {
    const { projects } = await openForTest(t, await newCatalogPath(t));
    await projects.create(sampleProject());
    await assert.rejects(projects.create({ ...OTHER, ai: '0123456789abcdef' }), {
      code: 'project_exists',
      message: 'There is a project with the ai 0123456789abcdef already.',
    });
    await assert.rejects(projects.create({ ...OTHER, uid: 'GPnPmxRy' }), {
      code: 'project_exists',
      message: 'There is a project with the uid GPnPmxRy already.',
    });
    assert.equal((await projects.list()).length, 1);
  });

  test('lets two projects share a public key', async (t) => {
    const { projects } = await openForTest(t, await newCatalogPath(t));
    await projects.create(sampleProject());
    await projects.create({ ...OTHER, clientId: sampleProject().clientId });
    assert.equal((await projects.list()).length, 2);
  });

  test('refuses keys that no path or token call could carry', async (t) => {
    const { projects } = await openForTest(t, await newCatalogPath(t));
    const malformed = [
      { ai: '' },
      { ai: 'a'.repeat(65) },
      { ai: '../etc' },
      { ai: 'abc\n' },
      { uid: 'SHORT' },
      { uid: 'GPnPmxR_' },
      { clientId: '' },
      { secret: '' },
    ];
    for (const change of malformed) {
      await assert.rejects(projects.create(sampleProject(change)), { code: 'bad_request' }, JSON.stringify(change));
    }
    assert.deepEqual(await projects.list(), []);
  });

  test('finds in the same turn a project that was made after the turn has looked, and within a millisecond any change', async (t) => {
    const path = await newCatalogPath(t);
    const catalog = await openForTest(t, path);
    await catalog.projects.create(sampleProject());
    const { ai } = sampleProject();
    using other = new DatabaseSync(path);
    const change = (column: string, value: string): void =>
      other.exec(`UPDATE project SET ${column} = '${value}'; UPDATE project_version SET version = version + 1`);
    let nowMs = 1_000;
    t.mock.method(performance, 'now', () => nowMs);
    assert.equal(catalog.projects.findInTurn(ai)?.ai, ai);
    change('ai', 'fresh-one');
    assert.equal(catalog.projects.findInTurn('fresh-one')?.ai, 'fresh-one');
    change('name', 'Another');
    nowMs += 1;
    assert.equal(catalog.projects.findInTurn('fresh-one')?.name, 'Another');
  });
});
