/**
 * Builds docs/openapi.json from the operations of our own API, so that what is described is what is checked.
 *
 * The calls of the Raw Data Export API have documents of their own (docs/api.md) and are not in it.
 */
import { STATUS_CODES } from 'node:http';
import type { TObject, TSchema } from 'typebox';
import { LogEntryDocument, ManifestDocument } from '../catalog/manifest-schema.ts';
import { ADS_OPERATIONS, TrackingLinkDocument } from './ads-routes.ts';
import type { Operation } from './api-operation.ts';
import { READ_ERASURE } from './erasure-routes.ts';
import { ErrorBody } from './error-body.ts';
import { LIST_LOG, READ_MANIFEST, READ_SERVER_KEY } from './manifest-routes.ts';
import { UnauthorizedBody } from './project-access.ts';
import { DOWNLOAD_REJECTED, LIST_REJECTED } from './rejected-routes.ts';
import { RULE_OPERATIONS } from './rule-routes.ts';
import { RuleBody, RuleDocument } from './rule-schema.ts';
import { READ_SETTINGS } from './settings-route.ts';

/** Every operation of our own API. */
export const OPERATIONS: readonly Operation[] = [
  READ_MANIFEST,
  LIST_LOG,
  READ_SERVER_KEY,
  READ_SETTINGS,
  LIST_REJECTED,
  DOWNLOAD_REJECTED,
  ...RULE_OPERATIONS,
  ...ADS_OPERATIONS,
  READ_ERASURE,
];

/** Schemas that the description names once. */
const COMPONENTS: Readonly<Record<string, TSchema>> = {
  Error: ErrorBody,
  LogEntry: LogEntryDocument,
  Manifest: ManifestDocument,
  Rule: RuleDocument,
  RuleDraft: RuleBody,
  TrackingLink: TrackingLinkDocument,
  Unauthorized: UnauthorizedBody,
};

/** Builds the OpenAPI 3.1 description, whose schemas are JSON Schema as TypeBox writes it. */
export function buildOpenApi(): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tidegate',
      version: '1',
      description:
        "Tidegate's own API, for its console, its command line and for whoever checks an export. HEAD works wherever GET does. " +
        'The calls of the Raw Data Export API 2.0 are described in docs/api.md.',
    },
    paths: Object.fromEntries(
      [...Map.groupBy(OPERATIONS, ({ path }) => path)].map(([path, operations]) => [
        path,
        Object.fromEntries(operations.map((each) => [(each.method ?? 'GET').toLowerCase(), describeOperation(each)])),
      ]),
    ),
    components: {
      securitySchemes: {
        token: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: 'A token of the project, from POST /auth/token, with or without the word Token before it.',
        },
      },
      schemas: Object.fromEntries(
        Object.entries(COMPONENTS).map(([name, schema]) => [name, describeSchema(schema, schema)]),
      ),
    },
  };
}

function describeOperation({ id, summary, access, params, query, body, mediaType, responses }: Operation): object {
  return {
    operationId: id,
    summary,
    security: access === 'project' ? [{ token: [] }] : [],
    parameters: [...describeParameters('path', params), ...describeParameters('query', query)],
    ...(body && { requestBody: { required: true, ...describeContent(body) } }),
    responses: Object.fromEntries(
      Object.entries(responses).map(([status, schema]) => [
        status,
        {
          description: STATUS_CODES[status] ?? status,
          ...(status !== '204' && describeContent(schema, status === '200' ? mediaType : undefined)),
        },
      ]),
    ),
  };
}

function describeContent(schema: TSchema, mediaType = 'application/json'): object {
  return { content: { [mediaType]: { schema: describeSchema(schema) } } };
}

function describeParameters(place: 'path' | 'query', object: TObject | undefined): object[] {
  return Object.entries(object?.properties ?? {}).map(([name, schema]) => {
    const { description, ...rest } = describeSchema(schema) as { readonly description?: string };
    return { name, in: place, required: place === 'path', description, schema: rest };
  });
}

/** Copies a schema, with references in the place of the components that it holds. */
function describeSchema(schema: unknown, component?: TSchema): object {
  const known = Object.entries(COMPONENTS).find(([, candidate]) => candidate === schema && candidate !== component);
  if (known) return { $ref: `#/components/schemas/${known[0]}` };
  if (Array.isArray(schema)) return schema.map((item) => describeValue(item));
  return Object.fromEntries(Object.entries(schema as object).map(([key, value]) => [key, describeValue(value)]));
}

function describeValue(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? describeSchema(value) : value;
}
