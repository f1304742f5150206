import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { renderOpenApi } from '../../scripts/openapi.ts';
import { HourLogReader } from '../store/hour-log/hour-log-reader.ts';
import { openTestApi, SETTING_DEFAULTS } from './api.test-helper.ts';
import { openApi } from './api-server.ts';
import { CallLimit } from './call-limit.ts';
import { buildOpenApi, OPERATIONS } from './openapi.ts';
import { atEnd } from '../../test/helpers/at-end.ts';

type Json = Readonly<Record<string, unknown>>;

/** Every schema inside a value, with where it stands. */
function* schemasIn(value: unknown, place: string): Generator<[place: string, schema: Json]> {
  if (typeof value !== 'object' || value === null) return;
  if ('type' in value && typeof value.type === 'string') yield [place, value];
  for (const [key, member] of Object.entries(value)) yield* schemasIn(member, `${place}/${key}`);
}

/** Reads fastify's picture of its routes, in which a path that goes on from another stands under it. */
function routesOf(picture: string): readonly string[] {
  const parents: string[] = [];
  return [...picture.matchAll(/^([│ ]*)[├└]── (\S+) \(/gm)].map(([, indent, path]) => {
    const depth = indent!.length / 4;
    parents[depth] = (parents[depth - 1] ?? '') + path!;
    return parents[depth];
  });
}

describe('docs/openapi.json', () => {
  test('is as the operations say (else run: node scripts/openapi.ts)', async () => {
    const text = readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8');
    assert.ok(text === (await renderOpenApi()));
  });

  test('points to nothing that it does not hold', () => {
    const document = buildOpenApi() as { readonly components: { readonly schemas: Json } };
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)];
    assert.ok(references.length > 0);
    for (const [, name] of references) assert.ok(document.components.schemas[name!], name);
  });

  test('names exactly the parameters that each path has', () => {
    for (const { id, path, params } of OPERATIONS) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      assert.deepEqual(Object.keys(params?.properties ?? {}), inPath, id);
    }
  });
});

describe('the operations of our own API', () => {
  test('have a name of their own, a summary, and an answer for every refusal', () => {
    assert.equal(new Set(OPERATIONS.map(({ id }) => id)).size, OPERATIONS.length);
    for (const { id, summary, access, responses, params, query, body } of OPERATIONS) {
      assert.match(summary, /^[A-Z].*\.$/, id);
      assert.ok(responses[200] ?? responses[201] ?? responses[202] ?? responses[204], id);
      assert.equal(responses[401] !== undefined, access === 'project', id);
      assert.equal(responses[400] !== undefined, (params ?? query ?? body) !== undefined, id);
      assert.equal(responses[413] !== undefined, body !== undefined, id);
    }
  });

  test('describe every property, and take no parameter that they do not know', () => {
    for (const { id, params, query, body, responses } of OPERATIONS) {
      for (const object of [params, query, body]) {
        if (object) assert.equal((object as { additionalProperties?: unknown }).additionalProperties, false, id);
      }
      for (const part of [params, query, body, ...Object.values(responses)]) {
        for (const [place, schema] of schemasIn(part, id)) {
          for (const [name, property] of Object.entries((schema.properties ?? {}) as Record<string, Json>)) {
            assert.ok(property.description, `${place}/${name} has no description`);
          }
        }
      }
    }
  });

  test('are served, and nothing else is under their roots', async (t) => {
    const { baseUrl, catalog, packages, clock } = await openTestApi(t);
    const app = await openApi({
      catalog,
      packages,
      clock,
      logger: pino({ level: 'silent' }),
      metrics: new Registry(),
      readinessChecks: [],
      callLimit: new CallLimit({ callsPerSecond: 0 }),
      retentionDays: 15,
      settingDefaults: SETTING_DEFAULTS,
      store: { prepare: () => Promise.resolve() },
      reader: new HourLogReader('nowhere'),
      linkSchemes: [],
    });
    atEnd(t, () => app.close());
    const routes = routesOf(app.printRoutes({ commonPrefix: false })).filter((url) =>
      /^\/(api|\.well-known)\//.test(url),
    );
    assert.deepEqual(
      new Set(routes),
      // The router names a parameter by all the names that it has in any path.
      new Set(
        OPERATIONS.map(({ path }) => path.replaceAll(/\{(ai|uid)\}/g, ':ai|:uid').replaceAll(/\{(\w+)\}/g, ':$1')),
      ),
    );
    for (const [path, operations] of Map.groupBy(OPERATIONS, (operation) => operation.path)) {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        const operation = operations.find((each) => (each.method ?? 'GET') === method);
        const { status } = await fetch(baseUrl + path.replaceAll(/\{\w+\}/g, 'x'), { method });
        assert.equal(status, !operation ? 405 : operation.access === 'project' ? 401 : 200, `${method} ${path}`);
      }
    }
  });
});
