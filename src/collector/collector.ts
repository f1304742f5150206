/**
 * The collector: takes what SDKs send and answers 200 once it is durable.
 *
 * Way of a request: find the endpoint by its path → is the project known, is it within its limit → read the body, bounded →
 * decode → map to rows → append → answer. Raw node:http, because a framework costs several times as much as the work itself
 * (docs/performance.md).
 *
 * Invariants: a 2xx means every event of the request is durable, accepted or rejected or counted as ignored. Every other answer
 * means that nothing of the request was stored. A body is never logged.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Activations } from '../ads/activations.ts';
import type { ProjectTable, RuleTable } from '../catalog/catalog.ts';
import { AppError } from '../errors/app-error.ts';
import type { EventBatch } from '../events/event-row.ts';
import { mapEvents, type Mapper, type MapRequest } from '../events/map-events.ts';
import { TapeMapper } from '../events/map-tape.ts';
import { PageDomains } from '../events/page-domains.ts';
import { UserAgents } from '../events/user-agent.ts';
import type { HourStore } from '../store/hour-store.ts';
import { decodeBody, decodePixel, type DecodedBody, type Spend } from '../wire/decode-body.ts';
import { JsonTape } from '../wire/json-tape.ts';
import type { WireLimits } from '../wire/wire-limits.ts';
import { answerRefusal, sendJson } from './answer-refusal.ts';
import { BodyReader } from './body-reader.ts';
import type { CollectorMetrics } from './collector-metrics.ts';
import { allowOrigin, answerPreflight } from './cross-origin.ts';
import { findEndpoint, rawQueryValue, type Endpoint } from './endpoints.ts';
import type { IngestLimit } from './ingest-limit.ts';
import type { ProjectAddresses } from './project-addresses.ts';

export type CollectorOptions = {
  readonly store: HourStore;
  readonly projects: ProjectTable;
  readonly rules: Pick<RuleTable, 'rulesOf'>;
  readonly clientAddresses: ProjectAddresses;
  readonly ingestLimit: IngestLimit;
  readonly activations: Activations;
  readonly wireLimits: WireLimits;
  /** Bytes of all request bodies held at once. */
  readonly maxHeldBytes: number;
  readonly metrics: CollectorMetrics;
  readonly logger: Logger;
};

/** What a stored request is answered with. */
type Receipt = { accepted: number; rejected: number; ignored: number; reasons?: string[] };

/** A GIF of one transparent pixel, for clients that can only load images. */
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
const MAX_REASONS = 5;

