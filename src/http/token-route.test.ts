import assert from 'node:assert/strict';
import { request } from 'node:http';
import { describe, test } from 'node:test';
import type { Project } from '../catalog/catalog.ts';
import { createProject, NOW_MS, openTestApi, signToken, tokenBody, type TestApi } from './api.test-helper.ts';

const UNAUTHORIZED = { message: 'Unauthorized', errors: [] };

type Call = {
  readonly body?: string | Buffer;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Calls with exactly these headers; fetch would add a Content-Type. */
function postToken({ port }: TestApi, { body, query = '', headers = {} }: Call) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
    const call = request({ port, host: '127.0.0.1', method: 'POST', path: `/auth/token${query}`, headers }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => (text += chunk));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body: text }));
    });
    call.on('error', reject);
    call.end(body);
  });
}

function valuesOf(project: Project, tm = NOW_MS) {
  const [, uid, ai, time, auth] = /^project=(.*)&ai=(.*)&tm=(.*)&auth=(.*)$/.exec(tokenBody(project, tm))!;
  return { project: uid, ai, tm: time, auth };
}

describe('POST /auth/token', () => {
  test('gives a token of 64 letters and digits that opens the project', async (t) => {
    const api = await openTestApi(t);
    const project = await createProject(api.catalog);
    const headers = { 'X-Client-Id': project.clientId };
    const answer = await postToken(api, { body: tokenBody(project, NOW_MS), headers });
    assert.equal(answer.status, 200);
    assert.match(answer.body, /^\{"status":"success","code":"[0-9A-Za-z]{64}"\}$/);
    const { code } = JSON.parse(answer.body) as { code: string };
    assert.equal((await api.catalog.tokens.findProject(code, NOW_MS))?.ai, project.ai);
  });

  test('takes the parameters in every way clients send them, whatever the Content-Type', async (t) => {
    const api = await openTestApi(t);
    const project = await createProject(api.catalog);
    const text = tokenBody(project, NOW_MS);
    const values = valuesOf(project);
    const calls: Record<string, Call> = {
      'raw text': { body: text },
      'raw text with a line feed': { body: `${text}\r\n` },
      'form in another order': { body: text.split('&').reverse().join('&') },
      'percent-encoded form': { body: text.replace('project', '%70roject') },
      JSON: { body: JSON.stringify(values) },
      'JSON with a number': { body: ` ${JSON.stringify({ ...values, tm: NOW_MS })}` },
      query: { query: `?${text}` },
      'query beside an empty JSON object': { query: `?${text}`, body: '{}' },
      'query beside a blank': { query: `?${text}`, body: ' ' },
    };
    const types = [
      undefined,
      'text/plain',
      'text/plain,text/plain',
      'text/plain; charset=utf-8',
      'application/x-www-form-urlencoded',
      'application/json',
      'application/octet-stream',
      'multipart/form-data',
      'nonsense',
      ';;;',
      '',
    ];
    for (const [what, call] of Object.entries(calls)) {
      for (const type of types) {
        const headers = { 'x-client-id': project.clientId, ...(type !== undefined && { 'Content-Type': type }) };
        const answer = await postToken(api, { ...call, headers });
        assert.equal(answer.status, 200, `${what} as ${String(type)}: ${answer.body}`);
      }
    }
  });

  test('takes a chunked body', async (t) => {
    const api = await openTestApi(t);
    const project = await createProject(api.catalog);
    const headers = { 'X-Client-Id': project.clientId, 'Transfer-Encoding': 'chunked' };
    assert.equal((await postToken(api, { body: tokenBody(project, NOW_MS), headers })).status, 200);
  });

  test('takes ai before project in the signed text, and the proof in upper case', async (t) => {
    const api = await openTestApi(t);
    const project = await createProject(api.catalog);
    const { project: uid, ai, tm } = valuesOf(project);
    const auth = signToken(project.secret, `ai=${ai}&project=${uid}&tm=${tm}`).toUpperCase();
    const headers = { 'X-Client-Id': project.clientId };
    assert.equal(
      (await postToken(api, { body: `project=${uid}&ai=${ai}&tm=${tm}&auth=${auth}`, headers })).status,
      200,
    );
  });

  test('says which parameters are missing or malformed', async (t) => {
    const api = await openTestApi(t);
    const project = await createProject(api.catalog);
    const { project: uid, ai, tm, auth } = valuesOf(project);
    const cases: [string, RegExp][] = [
      ['', /project is missing.*ai is missing.*tm is missing.*auth is missing/],
      [`project=${uid}&ai=${ai}&tm=${tm}`, /auth is missing/],
      [`project=&ai=${ai}&tm=${tm}&auth=${auth}`, /project is missing/],
      [`project=${uid}&project=${uid}&ai=${ai}&tm=${tm}&auth=${auth}`, /project is given more than once/],
      [`project=${uid}&ai=${ai}&tm=yesterday&auth=${auth}`, /tm is no time/],
      [`project=${uid}&ai=${ai}&tm=-5&auth=${auth}`, /tm is no time/],
      ['{"project":', /like JSON/],
      ['{"project":{"__proto__":1},"ai":[],"tm":null,"auth":true}', /project is missing/],
      ['\0\uFFFD\u0000', /project is missing/],
    ];
    for (const [body, errors] of cases) {
      const answer = await postToken(api, { body, headers: { 'X-Client-Id': project.clientId } });
      const parsed = JSON.parse(answer.body) as { message: string; errors: string[] };
      assert.equal(answer.status, 400, body);
      assert.deepEqual(Object.keys(parsed), ['message', 'errors']);
      assert.match(parsed.errors.join(' '), errors);
    }
  });

  test('tells nothing but Unauthorized when the proof, the project or the public key is wrong', async (t) => {
    const api = await openTestApi(t);
    const project = await createProject(api.catalog);
    const other = await createProject(api.catalog);
    const body = tokenBody(project, NOW_MS);
    const { project: uid, ai, tm } = valuesOf(project);
    const clientId = { 'X-Client-Id': project.clientId };
    const crossed = `project=${uid}&ai=${other.ai}&tm=${tm}`;
    const calls: Record<string, Call> = {
      'another proof': { body: body.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')), headers: clientId },
      'no hex proof': { body: `project=${uid}&ai=${ai}&tm=${tm}&auth=please`, headers: clientId },
      'another time': { body: body.replace(String(NOW_MS), String(NOW_MS + 1)), headers: clientId },
      'an unknown project': { body: tokenBody({ ...project, uid: 'nobody00' }, NOW_MS), headers: clientId },
      "another project's ai": { body: `${crossed}&auth=${signToken(project.secret, crossed)}`, headers: clientId },
      "another project's secret": { body: tokenBody({ ...project, secret: other.secret }, NOW_MS), headers: clientId },
      "another project's public key": { body, headers: { 'X-Client-Id': other.clientId } },
      'no public key': { body },
    };
    for (const [what, call] of Object.entries(calls)) {
      const answer = await postToken(api, call);
      assert.equal(answer.status, 401, what);
      assert.equal(answer.body, JSON.stringify(UNAUTHORIZED), what);
    }
  });

  test('takes a client clock up to 15 minutes off, and says so when it is further', async (t) => {
    const api = await openTestApi(t);
    const project = await createProject(api.catalog);
    const headers = { 'X-Client-Id': project.clientId };
    for (const off of [-900_000, 900_000]) {
      assert.equal((await postToken(api, { body: tokenBody(project, NOW_MS + off), headers })).status, 200);
    }
    for (const tm of [NOW_MS - 900_001, NOW_MS + 900_001, Math.floor(NOW_MS / 1000), 0, 999_999_999_999_999]) {
      const answer = await postToken(api, { body: tokenBody(project, tm), headers });
      const parsed = JSON.parse(answer.body) as { message: string; errors: string[] };
      assert.equal(answer.status, 401);
      assert.equal(parsed.message, 'Unauthorized');
      assert.match(parsed.errors.join(), /^tm is \d+ s (behind|ahead of) the server's clock/);
    }
  });

  test('refuses a body over 64 KiB, also one of unknown length, and goes on serving', async (t) => {
    const api = await openTestApi(t);
    const project = await createProject(api.catalog);
    for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }] as Record<string, string>[]) {
      const answer = await postToken(api, { body: Buffer.alloc(65_537, 'a'), headers });
      assert.equal(answer.status, 413);
      assert.deepEqual(Object.keys(JSON.parse(answer.body) as object), ['message', 'errors']);
    }
    const body = tokenBody(project, NOW_MS);
    const padded = `${body}&padding=${'x'.repeat(65_536 - body.length - '&padding='.length)}`;
    assert.equal((await postToken(api, { body: padded, headers: { 'X-Client-Id': project.clientId } })).status, 200);
    assert.deepEqual(api.logged, []);
  });

  test('takes no other method', async (t) => {
    const api = await openTestApi(t);
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
      const response = await fetch(`${api.baseUrl}/auth/token`, { method });
      assert.equal(response.status, 405, method);
      assert.equal(response.headers.get('Allow'), 'POST');
      assert.equal(((await response.json()) as { code: string }).code, 'method_not_allowed');
    }
  });
});
