import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { PublicLogEntry, PublicManifest } from '../catalog/manifest-schema.ts';
import { findLogFault, findManifestFault } from '../catalog/public-manifest.ts';
import { addHours } from '../events/hour.ts';
import { beijingHour, claimHour, createProject, NOW_MS, openTestApi, publishHour } from './api.test-helper.ts';

const HOUR = beijingHour('2018071809');
const UNAUTHORIZED = '{"message":"Unauthorized","errors":[]}';

type ErrorBody = { readonly code: string; readonly message: string; readonly requestId: string };

/** A server with one project, its token, and calls of its manifests and its log. */
async function openProject(t: TestContext) {
  const api = await openTestApi(t);
  const project = await createProject(api.catalog);
  const token = await api.catalog.tokens.create(project.ai, NOW_MS);
  const get = async (path: string, headers: Readonly<Record<string, string>> = { Authorization: token }) => {
    const response = await fetch(`${api.baseUrl}${path}`, { headers });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text };
  };
  const getManifest = (hour: string, query = '') =>
    get(`/api/v1/projects/${project.ai}/hours/${hour}/manifest${query}`);
  const getLog = (query = '') => get(`/api/v1/projects/${project.ai}/log${query}`);
  return { ...api, project, token, get, getManifest, getLog };
}

describe('GET /api/v1/projects/{ai}/hours/{hour}/manifest', () => {
  test('answers the newest revision as a document that proves itself', async (t) => {
    const { getManifest, project, catalog, ...api } = await openProject(t);
    await publishHour({ catalog, ...api }, project, HOUR, { page: ['old\n'] });
    const [entry] = await publishHour({ catalog, ...api }, project, HOUR, { page: ['a\nb\n'], visit: ['c\n'] });
    const answer = await getManifest('2018071809');
    assert.equal(answer.status, 200);
    const document = JSON.parse(answer.text) as PublicManifest;
    assert.equal(findManifestFault([document], catalog.serverKeys.publicKeyPem), undefined);
    const { ai, hour, revision, seq, packages } = document;
    assert.deepEqual([ai, hour, revision, seq], [project.ai, '2018071809', 2, 2]);
    const { part: _part, key: _key, ...shown } = entry!;
    assert.deepEqual(packages[0], shown);
    assert.equal(packages[1]?.rows, 2);
    assert.equal(answer.headers.get('Content-Type'), 'application/json; charset=utf-8');
    assert.equal(answer.headers.get('Cache-Control'), 'no-store');
  });

  test('answers an older revision while it is kept, and says which is the newest when there is none such', async (t) => {
    const { getManifest, project, ...api } = await openProject(t);
    await publishHour(api, project, HOUR, { page: ['old\n'] });
    await publishHour(api, project, HOUR);
    const answer = await getManifest('2018071809', '?revision=1');
    assert.equal(answer.status, 200);
    const { revision, packages } = JSON.parse(answer.text) as PublicManifest;
    assert.deepEqual([revision, packages.length], [1, 1]);
    const missing = await getManifest('2018071809', '?revision=3');
    assert.equal(missing.status, 404);
    assert.match(missing.text, /has no revision 3 yet; its newest is 2/);
  });

  test('goes on answering what was published while a later try runs or has failed', async (t) => {
    const { getManifest, project, catalog, ...api } = await openProject(t);
    await publishHour({ catalog, ...api }, project, HOUR);
    await catalog.tasks.restart(project.ai, [HOUR], NOW_MS);
    assert.equal((await getManifest('2018071809')).status, 200);
    await catalog.tasks.fail(await claimHour(catalog, project.ai, HOUR), 'The disk is full.');
    assert.equal((await getManifest('2018071809')).status, 200);
  });

  test('says with 404 why an hour has no manifest, and when to ask again', async (t) => {
    const { getManifest, project, catalog } = await openProject(t);
    await catalog.tasks.fail(await claimHour(catalog, project.ai, addHours(HOUR, -1)), 'The disk is full.');
    const cases: readonly [hour: string, why: RegExp, retryAfter: string | null][] = [
      ['2018071810', /has not ended yet/, String(30 * 60 + 60)],
      ['2018071809', /has ended and its export is being made/, '15'],
      ['2018071808', /failed for good: The disk is full\./, null],
      ['2018070212', /is past retention; the first hour still kept is 2018070300/, null],
      ['2018063023', /ended before export was enabled/, null],
    ];
    for (const [hour, why, retryAfter] of cases) {
      const answer = await getManifest(hour);
      const body = JSON.parse(answer.text) as ErrorBody;
      assert.equal(answer.status, 404, hour);
      assert.deepEqual(Object.keys(body), ['code', 'message', 'requestId']);
      assert.equal(body.code, 'no_manifest');
      assert.match(body.message, why);
      assert.equal(answer.headers.get('Retry-After'), retryAfter, hour);
    }
  });

  test('refuses an hour or a parameter that cannot be read', async (t) => {
    const { getManifest } = await openProject(t);
    const cases: readonly [hour: string, query: string, why: RegExp][] = [
      ['20180718', '', /parameter hour must match pattern/],
      ['201807180900', '', /parameter hour must match pattern/],
      ['2018071x09', '', /parameter hour must match pattern/],
      ['2018071824', '', /2018071824 is no hour/],
      ['2018023009', '', /2018023009 is no hour/],
      ['2018071809', '?revision=0', /parameter revision must be >= 1/],
      ['2018071809', '?revision=1.5', /parameter revision must be integer/],
      ['2018071809', '?revision=x', /parameter revision must be integer/],
      ['2018071809', '?revision=1&revision=2', /parameter revision must be integer/],
      ['2018071809', '?revisoin=2', /There is no parameter revisoin here/],
    ];
    for (const [hour, query, why] of cases) {
      const answer = await getManifest(hour, query);
      assert.equal(answer.status, 400, hour + query);
      assert.equal((JSON.parse(answer.text) as ErrorBody).code, 'bad_request');
      assert.match(answer.text, why);
    }
  });

  test('tells a stranger nothing, not even whether the hour is readable', async (t) => {
    const { get, catalog, project, token } = await openProject(t);
    const other = await createProject(catalog);
    const othersToken = await catalog.tokens.create(other.ai, NOW_MS);
    for (const path of ['hours/2018071809/manifest', 'hours/x/manifest?y=1', 'log', 'log?limit=x']) {
      for (const headers of [
        {},
        { Authorization: othersToken },
        { Authorization: 'x' },
        { Authorization: token, 'X-Client-Id': 'wrong' },
      ]) {
        const answer = await get(`/api/v1/projects/${project.ai}/${path}`, headers);
        assert.deepEqual([answer.status, answer.text], [401, UNAUTHORIZED], path);
      }
      const unknown = await get(`/api/v1/projects/unknown/${path}`);
      assert.deepEqual([unknown.status, unknown.text], [401, UNAUTHORIZED], path);
    }
    const right = { Authorization: `Token ${token}`, 'X-Client-Id': project.clientId };
    assert.equal((await get(`/api/v1/projects/${project.ai}/log`, right)).status, 200);
  });
});

