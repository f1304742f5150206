/**
 * By what the clicks of an erased visitor are known, since a click names no visitor: the ids of his devices, and where an activation of
 * his came from.
 */
import { readDeviceId, OAID_WIDTH } from './device-id.ts';

/** How long a click counts for an activation, and an activation for its device. */
export const ATTRIBUTION_DAYS = 15;
export const ATTRIBUTION_MS = ATTRIBUTION_DAYS * 86_400_000;

/** A device: each click that names its id, in whatever parameter, is the visitor's. */
export type OwningDevice = { readonly device: string };

/**
 * Where an activation of the visitor came from, and the link that it was given: a click on this link from there, in the time in
 * which an activation looks for its click, is the visitor's if it names no device at all.
 */
export type OwningOrigin = {
  readonly ip: string;
  readonly userAgent: string;
  readonly linkId: string;
  readonly activatedAtMs: number;
};

export type ClickOwner = OwningDevice | OwningOrigin;

/** So many owners one erasure follows. A visitor has some; who sends thousands of ids as one visitor has made them up. */
export const MAX_CLICK_OWNERS = 10_000;

/** What an erased click is remembered by in the click index, and when it was stored. */
export type ErasedClick = {
  readonly idfa: string | null;
  readonly imei: string | null;
  readonly androidId: string | null;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly timeMs: number;
};

/** What a row tells of where it came from; null where it does not. */
export type RowOrigin = {
  readonly ids: readonly (string | null)[];
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly linkId: string | null;
  readonly sendTimeMs: number;
};

/** Reads the owners of clicks from what a visitor's row tells. */
export function ownersOf({ ids, ip, userAgent, linkId, sendTimeMs }: RowOrigin): readonly ClickOwner[] {
  const devices = ids.map((id) => readDeviceId(id, OAID_WIDTH)).filter((id) => id !== null);
  const owners: ClickOwner[] = [...new Set(devices)].map((device) => ({ device }));
  if (ip !== null && userAgent !== null && linkId !== null)
    owners.push({ ip, userAgent, linkId, activatedAtMs: sendTimeMs });
  return owners;
}

/** Gives a text that two owners share if they are the same. */
export function keyOfOwner(owner: ClickOwner): string {
  return 'device' in owner
    ? owner.device
    : JSON.stringify([owner.ip, owner.userAgent, owner.linkId, owner.activatedAtMs]);
}