export class Collector {
  readonly #options: CollectorOptions;
  readonly #bodies: BodyReader;
  readonly #mapper: Mapper;
  /** The body that is being mapped; from decoding to `append` nothing waits, so that one is enough. */
  readonly #tape = new JsonTape();
  readonly #tapeMapper: TapeMapper;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#bodies = new BodyReader({ maxBodyBytes: options.wireLimits.maxBytes, maxHeldBytes: options.maxHeldBytes });
    this.#mapper = {
      pageDomains: new PageDomains(),
      userAgents: new UserAgents(),
      onCut: (dataType, column) => options.metrics.countCut(dataType, column),
      rulesOf: (ai) => options.rules.rulesOf(ai),
    };
    this.#tapeMapper = new TapeMapper(this.#tape, this.#mapper);
  }

  /** Forgets the pages of all visitors, as an erasure asks; the store finds their domains after the seal. */
  forget(): void {
    this.#mapper.pageDomains.clear();
  }

  /** Takes a request if its path is the collector's. False when it is not; then nothing was done. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const [path, query] = splitUrl(request.url ?? '');
    if (/^\/+$/.test(path) && (request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS')) {
      // The Java SDK sends nothing unless GET / answers 2xx; it asks for // when its api.host ends in a slash.
      if (request.method === 'OPTIONS') answerPreflight(request, response);
      else response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' }).end('Tidegate\n');
      return true;
    }
    const endpoint = findEndpoint(path);
    if (!endpoint) return false;
    const begunMs = performance.now();
    response.on('close', () => {
      // A client that left before its answer was given none, whatever the status was to be.
      const status = response.headersSent ? response.statusCode : 'none';
      this.#options.metrics.countRequest(status, performance.now() - begunMs);
    });
    this.#answer(endpoint, query, request, response).catch((error: unknown) =>
      answerRefusal(this.#options.logger, response, error),
    );
    return true;
  }

  async #answer(endpoint: Endpoint, query: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'OPTIONS') {
      answerPreflight(request, response);
      return;
    }
    allowOrigin(request, response);
    if (request.method === 'POST') {
      sendJson(response, 200, await this.#collectBody(endpoint, query, request));
    } else if (request.method === 'GET') {
      await this.#collectPixel(endpoint, query, request);
      response
        .writeHead(200, { 'Content-Type': 'image/gif', 'Content-Length': PIXEL.length, 'Cache-Control': 'no-store' })
        .end(PIXEL);
    } else {
      response.setHeader('Allow', 'GET, POST, OPTIONS');
      throw new AppError(
        'method_not_allowed',
        `${request.method ?? 'This method'} is not taken here; send events with POST.`,
      );
    }
  }

  async #collectBody(endpoint: Endpoint, query: string, request: IncomingMessage): Promise<Receipt> {
    this.#admit(endpoint);
    const body = await this.#bodies.read(request, endpoint.ai);
    try {
      const wireBody = {
        body: body.bytes,
        compressCodec: headerText(request.headers['x-compress-codec']),
        cryptCodec: headerText(request.headers['x-crypt-codec']),
        // The SDKs that use XOR say the same time in both places; a proxy may have taken the query off.
        stm: rawQueryValue(query, 'stm') ?? headerText(request.headers['x-timestamp']),
        allowsLzString: endpoint.isWeb,
      };
      const decode = (spend: Spend): DecodedBody => decodeBody(wireBody, this.#options.wireLimits, spend, this.#tape);
      return await this.#store(endpoint, this.#decode(endpoint, body.bytes.length, decode), request);
    } finally {
      body.release();
    }
  }

  async #collectPixel(endpoint: Endpoint, query: string, request: IncomingMessage): Promise<Receipt> {
    const data = rawQueryValue(query, 'data');
    if (data === undefined)
      throw new AppError('bad_request', 'Send events with POST, or with GET in the query parameter data.');
    this.#admit(endpoint);
    const decode = (spend: Spend): DecodedBody => decodePixel(data, this.#options.wireLimits, spend, this.#tape);
    return await this.#store(endpoint, this.#decode(endpoint, data.length, decode), request);
  }

  /** Decodes, and charges the project for all that came out, also of a body that is refused, and at least for what came in. */
  #decode({ ai }: Endpoint, wireBytes: number, decode: (spend: Spend) => DecodedBody): DecodedBody {
    let spentBytes = 0;
    try {
      return decode((bytes) => (spentBytes += bytes));
    } finally {
      this.#options.ingestLimit.charge(ai, Math.max(wireBytes, spentBytes));
    }
  }

  #admit({ ai }: Endpoint): void {
    const { projects, ingestLimit } = this.#options;
    if (!projects.findInTurn(ai)) throw new AppError('unknown_project', `There is no project ${ai}.`);
    const retryAfterSeconds = ingestLimit.retryAfterSeconds(ai);
    if (retryAfterSeconds > 0) {
      throw new AppError('too_many_requests', `Project ${ai} sends more than it may.`, { retryAfterSeconds });
    }
  }

  async #store({ ai, pathWord }: Endpoint, decoded: DecodedBody, request: IncomingMessage): Promise<Receipt> {
    const { clientAddresses, metrics } = this.#options;
    metrics.countBody(decoded.coding);
    const sent = {
      ai,
      pathWord,
      ip: clientAddresses.of(ai).find(request.socket.remoteAddress, request.headers),
      userAgent: userAgentOf(request),
    };
    let batch: EventBatch;
    if (decoded.isOnTape && !this.#tapeMapper.holdsActivations()) {
      batch = this.#tapeMapper.map(sent);
      await this.#append(batch);
    } else {
      const elements = decoded.isOnTape ? this.#tapeMapper.values() : decoded.values;
      batch = await this.#storeDecided({ ...sent, elements, oversize: decoded.oversize });
    }
    const receipt = summarize(batch.rejections, batch.receipts);
    metrics.countBatch(batch, receipt.rejected);
    return receipt;
  }

  #append(batch: EventBatch): Promise<unknown> | undefined {
    return batch.receipts.length > 0 ? this.#options.store.append(batch) : undefined;
  }

  /** Stores a request that may hold activations, about which is decided before. */
  async #storeDecided(request: MapRequest): Promise<EventBatch> {
    const activations = await this.#options.activations.claim(request);
    let batch: EventBatch;
    try {
      batch = mapEvents({ ...request, activations: activations?.decisions }, this.#mapper);
      await this.#append(batch);
    } catch (error) {
      await activations?.release();
      throw error;
    }
    await activations?.confirm();
    return batch;
  }
}

function summarize(rejections: readonly string[], receipts: readonly { received: number; ignored: number }[]): Receipt {
  let received = 0;
  let ignored = 0;
  for (const receipt of receipts) {
    received += receipt.received;
    ignored += receipt.ignored;
  }
  const receipt: Receipt = { accepted: received - ignored - rejections.length, rejected: rejections.length, ignored };
  if (rejections.length > 0) receipt.reasons = [...new Set(rejections)].slice(0, MAX_REASONS);
  return receipt;
}

function splitUrl(url: string): [path: string, query: string] {
  const mark = url.indexOf('?');
  return mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** Gives the User-Agent header; Node reads header bytes as Latin-1, and some clients put UTF-8 there. */
export function userAgentOf(request: IncomingMessage): string | null {
  const text = request.headers['user-agent'];
  if (text === undefined) return null;
  return /[\u0080-\u00ff]/.test(text) ? Buffer.from(text, 'latin1').toString('utf8') : text;
}