type LogPage = { readonly entries: readonly PublicLogEntry[]; readonly next?: number };

describe('GET /api/v1/projects/{ai}/log', () => {
  test('pages through the log in order, also through what is not kept any more', async (t) => {
    const { getLog, project, catalog, ...api } = await openProject(t);
    for (let hours = 0; hours < 5; hours += 1) await publishHour({ catalog, ...api }, project, addHours(HOUR, -hours));
    await catalog.manifests.deletePackagesBefore(addHours(HOUR, -1));
    const entries: PublicLogEntry[] = [];
    const sizes: number[] = [];
    for (let from: number | undefined = 1; from !== undefined;) {
      const answer = await getLog(`?from=${from}&limit=2`);
      assert.equal(answer.status, 200);
      const page = JSON.parse(answer.text) as LogPage;
      entries.push(...page.entries);
      sizes.push(page.entries.length);
      from = page.next;
    }
    assert.deepEqual(sizes, [2, 2, 1]);
    assert.deepEqual(
      entries.map(({ seq }) => seq),
      [1, 2, 3, 4, 5],
    );
    assert.equal(findLogFault(entries, catalog.serverKeys.publicKeyPem), undefined);
  });

  test('answers 100 entries when not told how many, and an empty page behind the end', async (t) => {
    const { getLog, project, ...api } = await openProject(t);
    for (let hours = 0; hours < 101; hours += 1) await publishHour(api, project, addHours(HOUR, -hours));
    const page = JSON.parse((await getLog()).text) as LogPage;
    assert.deepEqual([page.entries.length, page.next], [100, 101]);
    assert.equal((await getLog('?from=102')).text, '{"entries":[]}');
  });

  test('refuses parameters that cannot be read', async (t) => {
    const { getLog } = await openProject(t);
    const cases: readonly [query: string, why: RegExp][] = [
      ['?from=0', /parameter from must be >= 1/],
      ['?from=99999999999', /parameter from must be <= 2147483647/],
      ['?limit=1001', /parameter limit must be <= 1000/],
      ['?limit=', /parameter limit must be integer/],
      ['?cursor=1', /no parameter cursor/],
    ];
    for (const [query, why] of cases) {
      const answer = await getLog(query);
      assert.equal(answer.status, 400, query);
      assert.match(answer.text, why);
    }
  });
});

describe('GET /.well-known/tidegate.json', () => {
  test('answers the public key to anybody, named by its hash', async (t) => {
    const { get, catalog } = await openProject(t);
    const answer = await get('/.well-known/tidegate.json', {});
    const { publicKeyPem } = catalog.serverKeys;
    const der = createPublicKey(publicKeyPem).export({ type: 'spki', format: 'der' });
    assert.deepEqual(JSON.parse(answer.text), {
      publicKeyPem,
      keyId: createHash('sha256').update(der).digest('hex').slice(0, 16),
      algorithm: 'Ed25519',
      manifest: '/api/v1/projects/{ai}/hours/{hour}/manifest',
    });
    assert.doesNotMatch(answer.text, /PRIVATE/);
  });
});
