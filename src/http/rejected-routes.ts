/**
 * Rejected events: what of a project's traffic had no place in any table, counted by reason, and as NDJSON.
 *
 * Both calls read an hour's files, so each takes one of the project's turns, as export calls do. The download sends a batch of lines
 * at a time; a client that reads slowly holds the reading up, and one that goes away ends it.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { BaseLogger } from 'pino';
import { Type, type Static } from 'typebox';
import type { Catalog, Project } from '../catalog/catalog.ts';
import { AppError } from '../errors/app-error.ts';
import { formatBeijingHour, hourOf, parseBeijingHour, type Hour } from '../events/hour.ts';
import { RejectedEvents, type RejectedHour, type RejectedSource } from '../exports/rejected-events.ts';
import type { Clock } from '../lib/clock.ts';
import { isSystemError } from '../lib/system-error.ts';
import type { HourStore } from '../store/hour-store.ts';
import { addProjectOperation, type Operation } from './api-operation.ts';
import type { CallTurns } from './call-limit.ts';
import { ErrorBody } from './error-body.ts';
import { takeTurn } from './insights-routes.ts';
import { UnauthorizedBody } from './project-access.ts';

export type RejectedRouteOptions = {
  readonly catalog: Pick<Catalog, 'tokens' | 'settings' | 'serverKeys'>;
  readonly store: Pick<HourStore, 'prepare'>;
  readonly reader: RejectedSource;
  readonly callLimit: CallTurns;
  readonly clock: Clock;
  readonly logger: BaseLogger;
  readonly retentionDays: number;
};

const DEFAULT_HOURS = 24;
const MAX_HOURS = 168;

const ai = Type.String({ pattern: '^[0-9A-Za-z-]{1,64}$', description: 'Public id of the project.' });
const hourText = (description: string) => Type.String({ pattern: '^\\d{10}$', description });

const ListParams = Type.Object({ ai }, { additionalProperties: false });
const ListQuery = Type.Object(
  {
    hour: Type.Optional(hourText('Only this hour, yyyyMMddHH in Beijing time.')),
    from: Type.Optional(hourText('The hour to begin with. Default: the first that is kept.')),
    limit: Type.Integer({
      minimum: 1,
      maximum: MAX_HOURS,
      default: DEFAULT_HOURS,
      description: 'The most hours to answer.',
    }),
  },
  { additionalProperties: false },
);
const RejectedPage = Type.Object({
  hours: Type.Array(
    Type.Object({
      hour: hourText('The hour, yyyyMMddHH in Beijing time.'),
      events: Type.Integer({ description: 'Rejected events of the hour.' }),
      reasons: Type.Array(
        Type.Object({
          reason: Type.String({ description: 'Why they were rejected; from the 101st reason on: other reasons.' }),
          events: Type.Integer({ description: 'How many.' }),
        }),
        { description: 'By reason, the most frequent first.' },
      ),
    }),
    {
      description:
        'The hours that have any, in order. Hours that have not ended or are not closed yet are not among them.',
    },
  ),
  next: Type.Optional(hourText('The `from` of the next page; absent when there is none.')),
});

export const LIST_REJECTED: Operation = {
  id: 'listRejectedEvents',
  path: '/api/v1/projects/{ai}/rejected',
  summary: 'Counts the rejected events of a project by hour and reason.',
  access: 'project',
  params: ListParams,
  query: ListQuery,
  responses: { 200: RejectedPage, 400: ErrorBody, 401: UnauthorizedBody, 404: ErrorBody, 429: ErrorBody },
};

const DownloadParams = Type.Object(
  {
    ai,
    file: Type.String({
      pattern: '^\\d{10}\\.ndjson$',
      description: 'The hour, yyyyMMddHH in Beijing time, and `.ndjson`.',
    }),
  },
  { additionalProperties: false },
);

export const DOWNLOAD_REJECTED: Operation = {
  id: 'downloadRejectedEvents',
  path: '/api/v1/projects/{ai}/rejected/{file}',
  summary:
    'Downloads the rejected events of an hour, one a line, with reason, send time, path word, address and user agent.',
  access: 'project',
  params: DownloadParams,
  mediaType: 'application/x-ndjson',
  responses: {
    200: Type.String({ description: 'One JSON object a line; docs/rejected-events.md has its members.' }),
    400: ErrorBody,
    401: UnauthorizedBody,
    404: ErrorBody,
    429: ErrorBody,
  },
};

/** Adds the list and the download of rejected events. */
export function addRejectedRoutes(app: FastifyInstance, options: RejectedRouteOptions): void {
  const { catalog, reader, store } = options;
  const rejected = new RejectedEvents({ reader, store, key: catalog.serverKeys.linkKey });
  addProjectOperation(app, LIST_REJECTED, options, (project, request, reply) =>
    listRejected(options, rejected, { project, request, reply }),
  );
  addProjectOperation(app, DOWNLOAD_REJECTED, options, (project, request, reply) =>
    downloadRejected(options, rejected, { project, request, reply }),
  );
}

