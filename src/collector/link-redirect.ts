/**
 * Tracking links: `GET /l/{linkId}` stores a click and sends on to the link's target.
 *
 * Way of a hit: find the link in the catalog → is its project within its limit → append the row → add it to the click index → 302.
 * HEAD answers the same and stores nothing, because previews and checkers ask with it.
 *
 * Invariants: a 302 to GET means that the click is durable. Location is what the catalog holds, and nothing of the request; so a
 * link leads nowhere but where its owner said. A click whose row is stored is never answered with an error, even if the click index
 * fails: it is exported, and only cannot be found for an activation.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { ClickIndex } from '../ads/click-index.ts';
import type { DeviceKeys } from '../ads/device-keys.ts';
import { linkFactsOf } from '../ads/link-facts-of.ts';
import { DEVICE_PARAMETERS, VARIABLE_WIDTH } from '../catalog/link-rules.ts';
import type { TrackingLink } from '../catalog/tracking-link.ts';
import { AppError } from '../errors/app-error.ts';
import { readDeviceId } from '../events/device-id.ts';
import { mapClick, type ClickedDevice } from '../events/map-click.ts';
import { UserAgents } from '../events/user-agent.ts';
import { cutText, safeText } from '../events/wire-value.ts';
import type { Clock } from '../lib/clock.ts';
import type { HourStore } from '../store/hour-store.ts';
import { answerRefusal } from './answer-refusal.ts';
import { userAgentOf } from './collector.ts';
import type { CollectorMetrics } from './collector-metrics.ts';
import type { IngestLimit } from './ingest-limit.ts';
import type { ProjectAddresses } from './project-addresses.ts';

export type LinkRedirectOptions = {
  readonly findLink: (linkId: string) => TrackingLink | undefined;
  readonly store: Pick<HourStore, 'append'>;
  readonly index: Pick<ClickIndex, 'add' | 'isFull'>;
  readonly keys: DeviceKeys;
  readonly clientAddresses: ProjectAddresses;
  readonly ingestLimit: IngestLimit;
  readonly metrics: CollectorMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Gives the base of the address that was asked for, such as https://t.example.com. */
  readonly baseOf: (request: IncomingMessage) => string;
};

const PATH = /^\/+l\/([0-9A-Za-z]{1,64})\/?$/;
/** What a click costs its project beside its address: a row holds the link's names, the user agent and its own header. */
const ROW_BYTES = 512;

export class LinkRedirect {
  readonly #options: LinkRedirectOptions;
  readonly #userAgents = new UserAgents();

  constructor(options: LinkRedirectOptions) {
    this.#options = options;
  }

  /** Takes a request if its path is a tracking link's. False when it is not; then nothing was done. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const { url = '' } = request;
    const mark = url.indexOf('?');
    const linkId = PATH.exec(mark < 0 ? url : url.slice(0, mark))?.[1];
    if (linkId === undefined) return false;
    const { metrics, logger } = this.#options;
    const begunMs = performance.now();
    response.once('close', () => metrics.countRequest(response.statusCode, performance.now() - begunMs));
    this.#answer(linkId, mark < 0 ? '' : url.slice(mark + 1), request, response).catch((error: unknown) =>
      answerRefusal(logger, response, error),
    );
    return true;
  }

  async #answer(linkId: string, query: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('Cache-Control', 'no-store'); // every hit must come here
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      throw new AppError(
        'method_not_allowed',
        `${request.method ?? 'This method'} is not taken here; a link takes GET.`,
      );
    }
    const link = this.#options.findLink(linkId);
    if (link?.status !== 'activated') throw new AppError('unknown_link', `There is no link ${linkId}.`);
    if (request.method === 'GET') await this.#storeClick(link, query, request);
    response.writeHead(302, { Location: link.target, 'Content-Length': 0 }).end();
  }

  async #storeClick(link: TrackingLink, query: string, request: IncomingMessage): Promise<void> {
    const { store, index, keys, clientAddresses, metrics, clock, logger, baseOf } = this.#options;
    const { ai } = link;
    const ip = clientAddresses.of(ai).find(request.socket.remoteAddress, request.headers);
    const userAgent = userAgentOf(request);
    this.#admit(ai, query.length + (userAgent?.length ?? 0) + ROW_BYTES);
    const { device, variables } = readQuery(query, link);
    const url = `${baseOf(request)}${request.url ?? ''}`;
    const batch = mapClick(
      { ai, link: linkFactsOf(link, variables), device, url, ip, userAgent, nowMs: clock.nowMs() },
      {
        userAgents: this.#userAgents,
        onCut: (dataType, column) => metrics.countCut(dataType, column),
      },
    );
    const { sendTimeMs } = await store.append(batch);
    metrics.countBatch(batch, 0);
    const ids = {
      idfa: readDeviceId(device.idfa),
      imei: readDeviceId(device.imei),
      androidId: readDeviceId(device.androidid),
    };
    const clickKeys = keys.ofClick(ai, ids, { ip, userAgent });
    if (clickKeys.length === 0) return;
    const named = Object.keys(variables).length === 0 ? null : JSON.stringify(variables);
    await index
      .add({ keys: clickKeys, timeMs: sendTimeMs, linkId: link.linkId, variables: named })
      .catch((error: unknown) => {
        logger.error({ err: error }, 'A click could not be added to the click index; no activation will find it.');
      });
  }

  /** @throws AppError too_many_requests, overloaded */
  #admit(ai: string, bytes: number): void {
    const { ingestLimit, index } = this.#options;
    const retryAfterSeconds = ingestLimit.retryAfterSeconds(ai);
    if (retryAfterSeconds > 0)
      throw new AppError('too_many_requests', `Project ${ai} gets more clicks than it may.`, { retryAfterSeconds });
    if (index.isFull) throw new AppError('overloaded', 'Too many clicks wait for the disk.', { retryAfterSeconds: 1 });
    ingestLimit.charge(ai, bytes);
  }
}

/** Reads the device's ids, their names in any case, and the values of the link's own variables. Anything else is left in the address. */
function readQuery(
  query: string,
  link: TrackingLink,
): { readonly device: ClickedDevice; readonly variables: Readonly<Record<string, string>> } {
  const device: Record<string, string> = {};
  const variables = new Map<string, string>(); // an object has a constructor before anybody names one
  const variableOf = new Map(Object.keys(link.variables).map((name) => [name.toLowerCase(), name]));
  for (const [name, value] of new URLSearchParams(query)) {
    const key = name.toLowerCase();
    if (value === '') continue;
    const variable = variableOf.get(key);
    if (variable !== undefined) {
      if (!variables.has(variable)) variables.set(variable, cutText(safeText(value), VARIABLE_WIDTH));
    } else if ((DEVICE_PARAMETERS as readonly string[]).includes(key)) device[key] ??= value;
  }
  return { device, variables: Object.fromEntries(variables) };
}
