/**
 * Takes out of the click index what is kept of erased visitors, from what their rows and clicks hold: devices, so that the next
 * activation of such a device makes a row again, and clicks, so that no activation is given one that is gone.
 *
 * What came in after the request for the erasure stays. Everything may be done twice.
 */
import type { ClickIndex } from './click-index.ts';
import type { ForgottenKey } from './click-index-file.ts';
import { readDeviceId } from '../events/device-id.ts';
import type { ClickOwner, ErasedClick } from '../events/click-owner.ts';
import { readActivationIds, type ActivationIds, type DeviceKeys } from './device-keys.ts';

export type ForgetOptions = { readonly index: Pick<ClickIndex, 'forget'>; readonly keys: DeviceKeys };

/** What the rows of activations hold: visitUserId, idfa, uuid as idfv, imei, androidId, and the extra oaid. */
export type KeptActivation = Readonly<Record<keyof ActivationIds, unknown>>;

const NOWHERE = { ip: null, userAgent: null };
const NO_IDS = { idfa: null, idfv: null, imei: null, androidId: null, oaid: null };
/** Other processes wait for the index while keys are forgotten. */
const FORGOTTEN_AT_ONCE = 500;

/** Forgets the devices of activations, and the clicks kept for them. */
export async function forgetActivations(
  options: ForgetOptions,
  ai: string,
  { activations, untilMs }: { readonly activations: readonly KeptActivation[]; readonly untilMs: number },
): Promise<void> {
  const { keys } = options;
  const forgotten = activations
    .map(readActivationIds)
    .flatMap((ids) => [
      ...keys.ofDevice(ai, ids),
      ...keys.ofDevice(ai, { visitor: ids.visitor, ...NO_IDS }),
      ...keys.ofClick(ai, ids, NOWHERE),
    ]);
  await forget(
    options,
    forgotten.map((key) => ({ key, fromMs: 0, untilMs })),
  );
}

/** Forgets clicks: under every key that they were kept under, and no other click of the same origin. */
export async function forgetClicks(options: ForgetOptions, ai: string, clicks: readonly ErasedClick[]): Promise<void> {
  await forget(
    options,
    clicks.flatMap(({ idfa, imei, androidId, ip, userAgent, timeMs }) => {
      const ids = { idfa: readDeviceId(idfa), imei: readDeviceId(imei), androidId: readDeviceId(androidId) };
      const kept = options.keys.ofClick(ai, ids, { ip, userAgent });
      return kept.map((key) => ({ key, fromMs: timeMs, untilMs: timeMs }));
    }),
  );
}

/** Forgets whatever is kept of the devices that an erased visitor's clicks are known by. */
export async function forgetOwners(
  options: ForgetOptions,
  ai: string,
  { owners, untilMs }: { readonly owners: readonly ClickOwner[]; readonly untilMs: number },
): Promise<void> {
  const forgotten = owners.flatMap((owner) => {
    if (!('device' in owner)) return [];
    const { device } = owner;
    const ids = { idfa: device, idfv: device, imei: device, androidId: device, oaid: device };
    return [...options.keys.ofDevice(ai, { visitor: '', ...ids }), ...options.keys.ofClick(ai, ids, NOWHERE)];
  });
  await forget(
    options,
    forgotten.map((key) => ({ key, fromMs: 0, untilMs })),
  );
}

async function forget({ index }: ForgetOptions, keys: readonly ForgottenKey[]): Promise<void> {
  for (let from = 0; from < keys.length; from += FORGOTTEN_AT_ONCE)
    await index.forget(keys.slice(from, from + FORGOTTEN_AT_ONCE));
}
