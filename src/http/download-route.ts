/**
 * `GET|HEAD /{folder}/{file}?Expires=…&Signature=…`: sends a package to whoever holds a link to it.
 *
 * The expiry is checked when a download starts; a running one is never cut off. The bytes go out as they lie in the store: as
 * `application/gzip` without Content-Encoding, whatever the client accepts, because a client that unpacks on the way would save a
 * CSV under a .gz name and find no checksum right. A signed link to a package that is not there any more is 410, since it was there
 * when the link was made. Who has the package already, as If-None-Match says, is answered 304 without its bytes.
 *
 * Cost: one open file and two chunks of memory a download, also when its client hangs up or stops reading (server.ts ends those).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { BaseLogger } from 'pino';
import type { Catalog, PublishedPackage } from '../catalog/catalog.ts';
import type { LegacyPackage } from '../catalog/legacy-export.ts';
import { AppError } from '../errors/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { PackageReader } from '../packages/package-store.ts';
import { RecentPackages, type SentPackage } from '../packages/recent-packages.ts';
import type { LinkSigner } from '../packages/signed-link.ts';
import { unknownPathError } from './api-errors.ts';
import { parseByteRange, type ByteRange } from './byte-range.ts';
import { buildErrorBody } from './error-body.ts';
import { READ_METHODS } from './resource.ts';
import { PackageSender } from './send-package.ts';

export type DownloadRouteOptions = {
  readonly catalog: Pick<Catalog, 'manifests' | 'legacy'>;
  readonly packages: PackageReader;
  readonly linkSigner: LinkSigner;
  readonly clock: Clock;
  readonly logger: BaseLogger;
};

/** A package that a link may lead to. */
type LinkedEntry = PublishedPackage | LegacyPackage;

export function addDownloadRoute(app: FastifyInstance, options: DownloadRouteOptions): void {
  const packages = new RecentPackages(options.packages);
  const sender = new PackageSender();
  app.route({
    // Any path of two parts may come here; one that is no link is unknown like any other.
    url: '/:folder/:file',
    method: [...READ_METHODS],
    handler: (request, reply) => download({ ...options, packages, sender }, request, reply),
  });
}

type Downloads = Omit<DownloadRouteOptions, 'packages'> & {
  readonly packages: RecentPackages;
  readonly sender: PackageSender;
};

async function download(options: Downloads, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const found = await findLinkedPackage(options, request);
  const opened = await options.packages.open(found.key);
  if (!opened) {
    options.logger.error({ key: found.key, requestId: request.id }, 'A published package is not in the package store.');
    throw goneError();
  }
  try {
    if (opened.bytes !== found.bytes) {
      throw new AppError('store_corrupt', `${found.key} has ${opened.bytes} bytes instead of ${found.bytes}.`);
    }
    return await sendPackage(options, { found, opened, request, reply });
  } finally {
    await opened.close();
  }
}

async function findLinkedPackage(
  { catalog, linkSigner, clock }: Downloads,
  request: FastifyRequest,
): Promise<LinkedEntry> {
  const check = linkSigner.check(request.raw.url ?? '', clock.nowMs());
  if (check.status === 'refused') throw unknownPathError(request);
  if (check.status === 'expired') throw new AppError('link_refused', 'This link has expired.');
  const { linked } = check;
  const { ai, hour, name } = linked;
  const found = await (linked.api === undefined
    ? catalog.manifests.findPackage(ai, hour, linked.dataType, name)
    : catalog.legacy.findPackage(ai, hour, linked.dataType, name));
  if (!found) throw goneError();
  return found;
}

function goneError(): AppError {
  return new AppError('package_gone', 'This package is not kept any more.');
}

type Sending = {
  readonly found: LinkedEntry;
  readonly opened: SentPackage;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
};

async function sendPackage(
  { logger, sender }: Downloads,
  { found, opened, request, reply }: Sending,
): Promise<FastifyReply> {
  if (isKnown(request, found)) return reply.code(304).headers(markersOf(found)).send();
  const range = rangeOf(request, found);
  if (range.status === 'unsatisfiable') {
    void reply.code(416).header('Content-Range', `bytes */${found.bytes}`);
    const message = `The range begins behind the end of the package, which has ${found.bytes} bytes.`;
    return reply.send(buildErrorBody('bad_request', message, request.id));
  }
  const { from, until } = range.status === 'part' ? range : { from: 0, until: found.bytes };
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(range.status === 'part' ? 206 : 200, headersOf(found, range));
  if (request.method === 'HEAD') {
    raw.end();
    return reply;
  }
  try {
    const outcome = await sender.send(raw, { opened, from, until });
    if (outcome === 'left') {
      raw.destroy(); // an answer cut short must not look like a whole one
      logger.info({ key: found.key, requestId: request.id }, 'A client hung up during a download.');
    }
  } catch (error) {
    raw.destroy();
    logger.error({ err: error, key: found.key, requestId: request.id }, 'A download failed.');
  }
  return reply;
}

/** Says whether the client has the package already (RFC 9110 §13.1.2, where weak marks compare as strong ones). */
function isKnown({ headers }: FastifyRequest, found: LinkedEntry): boolean {
  const marks = headers['if-none-match']?.split(',').map((mark) => mark.trim().replace(/^W\//, ''));
  return marks !== undefined && (marks.includes('*') || marks.includes(etagOf(found)));
}

function rangeOf({ method, headers }: FastifyRequest, found: LinkedEntry): ByteRange {
  const ifRange = headers['if-range'];
  const isAsked = method === 'GET' && (ifRange === undefined || ifRange === etagOf(found));
  return parseByteRange(isAsked ? headers.range : undefined, found.bytes);
}

function headersOf(found: LinkedEntry, range: ByteRange): Record<string, string | number> {
  return {
    'Content-Type': 'application/gzip',
    'Content-Disposition': `attachment; filename="${found.name}"`,
    'Accept-Ranges': 'bytes',
    ...markersOf(found),
    ...(range.status === 'part'
      ? {
          'Content-Length': range.until - range.from,
          'Content-Range': `bytes ${range.from}-${range.until - 1}/${found.bytes}`,
        }
      : { 'Content-Length': found.bytes, 'Content-MD5': Buffer.from(found.md5, 'hex').toString('base64') }),
  };
}

/** What tells one package from another, and who may keep it. */
function markersOf(found: LinkedEntry): Record<string, string> {
  return {
    ETag: etagOf(found),
    'x-amz-meta-md5-hash': found.md5,
    'Cache-Control': 'private, no-transform', // no proxy may keep it past the link's end, or unpack it
  };
}

function etagOf({ md5 }: LinkedEntry): string {
  return `"${md5}"`;
}
