import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { ClaimedLegacyTask } from '../catalog/legacy-export.ts';
import { addHours, hourEndMs, type Hour } from '../events/hour.ts';
import {
  beijingHour,
  claimHour,
  createProject,
  NOW_MS,
  openTestApi,
  publishHour,
  type TestApiOptions,
} from './api.test-helper.ts';
import { CallLimit } from './call-limit.ts';

const HOUR = beijingHour('2018071809');
const LEASE_MS = 1_000;

/** A server with a project, its token, and a call of the 1.0 API. */
async function openProject(t: TestContext, options: TestApiOptions = {}) {
  const api = await openTestApi(t, options);
  const project = await createProject(api.catalog);
  const token = await api.catalog.tokens.create(project.ai, NOW_MS);
  const get = async (date: string, headers: Readonly<Record<string, string>> = { Authorization: token }) => {
    const response = await fetch(`${api.baseUrl}/insights/${project.ai}/${date}.json`, { headers });
    return { code: response.status, retryAfter: response.headers.get('Retry-After'), text: await response.text() };
  };
  const claim = async (): Promise<ClaimedLegacyTask | undefined> =>
    api.catalog.legacy.claim({ nowMs: api.clock.nowMs(), leaseMs: LEASE_MS });
  /** Makes what waits, as the runner does: one package of visits. */
  const make = async (hour: Hour, revision: number, name: string): Promise<void> => {
    const task = await claim();
    assert.equal(task?.hour, hour);
    const sums = { rows: 1, bytes: 3, md5: '', sha256: '', csvSha256: '' };
    const sink = await api.packages.create(`made/${name}`);
    await sink.write(Buffer.from('abc'));
    await sink.finish();
    const entry = { dataType: 'custom_attr', part: 0, name, key: `made/${name}`, ...sums } as const;
    assert.equal(await api.catalog.legacy.publish(task, revision, [entry]), true);
  };
  return { ...api, project, token, get, claim, make };
}

function answer(status: string, downlinks: readonly string[] = []): string {
  return JSON.stringify({ status, downlinks });
}

