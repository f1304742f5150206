/**
 * Says of a stored click whether it is of a visitor who is to be erased: by the devices and the origins that his rows tell of
 * (src/events/click-owner.ts).
 *
 * Cost: one look-up for each id of a click, and one for its address.
 */
import { findFields, readField } from '../../events/csv-line.ts';
import {
  ATTRIBUTION_MS,
  keyOfOwner,
  type ClickOwner,
  type ErasedClick,
  type OwningOrigin,
} from '../../events/click-owner.ts';
import { columnsOf } from '../../events/data-types.ts';
import { OAID_WIDTH, readDeviceId } from '../../events/device-id.ts';
import { decodeExtras } from './record-codec.ts';
import type { RecordParts } from './visitor-matcher.ts';

/** Clicks up to an instant that are to go; `erasure` is the caller's number for whom they are counted. */
export type ErasedClicks = { readonly owner: ClickOwner; readonly untilMs: number; readonly erasure: number };

type Reach = { readonly untilMs: number; readonly erasure: number };

const COLUMN_NAMES = columnsOf('ads_track_click').map(({ name }) => name);
/** An activation is stored a moment after its click was looked for. */
const SLACK_MS = 60_000;

export class ClickMatcher {
  readonly #byDevice = new Map<string, Reach[]>();
  readonly #byOrigin = new Map<string, (Reach & { readonly activatedAtMs: number })[]>();

  constructor(clicks: readonly ErasedClicks[]) {
    for (const { owner, untilMs, erasure } of clicks) {
      if ('device' in owner) push(this.#byDevice, keyOfOwner(owner), { untilMs, erasure });
      else push(this.#byOrigin, originOf(owner), { untilMs, erasure, activatedAtMs: owner.activatedAtMs });
    }
  }

  /** Gives the number of the erasure that a click is to go for; undefined when it stays. */
  match(record: RecordParts): number | undefined {
    if (this.#byDevice.size === 0 && this.#byOrigin.size === 0) return undefined;
    const { sendTimeMs } = record;
    const { ids, ip, userAgent, linkId } = readClick(record);
    for (const id of ids) {
      const device = id === null ? undefined : readDeviceId(id, OAID_WIDTH);
      const found = this.#byDevice.get(device ?? '')?.find(({ untilMs }) => sendTimeMs <= untilMs);
      if (found) return found.erasure;
    }
    if (this.#byOrigin.size === 0 || ip === null || userAgent === null || linkId === null) return undefined;
    const found = this.#byOrigin
      .get(originOf({ ip, userAgent, linkId }))
      ?.find(
        ({ untilMs, activatedAtMs }) =>
          sendTimeMs <= Math.min(untilMs, activatedAtMs) && sendTimeMs > activatedAtMs - ATTRIBUTION_MS - SLACK_MS,
      );
    return found && ids.every((id) => readDeviceId(id, OAID_WIDTH) === null) ? found.erasure : undefined;
  }
}

/** Reads by what a click is remembered. */
export function readErasedClick(record: RecordParts): ErasedClick {
  const { ids, ip, userAgent } = readClick(record);
  const [idfa = null, imei = null, , androidId = null] = ids;
  return { idfa, imei, androidId, ip, userAgent, timeMs: record.sendTimeMs };
}

function readClick({ bytes, lineStart, extrasStart, end }: RecordParts) {
  const fields = findFields(bytes, lineStart, extrasStart);
  const read = (column: string): string | null => {
    const place = fields[COLUMN_NAMES.indexOf(column)];
    return place === undefined ? null : readField(bytes, place);
  };
  const oaid = decodeExtras(bytes.subarray(extrasStart, end)).oaid ?? null;
  return {
    ids: [read('idfa'), read('imei'), read('uuid'), read('androidId'), oaid],
    ip: read('ip'),
    userAgent: read('userAgent'),
    linkId: read('linkId'),
  };
}

function originOf({ ip, userAgent, linkId }: Omit<OwningOrigin, 'activatedAtMs'>): string {
  return JSON.stringify([ip, userAgent, linkId]);
}

function push<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const known = map.get(key);
  if (known) known.push(value);
  else map.set(key, [value]);
}
