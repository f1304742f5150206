/**
 * The export calls: `GET /v2/insights/{hour|day}/{type}/{ai}/{date}.json`, and the same without a type for all ten.
 *
 * Order of checks: the token first, so that a stranger learns nothing, not even whether a date is well formed; then the call itself;
 * then the project's turn, so that only calls that do work wait; then the status.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Catalog, Project } from '../catalog/catalog.ts';
import type { Clock } from '../lib/clock.ts';
import type { LinkSigner } from '../packages/signed-link.ts';
import { unknownPathError } from './api-errors.ts';
import type { CallTurns, Turn } from './call-limit.ts';
import { parseExportCall, type ExportCall } from './export-call.ts';
import { AllTypesEnvelope, buildEnvelope, type EnvelopeFacts, TypeEnvelope } from './export-envelope.ts';
import { decideExport, type ExportState } from './export-status.ts';
import { LinkAnswers } from './link-answers.ts';
import { linkBaseOf } from './link-base.ts';
import { findAuthorizedProject, UNAUTHORIZED_BODY, UnauthorizedBody } from './project-access.ts';
import { addResource, READ_METHODS } from './resource.ts';

export type InsightsRouteOptions = {
  readonly catalog: Pick<Catalog, 'tokens' | 'tasks' | 'manifests' | 'settings'>;
  readonly linkSigner: LinkSigner;
  readonly callLimit: CallTurns;
  readonly clock: Clock;
  readonly retentionDays: number;
  readonly publicUrl: string | undefined;
};

type Params = { readonly exportType: string; readonly dataType?: string; readonly ai: string; readonly file: string };

type ReadableCall = Extract<ExportCall, { readonly status: 'readable' }>;

export function addInsightsRoutes(app: FastifyInstance, options: InsightsRouteOptions): void {
  const links = new LinkAnswers(options.linkSigner);
  const handler = (request: FastifyRequest, reply: FastifyReply) => exportLinks(options, links, request, reply);
  for (const [path, envelope] of [
    ['/:dataType/:ai', TypeEnvelope],
    ['/:ai', AllTypesEnvelope],
  ] as const) {
    addResource(app, {
      url: `/v2/insights/:exportType${path}/:file`,
      methods: READ_METHODS,
      options: { schema: { response: { 200: envelope, 400: envelope, 401: UnauthorizedBody, 429: envelope } } },
      handler,
    });
  }
}

async function exportLinks(
  options: InsightsRouteOptions,
  links: LinkAnswers,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { exportType, dataType, ai, file } = request.params as Params;
  if (!file.endsWith('.json')) throw unknownPathError(request);
  void reply.header('Cache-Control', 'no-store');
  const requestedAtMs = options.clock.nowMs();
  const project = await findAuthorizedProject(options.catalog.tokens, {
    ai,
    headers: request.headers,
    nowMs: requestedAtMs,
  });
  if (!project) return reply.code(401).send(UNAUTHORIZED_BODY);

  const date = file.slice(0, -'.json'.length);
  const call = parseExportCall({ exportType, dataType, date, query: queryOf(request) });
  const answer = (status: number, facts: Pick<EnvelopeFacts, 'status' | 'errorMsg'>): FastifyReply =>
    reply.code(status).send(buildEnvelope({ ...call.echo, ...facts, links: [], requestedAtMs }));
  if (call.status === 'unreadable') return answer(400, { status: 'ERROR', errorMsg: call.errorMsg });

  const turn = await takeTurn(options.callLimit, ai, reply);
  if (turn.status === 'left') return reply.hijack(); // nobody is there to be answered
  if (turn.status === 'refused') {
    void reply.header('Retry-After', turn.retryAfterSeconds);
    return answer(429, { status: 'ERROR', errorMsg: 'Too many calls wait for their turn; ask again later.' });
  }

  const state = await readState(options, project, call);
  if (state.status === 'FINISHED') {
    const packages = await options.catalog.manifests.listPackages(ai, state.hours, call.dataType);
    const finished = {
      packages,
      base: linkBaseOf(request.raw, options.publicUrl),
      expiresAtSeconds: Math.floor(options.clock.nowMs() / 1000) + call.expireMinutes * 60,
      facts: { ...call.echo, status: 'FINISHED', errorMsg: '', requestedAtMs },
    } as const;
    const body = links.bodyOf(finished, (envelope) => String(reply.serializeInput(envelope, '200')));
    return reply.type('application/json; charset=utf-8').send(body);
  }
  if (state.retryAfterSeconds !== undefined) void reply.header('Retry-After', state.retryAfterSeconds);
  return answer(200, { status: state.status, errorMsg: state.errorMsg });
}

/** Reads how far the hours of a call are. */
export async function readState(
  { catalog, clock, retentionDays }: Pick<InsightsRouteOptions, 'catalog' | 'clock' | 'retentionDays'>,
  project: Project,
  { date }: Pick<ReadableCall, 'date'>,
): Promise<ExportState> {
  const tasks = await catalog.tasks.list(project.ai, date.hours);
  const nowMs = clock.nowMs(); // the call may have waited
  const settings = catalog.settings.of(project.ai);
  return decideExport({ date, nowMs, settings, retainedFrom: settings.keptFrom(nowMs, retentionDays), tasks });
}

/** Waits for the project's turn; a client that hangs up gives its place back. */
export async function takeTurn(callLimit: CallTurns, ai: string, { raw }: FastifyReply): Promise<Turn> {
  const hangUp = new AbortController();
  const abort = (): void => hangUp.abort();
  raw.once('close', abort);
  if (raw.closed) abort();
  const turn = await callLimit.take(ai, hangUp.signal);
  raw.off('close', abort);
  return turn;
}

/** Reads a request's query as it came, since fastify's own drops what it cannot decode. */
export function queryOf({ raw: { url = '' } }: FastifyRequest): URLSearchParams {
  const mark = url.indexOf('?');
  return new URLSearchParams(mark === -1 ? '' : url.slice(mark));
}
