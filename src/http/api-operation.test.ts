import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { fastify } from 'fastify';
import { pino } from 'pino';
import { Type } from 'typebox';
import { answerError } from './api-errors.ts';
import { addProjectOperations, type Operation } from './api-operation.ts';
import { createProject, NOW_MS, openTestApi } from './api.test-helper.ts';
import { ErrorBody } from './error-body.ts';
import { atEnd } from '../../test/helpers/at-end.ts';

const params = Type.Object({ uid: Type.String({ pattern: '^[0-9a-z]{8}$' }) }, { additionalProperties: false });
const described = { params, access: 'project', summary: 'Is for this test.', path: '/api/v1/of/{uid}/things' } as const;
const LIST: Operation = { ...described, id: 'list', responses: { 200: Type.Object({}), 401: ErrorBody } };
const CREATE: Operation = {
  ...described,
  id: 'create',
  method: 'POST',
  body: Type.Object(
    { name: Type.String({ minLength: 1 }), size: Type.Optional(Type.Integer({ minimum: 0 })) },
    { additionalProperties: false },
  ),
  maxBodyBytes: 100,
  responses: { 201: Type.Object({ name: Type.String(), by: Type.String() }) },
};
const DELETE: Operation = { ...described, id: 'delete', method: 'DELETE', responses: { 204: Type.Null() } };

/** Two ways and a third of one path, and calls of it. */
async function openThings(t: TestContext) {
  const { catalog, clock } = await openTestApi(t);
  const project = await createProject(catalog);
  const token = await catalog.tokens.create(project.ai, NOW_MS);
  const app = fastify({ ajv: { customOptions: { removeAdditional: false } } });
  atEnd(t, () => app.close());
  app.removeAllContentTypeParsers();
  app.setErrorHandler((error, request, reply) => answerError(pino({ level: 'silent' }), error, request, reply));
  addProjectOperations(app, { catalog, clock }, [
    [LIST, async (_project, _request, reply) => reply.send({})],
    [
      CREATE,
      async ({ name: by }, { body }, reply) => reply.code(201).send({ name: (body as { name: string }).name, by }),
    ],
    [DELETE, async (_project, _request, reply) => reply.code(204).send()],
  ]);
  await app.ready();
  const call = async (
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    payload?: string | Buffer,
    headers: Readonly<Record<string, string>> = { authorization: token },
  ) => {
    const answer = await app.inject({
      method,
      url: `/api/v1/of/${project.uid}/things`,
      headers,
      ...(payload && { payload }),
    });
    return { status: answer.statusCode, text: answer.body, headers: answer.headers };
  };
  return { call, token };
}

describe('addProjectOperations', () => {
  test('does what each method of a path is for, and names them all to any other', async (t) => {
    const { call } = await openThings(t);
    assert.equal((await call('GET')).text, '{}');
    const created = await call('POST', '{"name":"a"}');
    assert.deepEqual([created.status, created.text], [201, '{"name":"a","by":"shop"}']);
    assert.equal(created.headers['cache-control'], 'no-store');
    assert.deepEqual([(await call('DELETE')).status, (await call('DELETE')).text], [204, '']);
    const refused = await call('PUT', '{}');
    assert.deepEqual([refused.status, refused.headers.allow], [405, 'GET, HEAD, POST, DELETE']);
  });

  test('takes a body of any Content-Type for the JSON that it is', async (t) => {
    const { call, token } = await openThings(t);
    for (const type of ['application/json', 'text/plain,text/plain', 'x', 'application/x-www-form-urlencoded']) {
      const { status } = await call('POST', '{"name":"a"}', { authorization: token, 'content-type': type });
      assert.equal(status, 201, type);
    }
  });

  test('says what is wrong with a body, and changes no value to make it fit', async (t) => {
    const { call } = await openThings(t);
    const cases: readonly [body: string | Buffer, sentence: RegExp][] = [
      ['', /The body is missing; send a JSON object\./],
      ['{"name":', /The body is no JSON/],
      [Buffer.from('{"name":"\xff"}', 'latin1'), /The body is no JSON in UTF-8/],
      ['['.repeat(100), /The body is no JSON/],
      ['[]', /The body must be object\./],
      ['{}', /The body must have required properties name\./],
      ['{"name":""}', /The member name of the body must not have fewer than 1 characters\./],
      ['{"name":5}', /The member name of the body must be string\./],
      ['{"name":"a","size":"5"}', /The member size of the body must be integer\./],
      ['{"name":"a","siez":5}', /The member siez of the body is not known here\./],
      ['{"name":"a","__proto__":{}}', /The member __proto__ of the body is not known here\./],
    ];
    for (const [body, sentence] of cases) {
      const answer = await call('POST', body);
      assert.equal(answer.status, 400, String(body));
      assert.match(answer.text, sentence);
      assert.match(answer.text, /"code":"bad_request"/);
    }
  });

  test('says how large a body may be', async (t) => {
    const { call } = await openThings(t);
    const answer = await call('POST', `{"name":"${'a'.repeat(100)}"}`);
    assert.equal(answer.status, 413);
    assert.match(answer.text, /"code":"too_large","message":"The body is larger than 100 bytes\./);
  });

  test('tells a stranger nothing, not even that a body is too large or no JSON', async (t) => {
    const { call } = await openThings(t);
    for (const body of ['', '{', 'x'.repeat(200), '{"name":"a"}']) {
      const answer = await call('POST', body, {});
      assert.deepEqual([answer.status, answer.text], [401, '{"message":"Unauthorized","errors":[]}']);
    }
  });
});
