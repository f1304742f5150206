import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { newCatalogPath, NEW_YEAR_MS, openForTest, openWithProject, sampleProject } from './catalog.test-helper.ts';

const TARGET = 'https://shop.example.com/';
const OTHER = sampleProject({ ai: 'other-project', uid: 'AAAABBBB' });

describe('SqlLinkTable', () => {
  test('finds a link as soon as it is made, by this connection and by any other', async (t) => {
    const { catalog, path, ai } = await openWithProject(t);
    const other = await openForTest(t, path);
    const draft = { ai, name: 'Link', target: TARGET, campaign: { name: '双十一' }, variables: { city: 'beijing' } };
    const link = await catalog.links.create(draft, NEW_YEAR_MS);
    assert.match(link.linkId, /^[0-9A-Za-z]{8}$/);
    for (const { links } of [catalog, other]) assert.deepEqual(links.find(link.linkId), link);
    assert.deepEqual(await catalog.links.list(ai), [link]);
    assert.deepEqual(await catalog.links.listLabels('campaign', ai), [link.campaign]);
    assert.equal(catalog.links.find('zzzzzzzz'), undefined);
    assert.equal(catalog.links.find("' OR '1'='1"), undefined);
  });

  test('takes names of 50 letters, digits, Chinese and - / _ and comma, and no others', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    for (const name of ['a', '双十一-推广/A_1,二', '字'.repeat(50), '\u{20000}'.repeat(50)])
      await catalog.links.createLabel('channel', ai, name, NEW_YEAR_MS);
    for (const name of ['', ' ', 'a b', 'a.b', 'a\n', '，', 'é', '<b>', '😀', "a'b", '字'.repeat(51), 'a\0b', '\ud800'])
      await assert.rejects(catalog.links.createLabel('channel', ai, name, NEW_YEAR_MS), { code: 'bad_name' }, name);
    assert.equal((await catalog.links.listLabels('channel', ai)).length, 4);
  });

  test('keeps names apart by project and kind, and refuses one that is taken', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.projects.create(OTHER);
    for (const [kind, of] of [
      ['campaign', ai],
      ['channel', ai],
      ['campaign', OTHER.ai],
    ] as const)
      await catalog.links.createLabel(kind, of, 'same', NEW_YEAR_MS);
    await assert.rejects(catalog.links.createLabel('campaign', ai, 'same', NEW_YEAR_MS), { code: 'name_taken' });
    await catalog.links.create({ ai, name: 'same', target: TARGET }, NEW_YEAR_MS);
    await catalog.links.create({ ai: OTHER.ai, name: 'same', target: TARGET }, NEW_YEAR_MS);
    await assert.rejects(catalog.links.create({ ai, name: 'same', target: TARGET }, NEW_YEAR_MS), {
      code: 'name_taken',
    });
  });

  test("refuses another project's campaign, and leaves nothing of a link that was refused", async (t) => {
    const { catalog, ai } = await openWithProject(t);
    await catalog.projects.create(OTHER);
    const foreign = await catalog.links.createLabel('campaign', OTHER.ai, 'theirs', NEW_YEAR_MS);
    const draft = { ai, name: 'Link', target: TARGET, campaign: { name: 'new' }, channel: { id: foreign.id } };
    await assert.rejects(catalog.links.create(draft, NEW_YEAR_MS), { code: 'unknown_label' });
    await assert.rejects(
      catalog.links.create({ ai, name: 'Link', target: TARGET, campaign: { id: foreign.id } }, NEW_YEAR_MS),
      { code: 'unknown_label' },
    );
    assert.deepEqual(await catalog.links.listLabels('campaign', ai), []);
    assert.deepEqual(await catalog.links.list(ai), []);
    await assert.rejects(catalog.links.create({ ai: 'nobody', name: 'x', target: TARGET }, 0), {
      code: 'unknown_project',
    });
  });

  test('archives a link: still found for its clicks, not listed, its name free; only for its own project', async (t) => {
    const { catalog, ai } = await openWithProject(t);
    const link = await catalog.links.create({ ai, name: 'Link', target: TARGET }, NEW_YEAR_MS);
    await assert.rejects(catalog.links.archive('other', link.linkId, NEW_YEAR_MS), { code: 'unknown_link' });
    await catalog.links.archive(ai, link.linkId, NEW_YEAR_MS + 1);
    assert.equal(catalog.links.find(link.linkId)?.status, 'archived');
    assert.deepEqual(await catalog.links.list(ai), []);
    await assert.rejects(catalog.links.archive(ai, link.linkId, NEW_YEAR_MS), { code: 'unknown_link' });
    await catalog.links.create({ ai, name: 'Link', target: TARGET }, NEW_YEAR_MS);
  });

  test('refuses variables that no query could name or no row hold', async (t) => {
    const { links } = await openForTest(t, await newCatalogPath(t));
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, place) => [`v${place}`, 'x']));
    for (const variables of [
      many,
      { '': 'x' },
      { 'a b': 'x' },
      { IMEI: 'x' },
      { a: 'x'.repeat(201) },
      { a: 'x\n' },
      { a: '1', A: '2' },
    ])
      await assert.rejects(links.create({ ai: 'x', name: 'Link', target: TARGET, variables }, 0), {
        code: 'bad_variables',
      });
  });
});
