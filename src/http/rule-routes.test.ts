import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createProject, NOW_MS, openTestApi } from './api.test-helper.ts';

const UNAUTHORIZED = '{"message":"Unauthorized","errors":[]}';

type RuleDocument = Readonly<Record<string, string | number>> & { readonly ruleId: string };
type Page = { readonly rules: readonly RuleDocument[]; readonly next?: number };

/** A server with a project, its token, and calls of its rules. */
async function openProject(t: TestContext) {
  const api = await openTestApi(t);
  const project = await createProject(api.catalog);
  const token = await api.catalog.tokens.create(project.ai, NOW_MS);
  const call = async (method: string, path: string, body?: object, ai = project.ai) => {
    const response = await fetch(`${api.baseUrl}/api/v1/projects/${ai}/rules${path}`, {
      method,
      headers: { Authorization: token },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the test says what it expects
    return { status: response.status, text, json: <Body>(): Body => JSON.parse(text) as Body };
  };
  const create = async (body: object): Promise<RuleDocument> => (await call('POST', '', body)).json();
  return { ...api, project, token, call, create };
}

describe('/api/v1/projects/{ai}/rules', () => {
  test('makes, reads, changes, lists and deletes rules', async (t) => {
    const { call, catalog, project } = await openProject(t);
    const draft = {
      name: '去购买',
      type: 'clck',
      domain: 'shop.example.com',
      path: '/prod/*',
      xpath: '/a#b',
      index: 0,
    };
    const created = await call('POST', '', draft);
    const rule = created.json<RuleDocument>();
    assert.equal(created.status, 201);
    assert.match(rule.ruleId, /^[0-9a-f]{8}$/);
    assert.deepEqual(rule, { ruleId: rule.ruleId, ...draft });
    assert.deepEqual((await call('GET', `/${rule.ruleId}`)).json(), rule);
    const changed = await call('PUT', `/${rule.ruleId}`, { name: 'Buy', type: 'sbmt', href: '/next' });
    assert.deepEqual(changed.json(), { ruleId: rule.ruleId, name: 'Buy', type: 'sbmt', href: '/next' });
    assert.deepEqual((await call('GET', '')).json(), { rules: [changed.json()] });
    assert.equal(catalog.rules.rulesOf(project.ai).isEmpty, false);
    assert.deepEqual(
      [(await call('DELETE', `/${rule.ruleId}`)).status, (await call('GET', '')).json()],
      [204, { rules: [] }],
    );
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const body = method === 'PUT' ? { name: 'x', type: 'clck' } : undefined;
      const answer = await call(method, `/${rule.ruleId}`, body);
      assert.deepEqual([answer.status, answer.json<{ code: string }>().code], [404, 'unknown_rule'], method);
    }
  });

  test('pages through the rules, oldest first', async (t) => {
    const { call, create } = await openProject(t);
    const made: RuleDocument[] = [];
    for (let place = 0; place < 5; place += 1) made.push(await create({ name: `rule ${place}`, type: 'clck' }));
    const listed: RuleDocument[] = [];
    for (let from: number | undefined = 0, pages = 0; from !== undefined; pages += 1) {
      const page: Page = (await call('GET', `?limit=2&from=${from}`)).json();
      listed.push(...page.rules);
      from = page.next;
      assert.ok(pages < 3);
    }
    assert.deepEqual(listed, made);
  });

  test('says everything that is wrong with a rule', async (t) => {
    const { call } = await openProject(t);
    const cases: readonly [body: object, code: string, sentence: RegExp][] = [
      [{ name: 'a\tb', type: 'page', xpath: '/a' }, 'rule_invalid', /holds a tab.*; a page has no xpath/],
      [
        { name: 'a', type: 'clck', xpath: '*a*b*c*d*e*f*g*h*i*j*k' },
        'rule_invalid',
        /more than 10 \*, and would be slow/,
      ],
      [
        { name: 'a', type: 'imp' },
        'bad_request',
        /The member type of the body must be one of page, clck, chng, sbmt\./,
      ],
      [{ name: 'a', type: 'clck', index: '1' }, 'bad_request', /The member index of the body must be integer/],
      [{ name: 'a', type: 'clck', regex: '(a+)+' }, 'bad_request', /The member regex of the body is not known here/],
    ];
    for (const [body, code, sentence] of cases) {
      const answer = await call('POST', '', body);
      assert.equal(answer.status, 400, JSON.stringify(body));
      assert.equal(answer.json<{ code: string }>().code, code);
      assert.match(answer.text, sentence);
    }
    assert.deepEqual((await call('GET', '')).json(), { rules: [] });
  });

  test('refuses rules that together would be slow to match', async (t) => {
    const { catalog, call, project } = await openProject(t);
    const none = { domain: null, path: null, query: null, index: null, value: null, href: null };
    const drafts = Array.from({ length: 100 }, (_, place) => ({
      ...none,
      name: 'a rule',
      type: 'clck' as const,
      xpath: `*${place}*`,
    }));
    await catalog.rules.import(project.ai, drafts);
    const answer = await call('POST', '', { name: 'one too many', type: 'clck', xpath: '*100*' });
    assert.deepEqual([answer.status, answer.json<{ code: string }>().code], [409, 'rule_limit']);
    assert.equal((await catalog.rules.list(project.ai)).length, 100);
  });

  test('opens no project to the token of another', async (t) => {
    const { catalog, call, create } = await openProject(t);
    const { ruleId } = await create({ name: 'mine', type: 'clck' });
    const other = await createProject(catalog);
    const theirs = await catalog.rules.create(other.ai, {
      name: 'theirs',
      type: 'clck',
      domain: null,
      path: null,
      query: null,
      xpath: null,
      index: null,
      value: null,
      href: null,
    });
    for (const [method, path] of [
      ['GET', ''],
      ['POST', ''],
      ['DELETE', `/${theirs.ruleId}`],
    ] as const) {
      const answer = await call(method, path, method === 'POST' ? { name: 'x', type: 'clck' } : undefined, other.ai);
      assert.deepEqual([answer.status, answer.text], [401, UNAUTHORIZED], method);
    }
    assert.equal((await call('DELETE', `/${theirs.ruleId}`)).status, 404);
    assert.equal((await catalog.rules.list(other.ai)).length, 1);
    assert.equal((await call('GET', `/${ruleId}`)).status, 200);
  });
});

describe('GET /projects/{uid}/rules.csv', () => {
  test('lists rules of all types, separated by tabs, in UTF-8 that says so', async (t) => {
    const { baseUrl, project, token, create } = await openProject(t);
    const url = `${baseUrl}/projects/${project.uid}/rules.csv`;
    const headers = { Authorization: `Token ${token}`, 'X-Client-Id': project.clientId };
    assert.equal(await (await fetch(url, { headers })).text(), 'ruleId\teventName\teventType\n');
    const click = await create({ name: '"去购买", now', type: 'clck', xpath: '/a' });
    const page = await create({ name: '首页', type: 'page', path: '/' });
    const response = await fetch(url, { headers });
    assert.equal(response.headers.get('Content-Type'), 'text/csv; charset=utf-8');
    assert.equal(
      await response.text(),
      `ruleId\teventName\teventType\n${click.ruleId}\t"去购买", now\tclck\n${page.ruleId}\t首页\tpage\n`,
    );
    assert.equal((await fetch(url, { headers, method: 'HEAD' })).status, 200);
  });

  test('needs the token of the project, as the export does', async (t) => {
    const { baseUrl, project, token, catalog } = await openProject(t);
    const other = await createProject(catalog);
    for (const [uid, headers] of [
      [project.uid, {}],
      [other.uid, { Authorization: token }],
      [project.uid, { Authorization: token, 'X-Client-Id': 'wrong' }],
      [project.ai, { Authorization: token }],
    ] as const) {
      const response = await fetch(`${baseUrl}/projects/${uid}/rules.csv`, { headers });
      assert.deepEqual([response.status, await response.text()], [401, UNAUTHORIZED]);
    }
    const url = `${baseUrl}/projects/${project.uid}/rules.csv`;
    assert.equal((await fetch(url, { method: 'POST' })).status, 405);
  });
});
