import assert from 'node:assert/strict';
import { request } from 'node:http';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { DATA_TYPES } from '../events/data-types.ts';
import { addHours, hourEndMs } from '../events/hour.ts';
import {
  beijingHour,
  claimHour,
  createProject,
  NOW_MS,
  openTestApi,
  publishHour,
  tokenBody,
  type TestApiOptions,
} from './api.test-helper.ts';
import { CallLimit } from './call-limit.ts';

const UNAUTHORIZED = '{"message":"Unauthorized","errors":[]}';
const HOUR = beijingHour('2018071809');

/** A server with one project, its token, and a call. */
async function openProject(t: TestContext, options: TestApiOptions = {}) {
  const api = await openTestApi(t, options);
  const project = await createProject(api.catalog);
  const token = await api.catalog.tokens.create(project.ai, NOW_MS);
  const get = async (path: string, headers: Readonly<Record<string, string>> = { Authorization: token }) => {
    const response = await fetch(`${api.baseUrl}${path}`, { headers });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: JSON.parse(text) as Envelope };
  };
  const hourPath = `/v2/insights/hour/page/${project.ai}/2018071809.json`;
  return { ...api, project, token, get, hourPath };
}

type Envelope = {
  readonly status: string;
  readonly downloadLinks: readonly string[] & Readonly<Record<string, readonly string[]>>;
  readonly exportDate: string;
  readonly errorMsg: string;
};

