import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { atEnd } from '../../test/helpers/at-end.ts';
import { HOUR_START_MS } from '../../test/helpers/event-rows.ts';
import { FakeClock } from '../../test/helpers/fake-clock.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { TEST_PROJECT } from '../../test/helpers/test-server.ts';
import { openDataCatalog } from '../catalog/data-catalog.ts';
import { hourEndMs, HOUR_MS, hourOf, type Hour } from '../events/hour.ts';
import { mapEvents } from '../events/map-events.ts';
import { PageDomains } from '../events/page-domains.ts';
import { UserAgents } from '../events/user-agent.ts';
import type { TaskRunner } from '../exports/task-runner.ts';
import { compileRules } from '../rules/rule-set.ts';
import type { Rule } from '../rules/rule.ts';
import { rule } from '../rules/rules.test-helper.ts';
import { HourLog } from '../store/hour-log/hour-log.ts';
import { HourLogReader } from '../store/hour-log/hour-log-reader.ts';
import { commitImport, makeImportFolder } from '../store/hour-log/import-writer.ts';
import { importFolder } from '../store/hour-log/layout.ts';
import { storeJobsInPlace } from '../store/hour-log/store-jobs.ts';
import { backfillTags } from './backfill-tags.ts';
import { tagHour, tagJobsInPlace, type TaggedHour, type TagJobs } from './tag-hour.ts';

const { ai } = TEST_PROJECT;
const HOUR = hourOf(HOUR_START_MS);

/** An hour log whose hour holds these clicks, mapped with the rules that were in force then. */
async function openHour(t: TestContext, events: readonly object[], inForce: readonly Rule[] = []) {
  const data = join(await temporaryFolder(t), 'data');
  const storeRoot = join(data, 'hour-log');
  const clock = new FakeClock(HOUR_START_MS);
  const store = await HourLog.open({ root: storeRoot, clock, jobs: storeJobsInPlace });
  atEnd(t, () => store.close());
  const mapper = {
    pageDomains: new PageDomains(),
    userAgents: new UserAgents(),
    onCut: () => undefined,
    rulesOf: () => compileRules(inForce),
  };
  const request = { ai, pathWord: 'web', oversize: new Map(), ip: null, userAgent: null };
  for (const event of events) await store.append(mapEvents({ ...request, elements: [event] }, mapper));
  clock.set(hourEndMs(HOUR));
  await store.seal(hourOf(clock.nowMs()));
  await store.prepare(HOUR);
  return { data, storeRoot, clock, store, reader: new HourLogReader(storeRoot) };
}

const clickOf = (u: string, e: readonly object[]): object => ({
  t: 'clck',
  u,
  s: 's',
  d: 'd',
  p: '/p',
  q: 'q=1',
  tm: 5,
  e,
});

/** Gives the lines of the hour's tags, duplicates included. */
function tagLines(reader: HourLogReader): readonly string[] {
  const lines: string[] = [];
  for (const batch of reader.readSorted(HOUR, ai, 'action_tag'))
    lines.push(...batch.lines.toString().trimEnd().split('\n'));
  return lines;
}