describe('GET /insights', () => {
  it('has the packages made that it is asked for, and answers with exactly two members', async (t) => {
    const { get, make, project, ...api } = await openProject(t);
    await publishHour(api, project, HOUR, { custom_event: ['row\n'] });
    for (let calls = 0; calls < 2; calls += 1)
      assert.deepEqual(await get('2018071809'), { code: 200, retryAfter: '5', text: answer('RUNNING') });
    await make(HOUR, 1, 'part-00000-a-c000.csv.gz');
    assert.equal(await api.claim(), undefined, 'asking twice makes it once');
    const made = await get('2018071809');
    const { downlinks } = JSON.parse(made.text) as { readonly downlinks: readonly [string] };
    assert.equal(made.text, answer('FINISHED', downlinks));
    const link = new RegExp(
      `^${api.baseUrl}/[0-9a-f]+_${project.ai}_custom_attr_201807180100/part-00000-a-c000.csv.gz\\?Expires=1531881300&Sig`,
    );
    assert.match(downlinks[0], link);
    const download = await fetch(downlinks[0]);
    assert.deepEqual([download.status, await download.text()], [200, 'abc']);
    assert.equal(download.headers.get('Content-Type'), 'application/gzip');
    assert.equal((await fetch(downlinks[0].replace('custom_attr', 'visit'))).status, 403);
  });

  it('takes 8 digits for a day, 10 and 12 for an hour, and calls any other date NOT_EXISTS', async (t) => {
    const { get, project, ...api } = await openProject(t);
    const day = beijingHour('2018071700');
    for (let hour = 0; hour < 24; hour += 1) await publishHour(api, project, addHours(day, hour));
    await publishHour(api, project, HOUR);
    for (const date of ['20180717', '2018071700', '201807170000', '2018071809'])
      assert.deepEqual(await get(date), { code: 200, retryAfter: null, text: answer('FINISHED') }, date);
    for (const date of [
      '',
      '2018',
      '201807',
      '2018071',
      '20180732',
      '2018071725',
      '20180502008',
      'today',
      '20180717.5',
    ])
      assert.deepEqual(await get(date), { code: 200, retryAfter: null, text: answer('NOT_EXISTS') }, date);
  });

  it('makes a day of its hours, and is FINISHED when all of them are made', async (t) => {
    const { get, make, project, ...api } = await openProject(t);
    const day = beijingHour('2018071700');
    for (let hour = 0; hour < 24; hour += 1)
      await publishHour(
        api,
        project,
        addHours(day, hour),
        hour % 12 === 1 ? { visit: ['row\n'] } : { pvar: ['row\n'] },
      );
    assert.equal((await get('20180717')).text, answer('RUNNING'));
    await make(addHours(day, 1), 1, 'first');
    assert.equal((await get('20180717')).text, answer('RUNNING'));
    await make(addHours(day, 13), 1, 'second');
    assert.equal(await api.claim(), undefined, 'hours without rows for the seven tables need nothing');
    const { downlinks } = JSON.parse((await get('20180717')).text) as { readonly downlinks: readonly string[] };
    assert.deepEqual(
      downlinks.map((link) => new URL(link).pathname.split('/')[2]),
      ['first', 'second'],
    );
  });

  it('has the same statuses as 2.0 where 2.0 is not FINISHED', async (t) => {
    const { get, project, catalog, clock } = await openProject(t);
    assert.deepEqual(await get('2018071810'), { code: 200, retryAfter: '1860', text: answer('NOT_EXISTS') });
    assert.deepEqual(await get('2018063023'), { code: 200, retryAfter: null, text: answer('NOT_EXISTS') });
    assert.deepEqual(await get('2018071809'), { code: 200, retryAfter: '15', text: answer('RUNNING') });
    await catalog.tasks.fail(await claimHour(catalog, project.ai, HOUR), 'damaged');
    assert.deepEqual(await get('2018071809'), { code: 200, retryAfter: null, text: answer('ERROR') });
    clock.set(hourEndMs(HOUR) + 30 * 24 * 3_600_000);
    assert.equal(
      (await get('2018071809', { Authorization: await catalog.tokens.create(project.ai, clock.nowMs()) })).text,
      answer('NOT_EXISTS'),
    );
  });

  it('says ERROR after a making that failed, and has it tried again when the pause is over', async (t) => {
    const { get, make, claim, project, ...api } = await openProject(t);
    await publishHour(api, project, HOUR, { visit: ['row\n'] });
    await get('2018071809');
    const task = await claim();
    await api.catalog.legacy.fail(task!, NOW_MS + 60_000, 'damaged');
    assert.deepEqual(await get('2018071809'), { code: 200, retryAfter: '60', text: answer('ERROR') });
    api.clock.set(NOW_MS + 60_000);
    assert.equal((await get('2018071809')).text, answer('RUNNING'));
    await make(HOUR, 1, 'mended');
    assert.match((await get('2018071809')).text, /^\{"status":"FINISHED","downlinks":\["http/);
  });

  it('is RUNNING again after a new revision, and gives no link of the old one', async (t) => {
    const { get, make, project, ...api } = await openProject(t);
    await publishHour(api, project, HOUR, { visit: ['row\n'] });
    await get('2018071809');
    await make(HOUR, 1, 'one');
    const [old] = (JSON.parse((await get('2018071809')).text) as { readonly downlinks: readonly string[] }).downlinks;
    await publishHour(api, project, HOUR, { visit: ['row\n', 'row\n'] });
    assert.equal((await get('2018071809')).text, answer('RUNNING'));
    assert.equal((await fetch(old!)).status, 200, 'a link that was given lives to its end');
    await make(HOUR, 2, 'two');
    assert.match((await get('2018071809')).text, /\/two\?/);
    await api.catalog.legacy.removeHour(project.ai, HOUR, NOW_MS);
    assert.equal((await fetch(old!)).status, 410);
    assert.equal((await get('2018071809')).text, answer('RUNNING'));
  });

  it('tells a stranger nothing but Unauthorized, and refuses an expire that cannot be read', async (t) => {
    const { get, token, baseUrl, project, catalog } = await openProject(t);
    const other = await createProject(catalog);
    const foreign = await catalog.tokens.create(other.ai, NOW_MS);
    const strangers = [{}, { Authorization: foreign }, { Authorization: token, 'X-Client-Id': 'wrong' }];
    for (const headers of strangers)
      assert.deepEqual([(await get('20180717', headers)).code, (await get('nonsense', headers)).code], [401, 401]);
    const call = (query: string) =>
      fetch(`${baseUrl}/insights/${project.ai}/2018071809.json${query}`, {
        headers: { Authorization: `Token ${token}` },
      });
    for (const query of ['?expire=0', '?expire=10081', '?minutes=x', '?expire=5&expire=6']) {
      const refused = await call(query);
      assert.deepEqual([refused.status, await refused.text()], [400, answer('ERROR')], query);
    }
    assert.equal((await call('?expire=10080')).status, 200);
    assert.equal(await call('').then((response) => response.headers.get('Cache-Control')), 'no-store');
  });

  it('shares the limit of calls with 2.0', async (t) => {
    const callLimit = new CallLimit({ callsPerSecond: 2, maxWaitMs: 0, monotonicMs: () => 0 });
    const { get, token, baseUrl, project } = await openProject(t, { callLimit });
    const v2 = `${baseUrl}/v2/insights/hour/page/${project.ai}/2018071809.json`;
    assert.equal((await fetch(v2, { headers: { Authorization: token } })).status, 200);
    assert.equal((await get('2018071809')).code, 200);
    const refused = await get('2018071809');
    assert.deepEqual([refused.code, refused.text], [429, answer('ERROR')]);
    assert.ok(refused.retryAfter);
  });

  it('refuses other methods and paths', async (t) => {
    const { baseUrl, project } = await openProject(t);
    const path = `${baseUrl}/insights/${project.ai}/2018071809`;
    assert.equal((await fetch(`${path}.json`, { method: 'POST' })).status, 405);
    assert.equal((await fetch(path)).status, 404);
  });
});