describe('GET /v2/insights', () => {
  test('answers polls of one second alike, and each other second, base, expiry and revision with its own links', async (t) => {
    const { get, project, clock, hourPath, token, ...api } = await openProject(t);
    await publishHour({ ...api }, project, HOUR, { page: ['row\n'] });
    const linksOf = async (path = hourPath) => (await get(path)).json.downloadLinks;
    const first = await get(hourPath);
    assert.equal((await get(hourPath)).text, first.text);
    const expires = (links: readonly string[]) => /Expires=(\d+)/.exec(links[0]!)?.[1];
    const nowSeconds = NOW_MS / 1000;
    assert.equal(expires(await linksOf()), `${nowSeconds + 300}`);
    assert.equal(expires(await linksOf(`${hourPath}?expire=7`)), `${nowSeconds + 420}`);
    clock.set(NOW_MS + 1_000);
    assert.equal(expires(await linksOf()), `${nowSeconds + 301}`);
    const named = await new Promise<string>((resolve, reject) => {
      const headers = { Authorization: token, Host: 'shop.example' };
      request({ port: api.port, host: '127.0.0.1', path: hourPath, headers }, (res) => {
        res.setEncoding('utf8').once('data', resolve);
      })
        .on('error', reject)
        .end();
    });
    assert.match(named, /"http:\/\/shop\.example\//);
    const before = await linksOf();
    await publishHour({ ...api }, project, HOUR, { page: ['other\n', 'more\n'] });
    const after = await linksOf();
    assert.deepEqual([before.length, after.length], [1, 2]);
    assert.ok(!after.includes(before[0]!));
  });

  test('answers a published hour in the form and order of the document', async (t) => {
    const { get, project, ...api } = await openProject(t);
    const [entry] = await publishHour(api, project, HOUR, { page: ['row\n'], visit: ['row\n'] }).then((entries) =>
      entries.filter(({ dataType }) => dataType === 'page'),
    );
    const answer = await get(`/v2/insights/hour/page/${project.ai}/201807180942.json`);
    assert.equal(answer.status, 200);
    const link = answer.json.downloadLinks[0]!;
    assert.equal(
      answer.text,
      `{"status":"FINISHED","downloadLinks":["${link}"],"exportType":"hour","dataType":"page","exportDate":"2018071809","exportVersion":"v2","requestTime":"2018-07-18 02:30","errorMsg":""}`,
    );
    assert.match(
      link,
      new RegExp(
        `^${api.baseUrl}/[0-9a-f]+_${project.ai}_page_v2_201807180100/${entry!.name}\\?Expires=1531881300&Signature=`,
      ),
    );
    assert.equal(answer.headers.get('Content-Type'), 'application/json; charset=utf-8');
    assert.equal(answer.headers.get('Retry-After'), null);
    assert.ok(answer.headers.get('X-Request-Id'));
  });

  test('answers all types with an object of all ten keys and without dataType', async (t) => {
    const { get, project, ...api } = await openProject(t);
    await publishHour(api, project, HOUR, { page: ['a\n', 'b\n'], custom_event: ['c\n'] });
    const answer = await get(`/v2/insights/hour/${project.ai}/2018071809.json`);
    assert.deepEqual(Object.keys(answer.json), [
      'status',
      'downloadLinks',
      'exportType',
      'exportDate',
      'exportVersion',
      'requestTime',
      'errorMsg',
    ]);
    assert.deepEqual(Object.keys(answer.json.downloadLinks), DATA_TYPES);
    const counts = DATA_TYPES.map((type) => answer.json.downloadLinks[type]?.length);
    assert.deepEqual(counts, [0, 2, 0, 0, 1, 0, 0, 0, 0, 0]);
  });

  test('lists the packages of a day in order of hour and part, and none of a day that is not finished', async (t) => {
    const { get, project, ...api } = await openProject(t);
    const day = beijingHour('2018071700');
    const names: string[] = [];
    for (let hour = 0; hour < 24; hour += 1) {
      const path = `/v2/insights/day/page/${project.ai}/20180717.json`;
      const running = await get(path);
      assert.equal(running.json.status, 'RUNNING');
      assert.deepEqual(running.json.downloadLinks, []);
      assert.equal(running.headers.get('Retry-After'), '15');
      const entries = await publishHour(api, project, addHours(day, hour), {
        page: hour === 5 ? ['a\n', 'b\n'] : ['a\n'],
        ...(hour === 23 && { action: ['c\n'] }),
      });
      names.push(...entries.filter(({ dataType }) => dataType === 'page').map(({ name }) => name));
    }
    const single = await get(`/v2/insights/day/page/${project.ai}/2018071700.json`);
    assert.deepEqual(
      single.json.downloadLinks.map((link) => new URL(link).pathname.split('/')[2]),
      names,
    );
    const all = await get(`/v2/insights/day/${project.ai}/201807170000.json`);
    assert.equal(all.json.downloadLinks.action?.length, 1);
    assert.equal(all.json.downloadLinks.page?.length, 25);
    assert.equal(all.json.exportDate, '20180717');
  });

  test('answers an hour without rows as FINISHED with no links', async (t) => {
    const { get, project, hourPath, ...api } = await openProject(t);
    await publishHour(api, project, HOUR);
    const answer = await get(hourPath);
    assert.deepEqual([answer.json.status, answer.json.downloadLinks, answer.json.errorMsg], ['FINISHED', [], '']);
  });

  test('answers NOT_EXISTS, RUNNING and ERROR with HTTP 200 and a reason', async (t) => {
    const { get, project, hourPath, catalog } = await openProject(t);
    const future = await get(`/v2/insights/hour/page/${project.ai}/2018071810.json`);
    assert.deepEqual([future.status, future.json.status], [200, 'NOT_EXISTS']);
    assert.equal(future.headers.get('Retry-After'), String(30 * 60 + 60));
    const running = await get(hourPath);
    assert.deepEqual([running.status, running.json.status], [200, 'RUNNING']);
    await catalog.tasks.fail(await claimHour(catalog, project.ai, HOUR), 'The disk is full.');
    const failed = await get(`/v2/insights/hour/${project.ai}/2018071809.json`);
    assert.deepEqual([failed.status, failed.json.status], [200, 'ERROR']);
    assert.match(failed.json.errorMsg, /2018071809.*The disk is full\.$/);
    assert.deepEqual(Object.keys(failed.json.downloadLinks), DATA_TYPES);
    assert.equal(failed.headers.get('Retry-After'), null);
  });

  test('serves the script of old: an odd Content-Type, then ten types at once with the bare token', async (t) => {
    const limit = new CallLimit({ callsPerSecond: 10 });
    const { baseUrl, project, catalog, packages } = await openProject(t, { callLimit: limit });
    await publishHour({ catalog, packages }, project, HOUR, { page: ['row\n'] });
    const got = await fetch(`${baseUrl}/auth/token`, {
      method: 'POST',
      headers: { 'X-Client-Id': project.clientId, 'Content-Type': 'text/plain,text/plain' },
      body: tokenBody(project, NOW_MS),
    });
    const { code } = (await got.json()) as { code: string };
    const answers = await Promise.all(
      DATA_TYPES.map((type) =>
        fetch(`${baseUrl}//v2/insights/hour/${type}/${project.ai}/201807180900.json?expire=5`, {
          headers: { 'X-Client-Id': project.clientId, Authorization: code },
        }),
      ),
    );
    assert.deepEqual(
      answers.map(({ status }) => status),
      Array(10).fill(200),
    );
    for (const answer of answers) assert.equal(((await answer.json()) as Envelope).status, 'FINISHED');
  });

  test('takes the token with and without the word, in any case, with blanks', async (t) => {
    const { get, token, hourPath, project } = await openProject(t);
    for (const authorization of [
      token,
      `Token ${token}`,
      `token ${token}`,
      `TOKEN   ${token}`,
      `  Token\t${token}  `,
    ]) {
      assert.equal((await get(hourPath, { Authorization: authorization })).status, 200, authorization);
    }
    const both = { Authorization: token, 'X-Client-Id': project.clientId };
    assert.equal((await get(hourPath, both)).status, 200);
  });

  test('tells a stranger nothing but Unauthorized', async (t) => {
    const { get, token, hourPath, project, catalog, clock } = await openProject(t);
    const other = await createProject(catalog);
    const othersToken = await catalog.tokens.create(other.ai, NOW_MS);
    const cases: [string, string, Record<string, string>][] = [
      ['no token', hourPath, {}],
      ['an empty token', hourPath, { Authorization: 'Token ' }],
      ['a wrong token', hourPath, { Authorization: 'a'.repeat(64) }],
      ['half a token', hourPath, { Authorization: token.slice(0, 32) }],
      ['another scheme', hourPath, { Authorization: `Bearer ${token}` }],
      ["another project's token", hourPath, { Authorization: othersToken }],
      ["another project's public key", hourPath, { Authorization: token, 'X-Client-Id': other.clientId }],
      ['an empty public key', hourPath, { Authorization: token, 'X-Client-Id': '' }],
      ['an unknown project', '/v2/insights/hour/page/nobody/2018071809.json', { Authorization: token }],
      ['a malformed date', `/v2/insights/hour/page/${project.ai}/x.json`, { Authorization: othersToken }],
      ['no export type', `/v2/insights/year/page/${project.ai}/x.json`, {}],
      ['a path above', `/v2/insights/hour/page/..%2f${project.ai}/2018071809.json`, { Authorization: token }],
    ];
    for (const [what, path, headers] of cases) {
      const answer = await get(path, headers);
      assert.equal(answer.status, 401, what);
      assert.equal(answer.text, UNAUTHORIZED, what);
    }
    clock.set(NOW_MS + 31 * 86_400_000);
    assert.equal((await get(hourPath)).status, 401, 'a token of 31 days');
  });

  test('answers an unreadable call with 400 and the envelope', async (t) => {
    const { get, project } = await openProject(t);
    const cases: [string, RegExp, string][] = [
      [`hour/page/${project.ai}/2026023100.json`, /20260231 is no day/, '2026023100'],
      [`day/page/${project.ai}/20260231.json`, /20260231 is no day/, '20260231'],
      [`hour/page/${project.ai}/2018071825.json`, /25 is no hour/, '2018071825'],
      [`hour/page/${project.ai}/2018071899.json`, /99 is no hour/, '2018071899'],
      [`hour/page/${project.ai}/20180718.json`, /needs the hour/, '20180718'],
      [`hour/page/${project.ai}/yesterday.json`, /8, 10 or 12 digits/, 'yesterday'],
      [`hour/page/${project.ai}/${'9'.repeat(100)}.json`, /8, 10 or 12 digits/, '9'.repeat(40)],
      [`hour/page/${project.ai}/${encodeURIComponent('２０１８０７１８')}.json`, /digits/, '２０１８０７１８'],
      [`hour/page/${project.ai}/.json`, /digits/, ''],
      [`week/page/${project.ai}/2018071809.json`, /export type/, '2018071809'],
      [`HOUR/page/${project.ai}/2018071809.json`, /export type/, '2018071809'],
      [`hour/pages/${project.ai}/2018071809.json`, /data type/, '2018071809'],
      [`hour/__proto__/${project.ai}/201807180900.json`, /data type/, '2018071809'],
      ...[
        'expire=0',
        'expire=-1',
        'expire=1e9',
        'expire=abc',
        'expire=null',
        'minutes=10081',
        'minute=1.5',
        'expire=5&expire=6',
      ].map((query): [string, RegExp, string] => [
        `hour/page/${project.ai}/201807180900.json?${query}`,
        /whole number of minutes from 1 to 10080/,
        '2018071809',
      ]),
    ];
    for (const [path, errorMsg, exportDate] of cases) {
      const answer = await get(`/v2/insights/${path}`);
      assert.equal(answer.status, 400, path);
      assert.deepEqual(Object.keys(answer.json).slice(0, 5), [
        'status',
        'downloadLinks',
        'exportType',
        'dataType',
        'exportDate',
      ]);
      assert.equal(answer.json.status, 'ERROR', path);
      assert.match(answer.json.errorMsg, errorMsg, path);
      assert.equal(answer.json.exportDate, exportDate, path);
      assert.deepEqual(answer.json.downloadLinks, []);
    }
    const all = await get(`/v2/insights/hour/${project.ai}/20180718.json`);
    assert.equal(all.status, 400);
    assert.deepEqual(Object.keys(all.json.downloadLinks), DATA_TYPES);
  });

  test('lets links live as long as asked, under each name of the parameter', async (t) => {
    const { get, project, hourPath, ...api } = await openProject(t);
    await publishHour(api, project, HOUR, { page: ['row\n'] });
    for (const [query, minutes] of [
      ['', 5],
      ['?expire=1', 1],
      ['?minutes=60', 60],
      ['?minute=10080', 10080],
      ['?expire=7&minutes=8&unknown=9', 7],
      ['?expire=', 5], // a script that fills in what it was not given
      ['?expire=&minutes=8', 8],
    ] as const) {
      const [link] = (await get(`${hourPath}${query}`)).json.downloadLinks;
      assert.equal(new URL(link!).searchParams.get('Expires'), String(NOW_MS / 1000 + minutes * 60), query);
    }
  });

  test('takes the base of the links from the public URL, else from a well-formed Host', async (t) => {
    const { project, token, hourPath, port, ...api } = await openProject(t);
    await publishHour(api, project, HOUR, { page: ['row\n'] });
    const linkFor = (host: string) =>
      firstLink({ port, path: hourPath, headers: { Authorization: token, Host: host } });
    assert.match(await linkFor('export.example.com'), /^http:\/\/export\.example\.com\/[0-9a-f]+_/);
    assert.match(await linkFor('[::1]:8080'), /^http:\/\/\[::1\]:8080\/[0-9a-f]+_/);
    for (const host of ['evil.test/x?', 'a b', '<script>', 'h:port', '']) {
      assert.ok((await linkFor(host)).startsWith(`http://127.0.0.1:${port}/`), host);
    }
  });

  test('prefers the public URL to the Host header', async (t) => {
    const { project, get, hourPath, ...api } = await openProject(t, { publicUrl: 'https://export.example.com/' });
    await publishHour(api, project, HOUR, { page: ['row\n'] });
    const [link] = (await get(hourPath)).json.downloadLinks;
    assert.match(link!, /^https:\/\/export\.example\.com\/[0-9a-f]{27}_/);
  });

  test('answers a call beyond the limit with 429, Retry-After and the envelope', async (t) => {
    const callLimit = new CallLimit({ callsPerSecond: 1, maxWaitMs: 0, monotonicMs: () => 0 });
    const { get, hourPath, catalog } = await openProject(t, { callLimit });
    const other = await createProject(catalog);
    const othersToken = await catalog.tokens.create(other.ai, NOW_MS);
    assert.equal((await get(hourPath)).status, 200);
    const answer = await get(hourPath);
    assert.equal(answer.status, 429);
    assert.equal(answer.headers.get('Retry-After'), '1');
    assert.deepEqual([answer.json.status, answer.json.downloadLinks], ['ERROR', []]);
    assert.match(answer.json.errorMsg, /calls/);
    const others = await get(`/v2/insights/hour/page/${other.ai}/2018071809.json`, { Authorization: othersToken });
    assert.equal(others.status, 200);
  });

  test('gives the place of a client that hangs up while it waits to the next', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let now = 0;
    const callLimit = new CallLimit({ callsPerSecond: 1, monotonicMs: () => now });
    const taken: Promise<unknown>[] = [];
    const take = callLimit.take.bind(callLimit);
    const arrivals = Promise.withResolvers<undefined>();
    t.mock.method(callLimit, 'take', (ai: string, signal: AbortSignal) => {
      const turn = take(ai, signal);
      if (taken.push(turn) === 2) arrivals.resolve(undefined);
      return turn;
    });
    const { get, hourPath, port, token } = await openProject(t, { callLimit });
    assert.equal((await get(hourPath)).status, 200);
    const waiting = request({ port, host: '127.0.0.1', path: hourPath, headers: { Authorization: token } });
    waiting.on('error', () => undefined).end();
    await arrivals.promise;
    const next = get(hourPath);
    waiting.destroy();
    assert.deepEqual(await taken[1], { status: 'left' });
    now = 1000;
    t.mock.timers.tick(1000);
    assert.equal((await next).status, 200);
  });

  test('says a published hour is past retention when its day has left', async (t) => {
    const { get, project, clock, catalog, ...api } = await openProject(t);
    await publishHour({ catalog, ...api }, project, HOUR, { page: ['row\n'] });
    clock.set(hourEndMs(beijingHour('2018071823')) + 15 * 86_400_000);
    const answer = await get(`/v2/insights/hour/page/${project.ai}/2018071809.json`);
    assert.equal(answer.json.status, 'NOT_EXISTS');
    assert.deepEqual(answer.json.downloadLinks, []);
  });
});

/** The first link of an export call with exactly these headers. */
function firstLink(options: {
  readonly port: number;
  readonly path: string;
  readonly headers: Record<string, string>;
}) {
  return new Promise<string>((resolve, reject) => {
    const call = request({ host: '127.0.0.1', ...options }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => (text += chunk));
      res.on('end', () => resolve((JSON.parse(text) as Envelope).downloadLinks[0] ?? ''));
    });
    call.on('error', reject).end();
  });
}
