import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import type { TokenTable } from './catalog.ts';
import { NEW_YEAR_MS, openWithProject, sampleProject } from './catalog.test-helper.ts';

const DAY_MS = 24 * 3_600_000;

async function countLiving(tokens: TokenTable, made: readonly string[]): Promise<number> {
  const found = await Promise.all(made.map((token) => tokens.findProject(token, NEW_YEAR_MS)));
  return found.filter((project) => project !== undefined).length;
}

describe('SqlTokenTable', () => {
  test('makes tokens of 64 letters and digits that open their project', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const token = await catalog.tokens.create(ai, NEW_YEAR_MS);
    assert.match(token, /^[0-9A-Za-z]{64}$/);
    assert.deepEqual(await catalog.tokens.findProject(token, NEW_YEAR_MS), sampleProject());
  });

  test('draws on all 62 characters', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const made: string[] = [];
    for (let count = 0; count < 60; count += 1) made.push(await catalog.tokens.create(ai, NEW_YEAR_MS));
    assert.equal(new Set(made.join('')).size, 62);
    assert.equal(new Set(made).size, 60);
  });

  test('stores the hash and not the token', async (t) => {
    const { catalog, ai, path } = await openWithProject(t);
    const token = await catalog.tokens.create(ai, NEW_YEAR_MS);
    using database = new DatabaseSync(path, { readOnly: true });
    const [row] = database.prepare('SELECT * FROM token').all();
    assert.equal(row?.hash, createHash('sha256').update(token).digest('hex'));
    assert.equal(Object.values(row).includes(token), false);
  });

  test('lets a token live for 30 days', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const token = await catalog.tokens.create(ai, NEW_YEAR_MS);
    assert.ok(await catalog.tokens.findProject(token, NEW_YEAR_MS + 30 * DAY_MS - 1));
    assert.equal(await catalog.tokens.findProject(token, NEW_YEAR_MS + 30 * DAY_MS), undefined);
  });

  test('lets the newest 20 tokens of a project live, and leaves those of others alone', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.projects.create(sampleProject({ ai: 'other', uid: 'AAAABBBB' }));
    const foreign = await catalog.tokens.create('other', NEW_YEAR_MS);
    const made: string[] = [];
    for (let count = 0; count < 22; count += 1) made.push(await catalog.tokens.create(ai, NEW_YEAR_MS));
    assert.equal(await countLiving(catalog.tokens, made.slice(0, 2)), 0);
    assert.equal(await countLiving(catalog.tokens, made.slice(2)), 20);
    assert.equal((await catalog.tokens.findProject(foreign, NEW_YEAR_MS))?.ai, 'other');
  });

  test('keeps 20 of 30 tokens that are made at the same time', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const made = await Promise.all(Array.from({ length: 30 }, () => catalog.tokens.create(ai, NEW_YEAR_MS)));
    assert.equal(await countLiving(catalog.tokens, made), 20);
  });

  test('takes the last made for the newest, even when the clock has been set back', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    for (let count = 0; count < 20; count += 1) await catalog.tokens.create(ai, NEW_YEAR_MS);
    const last = await catalog.tokens.create(ai, NEW_YEAR_MS - DAY_MS);
    assert.ok(await catalog.tokens.findProject(last, NEW_YEAR_MS));
  });

  test('deletes tokens that have ended when it makes one', async (t) => {
    const { catalog, ai, path } = await openWithProject(t);
    await catalog.tokens.create(ai, NEW_YEAR_MS);
    await catalog.tokens.create(ai, NEW_YEAR_MS + 30 * DAY_MS);
    using database = new DatabaseSync(path, { readOnly: true });
    assert.equal(database.prepare('SELECT * FROM token').all().length, 1);
  });

  test('finds nothing for a text that is no token, or another', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const token = await catalog.tokens.create(ai, NEW_YEAR_MS);
    for (const text of ['', 'x', token.slice(1), `${token} `, 'A'.repeat(64)]) {
      assert.equal(await catalog.tokens.findProject(text, NEW_YEAR_MS), undefined, text);
    }
  });

  test('refuses to make a token for an ai that has no project', async (t) => {
    const { catalog } = await openWithProject(t);
    await assert.rejects(catalog.tokens.create('nobody', NEW_YEAR_MS), { code: 'unknown_project' });
  });
});
