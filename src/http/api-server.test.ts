import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Counter, Registry } from 'prom-client';
import type { Catalog } from '../catalog/catalog.ts';
import { AppError } from '../errors/app-error.ts';
import { createProject, NOW_MS, openTestApi } from './api.test-helper.ts';
import type { CollectHandler } from './server.ts';

/** Sends one GET with exactly this target and gives the status and the body. */
async function getRaw(port: number, target: string, method = 'GET'): Promise<{ status: number; body: string }> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const answer = await text(socket);
  return { status: Number(answer.slice(9, 12)), body: answer.slice(answer.indexOf('\r\n\r\n') + 4) };
}

describe('openApi', () => {
  test('answers an unknown path with 404, what to do, and the request id', async (t) => {
    const { baseUrl, logged } = await openTestApi(t);
    const paths = [
      '/',
      '/nothing',
      '/a/b',
      '/a/b/c/d/e/f/g',
      '/v2/insights',
      '/v2/insights/hour/page/x/2018070100',
      '/%00',
    ];
    for (const path of paths) {
      const response = await fetch(`${baseUrl}${path}`);
      const body = (await response.json()) as Record<string, string>;
      assert.equal(response.status, 404, path);
      assert.deepEqual(body, {
        code: 'not_found',
        message: 'There is nothing at this path. Check the path against docs/api.md.',
        requestId: response.headers.get('X-Request-Id'),
      });
    }
    const posted = await fetch(`${baseUrl}/nothing`, {
      method: 'POST',
      body: '<x/>',
      headers: { 'Content-Type': ';;' },
    });
    assert.equal(posted.status, 404);
    assert.deepEqual(logged, []);
  });

  test('answers a known path with another method with 405 and the methods it takes', async (t) => {
    const { baseUrl } = await openTestApi(t);
    for (const path of ['/healthz', '/readyz', '/metrics', '/v2/insights/hour/page/x/2018070100.json']) {
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        const headers = { 'Content-Type': 'text/plain,text/plain' };
        const response = await fetch(`${baseUrl}${path}`, { method, headers, ...(method === 'POST' && { body: 'x' }) });
        assert.equal(response.status, 405, `${method} ${path}`);
        assert.equal(response.headers.get('Allow'), 'GET, HEAD');
        assert.equal(((await response.json()) as { code: string }).code, 'method_not_allowed');
      }
    }
  });

  test('never answers a malformed URL with a server error or a stack trace', async (t) => {
    const { port, logged } = await openTestApi(t);
    const targets = [
      '/%',
      '/%zz',
      '/%c3%28',
      '/%E0%A4%A',
      '/v2/insights/hour/page/%zz/2018070100.json',
      '/v2/insights/hour/page/x/%zz.json',
      '/v2/insights/../../etc/passwd',
      '/../../../../etc/passwd',
      '/..%2f..%2fetc%2fpasswd',
      '/a/..',
      '/./.',
      '/?',
      '/??&&==',
      '/a?%zz=%zz',
      '/a;b=c/d',
      '/a#b',
      '//',
      '////a//b',
      '*',
      'http://other.test/healthz/x',
      '/\u00ff\u00fe',
      '/__proto__/constructor',
      `/${'a'.repeat(300)}`,
      `/${'a'.repeat(5000)}`,
      `/${'a/'.repeat(4000)}`,
      `/${'%20'.repeat(4000)}`,
      `/${'a'.repeat(20_000)}`,
      `/v2/insights/hour/page/${'a'.repeat(5000)}/2018070100.json`,
      `/v2/insights/hour/page/x/${'1'.repeat(5000)}.json`,
      `/healthz/${'?a=b&'.repeat(2000)}`,
    ];
    for (const target of targets) {
      const { status, body } = await getRaw(port, target);
      const what = `${target.slice(0, 60)}: ${status} ${body}`;
      assert.ok([400, 401, 404, 414].includes(status), what);
      assert.doesNotMatch(body, /node_modules|\.ts:|\.js:|\n\s+at /, what);
      assert.doesNotThrow(() => JSON.parse(body) as unknown, what);
    }
    for (const method of ['PROPFIND', 'TRACE', 'QUERY', 'M-SEARCH']) {
      assert.ok([404, 405].includes((await getRaw(port, '/healthz', method)).status), method);
    }
    assert.deepEqual(logged, []);
  });

  test('answers an unforeseen error with a fixed sentence and logs it once with its cause', async (t) => {
    const error = new Error('secret', { cause: new Error('the deeper reason') });
    const { response, token, logged } = await askFailingApi(t, error);
    assert.equal(response.status, 500);
    assert.deepEqual(await response.json(), {
      code: 'internal',
      message: 'The server could not answer this request. Look at the server log for this request id.',
      requestId: response.headers.get('X-Request-Id'),
    });
    assert.equal(logged.length, 1);
    assert.match(JSON.stringify(logged[0]), /secret.*the deeper reason/);
    assert.equal(logged[0]?.requestId, response.headers.get('X-Request-Id'));
    assert.doesNotMatch(JSON.stringify(logged[0]), new RegExp(token));
  });

  test('answers an error of the catalogue with its status, a fixed sentence and Retry-After', async (t) => {
    const error = new AppError('store_unavailable', '/data/catalog.sqlite is locked.', { retryAfterSeconds: 7 });
    const { response, logged } = await askFailingApi(t, error);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('Retry-After'), '7');
    const body = (await response.json()) as { code: string; message: string };
    assert.equal(body.code, 'store_unavailable');
    assert.doesNotMatch(body.message, /sqlite/);
    assert.equal(logged.length, 1);
  });

  test('takes the end of a connection in the middle of a body for no fault of its own', async (t) => {
    const begun = Promise.withResolvers<ServerResponse>();
    const handleCollect: CollectHandler = (_req, res) => {
      begun.resolve(res);
      return false;
    };
    const { port, baseUrl, logged } = await openTestApi(t, { server: { handleCollect } });
    const socket = connect(port, '127.0.0.1');
    socket.write('POST /auth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nproject=');
    const closed = once(await begun.promise, 'close');
    socket.resetAndDestroy();
    await closed;
    assert.equal((await fetch(`${baseUrl}/healthz`)).status, 200);
    assert.deepEqual(logged, []);
  });

  test('says that it is alive, whether it is ready and why not, and its metrics', async (t) => {
    const metrics = new Registry();
    new Counter({ name: 'tidegate_test_total', help: 'x', registers: [metrics] }).inc(3);
    const disk: { fault?: string } = {};
    const readinessChecks = [
      { name: 'catalog', check: () => undefined },
      { name: 'disk', check: () => disk.fault },
    ];
    const { baseUrl } = await openTestApi(t, { metrics, readinessChecks });
    const get = async (path: string) => {
      const response = await fetch(`${baseUrl}${path}`);
      return [response.status, await response.text()];
    };
    assert.deepEqual(await get('/healthz'), [200, '{"status":"alive"}']);
    const checks = [{ name: 'catalog', isOk: true }];
    assert.deepEqual(await get('/readyz'), [
      200,
      JSON.stringify({ status: 'ready', checks: [...checks, { name: 'disk', isOk: true }] }),
    ]);
    disk.fault = 'The disk has 2 % left.';
    assert.deepEqual(await get('/readyz'), [
      503,
      JSON.stringify({ status: 'not ready', checks: [...checks, { name: 'disk', isOk: false, message: disk.fault }] }),
    ]);
    const [status, exposed] = await get('/metrics');
    assert.equal(status, 200);
    assert.match(String(exposed), /tidegate_test_total 3/);
    const head = await fetch(`${baseUrl}/readyz`, { method: 'HEAD' });
    assert.deepEqual([head.status, await head.text()], [503, '']);
  });
});

/** What a server whose task table throws answers to an export call. */
async function askFailingApi(t: TestContext, error: Error) {
  const { catalog } = await openTestApi(t);
  const { ai } = await createProject(catalog);
  const token = await catalog.tokens.create(ai, NOW_MS);
  const tasks = { list: () => Promise.reject(error) } as unknown as Catalog['tasks'];
  const { baseUrl, logged } = await openTestApi(t, { catalog: { ...catalog, tasks, close: () => Promise.resolve() } });
  const response = await fetch(`${baseUrl}/v2/insights/hour/page/${ai}/2018070100.json`, {
    headers: { Authorization: token },
  });
  return { response, token, logged };
}
