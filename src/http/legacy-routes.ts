/**
 * The export call of the 1.0 API: `GET /insights/{ai}/{date}.json`, with 8 digits for a day and 10 for an hour.
 *
 * Checks, turns and statuses are those of the 2.0 calls (insights-routes.ts). An hour that 2.0 has finished may still have no 1.0
 * packages: then this call has them made and is told RUNNING. The answer has two members, because that is all the document has.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Catalog, Project } from '../catalog/catalog.ts';
import type { LegacyPackage, WantedHour } from '../catalog/legacy-export.ts';
import { parseExportDate, type Hour, type HourRange } from '../events/hour.ts';
import { LEGACY_DATA_TYPES } from '../events/legacy-tables.ts';
import { unknownPathError } from './api-errors.ts';
import { parseExpireMinutes } from './export-call.ts';
import { EXPORT_STATUSES, type ExportStatus } from './export-status.ts';
import { queryOf, readState, takeTurn, type InsightsRouteOptions } from './insights-routes.ts';
import { decideLegacy, RUNNING_RETRY_SECONDS } from './legacy-status.ts';
import { linkBaseOf } from './link-base.ts';
import { findAuthorizedProject, UNAUTHORIZED_BODY, UnauthorizedBody } from './project-access.ts';
import { addResource, READ_METHODS } from './resource.ts';

export type LegacyRouteOptions = Omit<InsightsRouteOptions, 'catalog'> & {
  readonly catalog: Pick<Catalog, 'tokens' | 'tasks' | 'manifests' | 'settings' | 'legacy'>;
};

const LegacyAnswer = Type.Object({
  status: Type.Enum([...EXPORT_STATUSES], { description: 'FINISHED: the links can be downloaded.' }),
  downlinks: Type.Array(Type.String(), { description: 'Links to the packages of all seven tables.' }),
});

export function addLegacyRoutes(app: FastifyInstance, options: LegacyRouteOptions): void {
  addResource(app, {
    url: '/insights/:ai/:file',
    methods: READ_METHODS,
    options: {
      schema: { response: { 200: LegacyAnswer, 400: LegacyAnswer, 401: UnauthorizedBody, 429: LegacyAnswer } },
    },
    handler: (request, reply) => legacyLinks(options, request, reply),
  });
}

async function legacyLinks(
  options: LegacyRouteOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { ai, file } = request.params as { readonly ai: string; readonly file: string };
  if (!file.endsWith('.json')) throw unknownPathError(request);
  void reply.header('Cache-Control', 'no-store');
  const { catalog, clock } = options;
  const project = await findAuthorizedProject(catalog.tokens, { ai, headers: request.headers, nowMs: clock.nowMs() });
  if (!project) return reply.code(401).send(UNAUTHORIZED_BODY);

  const answer = (code: number, status: ExportStatus, downlinks: readonly string[] = []): FastifyReply =>
    reply.code(code).send({ status, downlinks });
  const text = file.slice(0, -'.json'.length);
  const date = parseExportDate(text.length === 8 ? 'day' : 'hour', text);
  if (typeof date === 'string') return answer(200, 'NOT_EXISTS'); // what the document has for a malformed date: 200 is its only answer
  const expireMinutes = parseExpireMinutes(queryOf(request));
  if (typeof expireMinutes === 'string') return answer(400, 'ERROR');

  const turn = await takeTurn(options.callLimit, ai, reply);
  if (turn.status === 'left') return reply.hijack(); // nobody is there to be answered
  if (turn.status === 'refused') {
    void reply.header('Retry-After', turn.retryAfterSeconds);
    return answer(429, 'ERROR');
  }

  const state = await readState(options, project, { date });
  const made = state.status === 'FINISHED' ? await readMade(options, project, state.hours) : state;
  if (made.status !== 'FINISHED') {
    if (made.retryAfterSeconds !== undefined) void reply.header('Retry-After', made.retryAfterSeconds);
    return answer(200, made.status);
  }
  const base = linkBaseOf(request.raw, options.publicUrl);
  const expiresAtSeconds = Math.floor(clock.nowMs() / 1000) + expireMinutes * 60;
  const links = made.packages.map((entry) =>
    options.linkSigner.build({ base, linked: { ...entry, api: '1.0' }, expiresAtSeconds }),
  );
  return answer(200, 'FINISHED', links);
}

type Made =
  | { readonly status: 'FINISHED'; readonly packages: readonly LegacyPackage[] }
  | { readonly status: 'RUNNING' | 'ERROR'; readonly retryAfterSeconds: number };

/** Finds the 1.0 packages of published hours, and has those made that are missing. */
async function readMade({ catalog, clock }: LegacyRouteOptions, { ai }: Project, hours: HourRange): Promise<Made> {
  const revisions = new Map<Hour, WantedHour>();
  for (const { hour, revision, dataType } of await catalog.manifests.listPackages(ai, hours))
    if (LEGACY_DATA_TYPES.has(dataType)) revisions.set(hour, { hour, revision });
  const tasks = await catalog.legacy.listTasks(ai, hours);
  const nowMs = clock.nowMs();
  const state = decideLegacy([...revisions.values()], tasks, nowMs);
  if (state.status !== 'FINISHED') {
    if (state.wanted.length > 0) await catalog.legacy.request(ai, state.wanted, nowMs);
    return state;
  }
  const packages = (await catalog.legacy.listPackages(ai, hours)).filter(
    ({ hour, revision }) => revisions.get(hour)?.revision === revision,
  );
  // A new revision may have come between: then an hour's packages are missing here, and none may be missing in the answer.
  const listed = new Set(packages.map(({ hour }) => hour));
  if (listed.size < revisions.size) return { status: 'RUNNING', retryAfterSeconds: RUNNING_RETRY_SECONDS };
  return { status: 'FINISHED', packages };
}
