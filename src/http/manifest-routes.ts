/**
 * What proves an export: the manifest of an hour, the publication log of a project, and the key that both are signed with.
 *
 * A manifest is served as long as it is kept, whatever became of the hour's task since: an import that is being exported makes a
 * new revision, and the one before goes on telling what was published before.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Type, type Static } from 'typebox';
import type { Catalog, Project } from '../catalog/catalog.ts';
import { LogEntryDocument, ManifestDocument } from '../catalog/manifest-schema.ts';
import { buildPublicLogEntry, buildPublicManifest } from '../catalog/public-manifest.ts';
import { keyIdOf } from '../catalog/server-keys.ts';
import { AppError } from '../errors/app-error.ts';
import { addHours, formatBeijingHour, parseBeijingHour, type Hour } from '../events/hour.ts';
import type { Clock } from '../lib/clock.ts';
import { addProjectOperation, addPublicOperation, type Operation } from './api-operation.ts';
import { ErrorBody } from './error-body.ts';
import { decideExport } from './export-status.ts';
import { UnauthorizedBody } from './project-access.ts';

export type ManifestRouteOptions = {
  readonly catalog: Pick<Catalog, 'tokens' | 'tasks' | 'manifests' | 'settings' | 'serverKeys'>;
  readonly clock: Clock;
  readonly retentionDays: number;
};

const DEFAULT_LOG_LIMIT = 100;
const MAX_LOG_LIMIT = 1_000;
/** Far beyond any log or revision, and exact in every JSON reader. */
const MAX_NUMBER = 2 ** 31 - 1;

const ai = Type.String({ pattern: '^[0-9A-Za-z-]{1,64}$', description: 'Public id of the project.' });

const ManifestParams = Type.Object(
  { ai, hour: Type.String({ pattern: '^\\d{10}$', description: 'The hour, yyyyMMddHH in Beijing time.' }) },
  { additionalProperties: false },
);
const ManifestQuery = Type.Object(
  {
    revision: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MAX_NUMBER, description: 'An older revision. Default: the newest.' }),
    ),
  },
  { additionalProperties: false },
);

export const READ_MANIFEST: Operation = {
  id: 'readManifest',
  path: '/api/v1/projects/{ai}/hours/{hour}/manifest',
  summary: 'Reads what a published hour holds: its packages, their checksums, and its ledger.',
  access: 'project',
  params: ManifestParams,
  query: ManifestQuery,
  responses: { 200: ManifestDocument, 400: ErrorBody, 401: UnauthorizedBody, 404: ErrorBody },
};

const LogParams = Type.Object({ ai }, { additionalProperties: false });
const LogQuery = Type.Object(
  {
    from: Type.Integer({ minimum: 1, maximum: MAX_NUMBER, default: 1, description: 'The seq to begin with.' }),
    limit: Type.Integer({
      minimum: 1,
      maximum: MAX_LOG_LIMIT,
      default: DEFAULT_LOG_LIMIT,
      description: 'The most entries to answer.',
    }),
  },
  { additionalProperties: false },
);
const LogPage = Type.Object({
  entries: Type.Array(LogEntryDocument, { description: 'Entries in the order of their seq.' }),
  next: Type.Optional(
    Type.Integer({ description: 'The `from` of the next page; absent when this one reaches the end of the log.' }),
  ),
});

export const LIST_LOG: Operation = {
  id: 'listPublications',
  path: '/api/v1/projects/{ai}/log',
  summary: 'Lists the publication log of a project, also the entries of hours that are not kept any more.',
  access: 'project',
  params: LogParams,
  query: LogQuery,
  responses: { 200: LogPage, 400: ErrorBody, 401: UnauthorizedBody },
};

const ServerKey = Type.Object({
  publicKeyPem: Type.String({ description: 'Public key of the signatures, SPKI in PEM.' }),
  keyId: Type.String({ description: 'First 16 hex digits of the SHA-256 of the key in DER.' }),
  algorithm: Type.Literal('Ed25519', { description: 'Algorithm of the signatures.' }),
  manifest: Type.String({ description: 'Path of the manifests, with {ai} and {hour} for what varies.' }),
});