type Asked = { readonly project: Project; readonly request: FastifyRequest; readonly reply: FastifyReply };

async function listRejected(
  options: RejectedRouteOptions,
  rejected: RejectedEvents,
  { project, request, reply }: Asked,
): Promise<FastifyReply> {
  const { hour: asked, from: begin, limit } = request.query as Static<typeof ListQuery>;
  const hour = asked === undefined ? undefined : readHour(asked);
  const first = begin === undefined ? undefined : readHour(begin);
  if (!(await isTurn(options, project, reply))) return reply.hijack();
  const { nowMs, keptFrom } = keptNow(options, project);
  const signal = hangUpOf(reply);
  if (hour !== undefined) {
    await rejected.makeReady(hour, { nowMs, keptFrom });
    const counted = await rejected.countReasons(project.ai, hour, signal);
    return reply.send({ hours: counted.events === 0 ? [] : [describe(counted)] } satisfies Static<typeof RejectedPage>);
  }
  const from = first !== undefined && first > keptFrom ? first : keptFrom;
  const { hours, next } = await rejected.listHours(project.ai, { from, until: hourOf(nowMs), limit, signal });
  const page: Static<typeof RejectedPage> = {
    hours: hours.map(describe),
    ...(next !== undefined && { next: formatBeijingHour(next) }),
  };
  return reply.send(page);
}

async function downloadRejected(
  options: RejectedRouteOptions,
  rejected: RejectedEvents,
  { project, request, reply }: Asked,
): Promise<FastifyReply> {
  const hour = readHour((request.params as Static<typeof DownloadParams>).file.slice(0, -'.ndjson'.length));
  if (!(await isTurn(options, project, reply))) return reply.hijack();
  await rejected.makeReady(hour, keptNow(options, project));
  const batches = rejected.ndjson(project.ai, hour);
  const first = batches.next(); // what cannot be read at all is answered with an error, and not with half an answer
  reply.hijack();
  const { raw } = reply;
  const name = `rejected-${formatBeijingHour(hour)}.ndjson`;
  raw.writeHead(200, {
    'Content-Type': 'application/x-ndjson',
    'Content-Disposition': `attachment; filename="${name}"`,
    'Cache-Control': 'no-store',
  });
  if (request.method === 'HEAD' || first.done) {
    batches.return(undefined);
    raw.end();
    return reply;
  }
  try {
    await pipeline(Readable.from(after(first.value, batches), { objectMode: false }), raw);
  } catch (error) {
    batches.return(undefined); // a stream that never began has not ended them
    raw.destroy(); // an answer cut short must not look like a whole one
    const facts = { err: error, ai: project.ai, requestId: request.id };
    const isHangUp = ['ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_UNABLE_TO_PIPE'].some((code) =>
      isSystemError(error, code),
    );
    if (isHangUp) options.logger.info(facts, 'A client hung up during a download of rejected events.');
    else options.logger.error(facts, 'A download of rejected events failed.');
  }
  return reply;
}

function* after(first: Buffer, rest: Generator<Buffer>): Generator<Buffer> {
  try {
    yield first;
    yield* rest;
  } finally {
    rest.return(undefined);
  }
}

/** Takes the project's turn. False when the client has gone. @throws AppError too_many_requests */
async function isTurn({ callLimit }: RejectedRouteOptions, project: Project, reply: FastifyReply): Promise<boolean> {
  const turn = await takeTurn(callLimit, project.ai, reply);
  if (turn.status === 'refused')
    throw new AppError('too_many_requests', 'Too many calls wait for their turn.', {
      retryAfterSeconds: turn.retryAfterSeconds,
    });
  return turn.status === 'admitted';
}

function keptNow(
  { catalog, clock, retentionDays }: RejectedRouteOptions,
  { ai: id }: Project,
): { readonly nowMs: number; readonly keptFrom: Hour } {
  const nowMs = clock.nowMs();
  return { nowMs, keptFrom: catalog.settings.of(id).keptFrom(nowMs, retentionDays) };
}

/** Aborts when the client goes away. */
function hangUpOf({ raw }: FastifyReply): AbortSignal {
  const hangUp = new AbortController();
  raw.once('close', () => hangUp.abort(new AppError('bad_request', 'The client has gone away.')));
  return hangUp.signal;
}

function readHour(text: string): Hour {
  const hour = parseBeijingHour(text);
  if (hour !== undefined) return hour;
  throw new AppError('bad_request', `${text} is no hour; write yyyyMMddHH in Beijing time, with HH from 00 to 23.`);
}

function describe({ hour, events, reasons }: RejectedHour): Static<typeof RejectedPage>['hours'][number] {
  return { hour: formatBeijingHour(hour), events, reasons: [...reasons] };
}
