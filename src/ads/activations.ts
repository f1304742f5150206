/**
 * Decides about the activations of a request before it is stored: which are repetitions, and to which link each of the others
 * belongs (docs/ads.md).
 *
 * Steps: claim the devices → map and append, by the caller → confirm; or release, when nothing was appended. What a crash between
 * them leaves is told in click-index-file.ts. A request without activations costs a look at each of its elements.
 */
import type { Logger } from 'pino';
import type { TrackingLink } from '../catalog/tracking-link.ts';
import { AppError } from '../errors/app-error.ts';
import { isWireObject, rejectionOf } from '../events/check-event.ts';
import type { WireObject } from '../events/column-sources.ts';
import { eventDigest, eventRowId } from '../events/ids.ts';
import type { ActivationDecision } from '../events/link-facts.ts';
import type { MapRequest } from '../events/map-events.ts';
import { readText } from '../events/wire-value.ts';
import { waitFor, type Clock } from '../lib/clock.ts';
import type { ActivationClaim, ClaimDecision } from './click-index-file.ts';
import type { ClickIndex } from './click-index.ts';
import { activationIdsOf, type DeviceKeys } from './device-keys.ts';
import { linkFactsOf } from './link-facts-of.ts';

export type ActivationsOptions = {
  readonly index: ClickIndex;
  readonly keys: DeviceKeys;
  readonly findLink: (linkId: string) => TrackingLink | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** The activations of one request, decided. Exactly one of the two must be called. */
export type ClaimedActivations = {
  /** By place among the elements. */
  readonly decisions: ReadonlyMap<number, ActivationDecision>;
  /** Says that the rows are durable. Never throws. */
  confirm(): Promise<void>;
  /** Says that no row was stored. Never throws. */
  release(): Promise<void>;
};

/** How long a request waits for another that brings an activation of the same device. */
const BUSY_WAIT_MS = 5_000;
const BUSY_POLL_MS = 20;
/** More come from no SDK, and each asks the index for its device and its click. */
const MAX_ACTIVATIONS = 1_000;

export class Activations {
  readonly #options: ActivationsOptions;

  constructor(options: ActivationsOptions) {
    this.#options = options;
  }

  /** Decides about the activations of a request; undefined when it holds none. @throws AppError too_large, overloaded, store_unavailable */
  async claim(request: MapRequest): Promise<ClaimedActivations | undefined> {
    const places = findActivations(request);
    if (places.length === 0) return undefined;
    if (places.length > MAX_ACTIVATIONS)
      throw new AppError('too_large', `A request may hold at most ${MAX_ACTIVATIONS} activations.`);
    const { index, logger } = this.#options;
    const events = places.map((place) => request.elements[place] as WireObject);
    const claims = events.map((event) => this.#claimOf(request, event));
    const answers = await this.#claimAll(claims);
    const claimed = claims.filter((_, place) => !answers[place]!.isRepeated);
    const decisions = new Map(
      answers.map((answer, i) => [places[i]!, this.#decide(request.ai, events[i]!, answer)] as const),
    );
    const settle = async (step: 'confirm' | 'release'): Promise<void> => {
      if (claimed.length === 0) return;
      // The rows are as durable as they are: a claim that stays open ends by itself.
      await index[step](claimed).catch((error: unknown) => {
        logger.error({ err: error }, 'The click index could not be told what became of an activation.');
      });
    };
    return { decisions, confirm: () => settle('confirm'), release: () => settle('release') };
  }

  async #claimAll(claims: readonly ActivationClaim[]): Promise<readonly ClaimDecision[]> {
    const { index, clock } = this.#options;
    const endMs = performance.now() + BUSY_WAIT_MS;
    for (;;) {
      const answers = await index.claim(claims, clock.nowMs());
      if (answers) return answers;
      if (performance.now() > endMs) {
        const message = 'Another activation of this device is being stored.';
        throw new AppError('overloaded', message, { retryAfterSeconds: 5 });
      }
      await waitFor(BUSY_POLL_MS);
    }
  }

  #claimOf({ ai, pathWord, ip, userAgent }: MapRequest, event: WireObject): ActivationClaim {
    const { keys } = this.#options;
    const ids = activationIdsOf(event);
    const origin = { ip, userAgent: readText(event.ua) ?? userAgent };
    return {
      deviceKeys: keys.ofDevice(ai, ids),
      rowId: eventRowId(eventDigest(ai, 'ads_track_activation', event), 0, 0),
      searchKeys: keys.ofSearch(ai, ids, origin, pathWord === 'ios'),
    };
  }

  #decide(ai: string, event: WireObject, answer: ClaimDecision): ActivationDecision {
    if (answer.isRepeated) return { isRepeated: true };
    const { findLink } = this.#options;
    const named = findNamedLink(event, findLink);
    if (named?.ai === ai) return { isRepeated: false, link: linkFactsOf(named) };
    const clicked = answer.click && findLink(answer.click.linkId);
    if (clicked) return { isRepeated: false, link: linkFactsOf(clicked, variablesOf(answer.click.variables)) };
    return { isRepeated: false, link: named ? null : undefined };
  }
}

/** Decides about activations by their link_id alone: for imports, whose clicks and devices are long past. */
export function decideByLinkId(
  { ai, elements }: Pick<MapRequest, 'ai' | 'elements'>,
  findLink: ActivationsOptions['findLink'],
): ReadonlyMap<number, ActivationDecision> {
  const decisions = new Map<number, ActivationDecision>();
  for (const [place, element] of elements.entries()) {
    if (!isWireObject(element) || element.t !== 'activate') continue;
    const named = findNamedLink(element, findLink);
    if (named) decisions.set(place, { isRepeated: false, link: named.ai === ai ? linkFactsOf(named) : null });
  }
  return decisions;
}

function findNamedLink(event: WireObject, findLink: ActivationsOptions['findLink']): TrackingLink | undefined {
  const linkId = readText(event.link_id);
  return linkId === null ? undefined : findLink(linkId);
}

function findActivations({ elements, pathWord }: MapRequest): readonly number[] {
  const places: number[] = [];
  for (const [place, element] of elements.entries()) {
    if (!isWireObject(element) || element.t !== 'activate') continue;
    if (rejectionOf(element, 'activate', pathWord === 's2s') === null) places.push(place);
  }
  return places;
}

function variablesOf(json: string | null): Record<string, string> {
  return json === null ? {} : (JSON.parse(json) as Record<string, string>);
}