export const READ_SERVER_KEY: Operation = {
  id: 'readServerKey',
  path: '/.well-known/tidegate.json',
  summary: 'Reads the public key that manifests and log entries are signed with.',
  access: 'anybody',
  responses: { 200: ServerKey },
};

/** Adds the manifest, the publication log and the server's key. */
export function addManifestRoutes(app: FastifyInstance, options: ManifestRouteOptions): void {
  const { publicKeyPem } = options.catalog.serverKeys;
  const serverKey: Static<typeof ServerKey> = {
    publicKeyPem,
    keyId: keyIdOf(publicKeyPem),
    algorithm: 'Ed25519',
    manifest: READ_MANIFEST.path,
  };
  addPublicOperation(app, READ_SERVER_KEY, (_request, reply) => reply.send(serverKey));
  addProjectOperation(app, READ_MANIFEST, options, (project, request, reply) => {
    const { hour } = request.params as Static<typeof ManifestParams>;
    const { revision } = request.query as Static<typeof ManifestQuery>;
    return answerManifest(options, { project, hourText: hour, revision, reply });
  });
  addProjectOperation(app, LIST_LOG, options, async (project, request, reply): Promise<FastifyReply> => {
    const { from, limit } = request.query as Static<typeof LogQuery>;
    const listed = await options.catalog.manifests.listLog(project.ai, { fromSeq: from, limit: limit + 1 });
    const entries = listed.slice(0, limit).map(buildPublicLogEntry);
    const page: Static<typeof LogPage> = { entries, ...(listed.length > limit && { next: listed[limit]!.seq }) };
    return reply.send(page);
  });
}

type AskedManifest = {
  readonly project: Project;
  readonly hourText: string;
  readonly revision: number | undefined;
  readonly reply: FastifyReply;
};

async function answerManifest(
  options: ManifestRouteOptions,
  { project, hourText, revision, reply }: AskedManifest,
): Promise<FastifyReply> {
  const { manifests } = options.catalog;
  const hour = parseBeijingHour(hourText);
  if (hour === undefined) {
    throw new AppError(
      'bad_request',
      `${hourText} is no hour; write yyyyMMddHH in Beijing time, with HH from 00 to 23.`,
    );
  }
  const manifest = await (revision === undefined
    ? manifests.newest(project.ai, hour)
    : manifests.read(project.ai, hour, revision));
  if (!manifest) throw await noManifestError(options, project, hour, revision);
  const document: Static<typeof ManifestDocument> = buildPublicManifest(manifest);
  return reply.send(document);
}

/** Makes the error that says why there is no such manifest. */
async function noManifestError(
  { catalog, clock, retentionDays }: ManifestRouteOptions,
  { ai }: Project,
  hour: Hour,
  revision: number | undefined,
): Promise<AppError> {
  const hours = { from: hour, until: addHours(hour, 1) };
  const echo = formatBeijingHour(hour);
  const kept = await catalog.manifests.listRevisions(ai, hours);
  if (kept.length > 0 && revision !== undefined) {
    const newest = kept.at(-1)!.revision;
    const which =
      revision > newest ? `has no revision ${revision} yet` : `does not keep its revision ${revision} any more`;
    return new AppError('no_manifest', `Hour ${echo} (Beijing time) ${which}; its newest is ${newest}.`);
  }
  const nowMs = clock.nowMs();
  const state = decideExport({
    date: { exportType: 'hour', echo, hours },
    nowMs,
    settings: catalog.settings.of(ai),
    retainedFrom: catalog.settings.of(ai).keptFrom(nowMs, retentionDays),
    tasks: await catalog.tasks.list(ai, hours),
  });
  if (state.status === 'FINISHED') {
    const sentence = `Hour ${echo} (Beijing time) is being published at this moment.`;
    return new AppError('no_manifest', sentence, { retryAfterSeconds: 1 });
  }
  const { errorMsg, retryAfterSeconds } = state;
  return new AppError('no_manifest', errorMsg, { ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) });
}