describe('tagHour', () => {
  it('gives the tags that the arrival would have given, however odd the values', async (t) => {
    const odd = ['plain', 'a,b', '"quoted"', 'back\\slash\\"', ' blank ', 'line\nbreak', '', '商品', 'x'.repeat(2_000)];
    const events = odd.map((v, place) =>
      clickOf(`u${place}`, [{ x: `/a[${place}]`, v, h: `/h?${v}`, idx: place }, {}]),
    );
    const rules = [
      ...odd.filter((v) => v !== '').map((v, place) => rule(`0000000${place}`, { value: v.slice(0, 1_024) })),
      rule('000000a0', { index: 3, domain: 'd' }),
      rule('000000a1', { xpath: '/a*', query: 'q=1', path: '/p' }),
      rule('000000a2', { href: '/h?a,b' }),
      rule('000000a3', { type: 'chng' }),
    ];
    const { reader: before } = await openHour(t, events, rules);
    const { storeRoot, reader } = await openHour(t, events);
    assert.deepEqual(tagLines(reader), []);
    const id = await makeImportFolder(storeRoot);
    const { runs } = tagHour({ storeRoot, ai, hour: HOUR, rules, folder: importFolder(storeRoot, id) });
    await commitImport(storeRoot, id, { version: 1, ai, hours: [{ hour: HOUR, runs }] });
    assert.ok(tagLines(before).length > 15);
    assert.deepEqual(tagLines(reader), tagLines(before));
  });

  it('gives the same tags in many chunks as in one, and leaves only the runs that count', async (t) => {
    const events = Array.from({ length: 60 }, (_, place) =>
      clickOf(`u${place % 7}`, [{ x: `/a#${place}` }, { x: '/a' }]),
    );
    const known = [rule('0000000a', { xpath: '/a' })];
    const { storeRoot, reader } = await openHour(t, events, known);
    const rules = [...known, rule('0000000b', { xpath: '/a*' })];
    assert.equal(tagLines(reader).length, 60);
    const tagged = async (chunkBytes: number): Promise<TaggedHour & { id: string; files: readonly string[] }> => {
      const id = await makeImportFolder(storeRoot);
      const folder = importFolder(storeRoot, id);
      const result = tagHour({ storeRoot, ai, hour: HOUR, rules, folder, chunkBytes });
      return { ...result, id, files: await readdir(folder) };
    };
    const one = await tagged(1_000_000);
    const many = await tagged(1_000);
    assert.deepEqual([one.tags, many.tags, one.runs.length], [120, 120, 1]);
    assert.ok(many.runs.length > 5);
    assert.deepEqual(many.files.toSorted(), many.runs);
    const linesAfter = async ({ id, runs }: { id: string; runs: readonly string[] }): Promise<readonly string[]> => {
      await commitImport(storeRoot, id, { version: 1, ai, hours: [{ hour: HOUR, runs }] });
      return tagLines(reader);
    };
    const lines = await linesAfter(many);
    assert.equal(lines.length, 180);
    assert.equal((await tagged(1_000)).tags, 0);
    const { receipts } = reader.counts(HOUR, ai);
    assert.equal(receipts.find(({ line }) => line === 'action_tag')?.rows, 180);
  });
});

/** What a back-fill of an hour with one click is given, and a rule that the click fits. */
async function openBackfill(t: TestContext) {
  const { data, storeRoot, clock, store, reader } = await openHour(t, [clickOf('u', [{ x: '/a' }])]);
  const catalog = await openDataCatalog(data, clock);
  atEnd(t, () => catalog.close());
  const project = { ...TEST_PROJECT, exportEnabledAtMs: HOUR_START_MS - HOUR_MS };
  await catalog.projects.create(project);
  const { ruleId: _ruleId, ...draft } = rule('', { xpath: '/a' });
  await catalog.rules.create(ai, draft);
  const options = {
    project,
    catalog,
    store,
    reader,
    clock,
    storeRoot,
    retentionDays: 15,
    onProgress: () => undefined,
    runner: {} as unknown as TaskRunner, // nothing that breaks off is exported
  };
  return { options, storeRoot, reader, catalog, clock };
}

describe('backfillTags', () => {
  it('looks at the hours that the project keeps and can export', async (t) => {
    const { options, catalog, clock } = await openBackfill(t);
    const asked: Hour[] = [];
    const jobs: TagJobs = {
      tagHour: ({ hour }) => {
        asked.push(hour);
        return Promise.resolve({ runs: [], tags: 0 });
      },
    };
    const hoursAsked = async (): Promise<readonly Hour[]> => {
      await backfillTags({ ...options, retentionDays: 1, jobs });
      return asked.splice(0);
    };
    const change = { fromHour: HOUR, nowMs: clock.nowMs(), by: 'test' };
    assert.deepEqual(await hoursAsked(), [HOUR]);
    clock.set(HOUR_START_MS + 72 * HOUR_MS);
    assert.deepEqual(await hoursAsked(), [], 'the hour is past retention');
    await catalog.settings.change(ai, { ...change, values: { retentionDays: 30 } });
    assert.deepEqual(await hoursAsked(), [HOUR], 'the project keeps it longer');
    await catalog.settings.change(ai, { ...change, values: { export: false } });
    assert.deepEqual(await hoursAsked(), [], 'export is not enabled for it');
  });

  it('leaves nothing behind when it breaks off before it is committed', async (t) => {
    const { options, storeRoot, reader } = await openBackfill(t);
    const broken = {
      tagHour: (job: Parameters<typeof tagHour>[0]) => {
        tagHour(job);
        return Promise.reject(new Error('The disk is full.'));
      },
    };
    await assert.rejects(backfillTags({ ...options, jobs: broken }), /The disk is full/);
    assert.deepEqual(await readdir(join(storeRoot, 'imports')), []);
    assert.deepEqual(tagLines(reader), []);
    await assert.rejects(backfillTags({ ...options, jobs: tagJobsInPlace, ruleId: '0000000f' }), {
      code: 'unknown_rule',
    });
  });
});
