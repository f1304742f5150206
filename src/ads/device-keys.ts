/**
 * Under which keys clicks and devices are remembered: hashes, keyed with a secret of the data directory, of project, kind and id.
 *
 * The ids of phones are few enough to be tried out one by one, so a plain hash would hide none of them. The key comes from the
 * catalog's keys, which a backup holds too. 12 bytes of SHA-256: among 100 million keys two are equal with a chance of 1 to 10^13.
 */
import { hash } from 'node:crypto';
import { OAID_WIDTH, readDeviceId } from '../events/device-id.ts';
import { readText } from '../events/wire-value.ts';

export const KEY_BYTES = 12;
/** What a device is known by. Null where it is not known, or is no id. */
export type DeviceIds = {
  readonly idfa: string | null;
  readonly idfv: string | null;
  readonly imei: string | null;
  readonly androidId: string | null;
  readonly oaid: string | null;
};

/** The ids of an activation, and the visitor, which stands for a device that has none. */
export type ActivationIds = DeviceIds & { readonly visitor: string };

/** Where a click or an activation came from. */
export type Origin = { readonly ip: string | null; readonly userAgent: string | null };

/** Reads the ids of an activation from its event. */
export function activationIdsOf(event: Readonly<Record<string, unknown>>): ActivationIds {
  return readActivationIds({
    visitor: event.u,
    idfa: event.ui,
    idfv: event.iv,
    imei: event.imei,
    androidId: event.adrid,
    oaid: event.oaid,
  });
}

/**
 * Reads the ids of an activation from what is kept of it: the columns visitUserId, idfa, uuid (as idfv), imei and androidId, and
 * the extra oaid. For erasure, which finds activations by their rows.
 */
export function readActivationIds(kept: Readonly<Record<keyof ActivationIds, unknown>>): ActivationIds {
  return {
    visitor: readText(kept.visitor) ?? '',
    idfa: readDeviceId(kept.idfa),
    idfv: readDeviceId(kept.idfv),
    imei: readDeviceId(kept.imei),
    androidId: readDeviceId(kept.androidId),
    oaid: readDeviceId(kept.oaid, OAID_WIDTH),
  };
}

export class DeviceKeys {
  readonly #prefix: string;

  /** `secret` is the catalog's link key; this makes a key of its own of it. */
  constructor(secret: Buffer) {
    this.#prefix = hash('sha256', `ads\0${secret.toString('hex')}`, 'hex');
  }

  /** Gives every key under which a click can be found. */
  ofClick(ai: string, ids: Pick<DeviceIds, 'idfa' | 'imei' | 'androidId'>, origin: Origin): readonly Buffer[] {
    const { idfa, imei, androidId } = ids;
    return this.#keys(ai, { imei, androidId, idfa, origin: textOf(origin) });
  }

  /** Gives the keys by which an activation finds its click, the best first: each is asked for only when the one before finds none. */
  ofSearch(ai: string, ids: DeviceIds, origin: Origin, isIos: boolean): readonly Buffer[] {
    const { idfa, imei, androidId } = ids;
    return this.#keys(ai, { ...(isIos ? { idfa } : { imei, androidId }), origin: textOf(origin) });
  }

  /** Gives the keys of a device: it is the same as another that shares any of them. The visitor counts where there is no id. */
  ofDevice(ai: string, { visitor, ...ids }: ActivationIds): readonly Buffer[] {
    const keys = this.#keys(ai, ids);
    return keys.length > 0 ? keys : this.#keys(ai, { visitor });
  }

  #keys(ai: string, values: Readonly<Record<string, string | null>>): readonly Buffer[] {
    return Object.entries(values).flatMap(([kind, value]) =>
      value === null
        ? []
        : [hash('sha256', `${this.#prefix}\0${ai}\0${kind}\0${value}`, 'buffer').subarray(0, KEY_BYTES)],
    );
  }
}

function textOf({ ip, userAgent }: Origin): string | null {
  return ip === null || userAgent === null || userAgent === '' ? null : `${ip}\0${userAgent}`;
}
