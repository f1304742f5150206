/**
 * Maps one hit on a tracking link to its row.
 *
 * The row id is drawn, because every hit is a row of its own: two phones behind one address may send the same request twice in a
 * second, and nobody sends a hit again that was answered.
 */
import { randomBytes } from 'node:crypto';
import type { RowContext } from './column-sources.ts';
import { ROW_FLAGS, type EventBatch } from './event-row.ts';
import { ROW_ID_BYTES } from './ids.ts';
import type { LinkFacts } from './link-facts.ts';
import { encodeLine, type OnCut } from './row-encoder.ts';
import type { UserAgents } from './user-agent.ts';
import { cutText, safeText } from './wire-value.ts';

/** What the query of a hit says of the device. */
export type ClickedDevice = Readonly<Partial<Record<'idfa' | 'imei' | 'androidid' | 'uuid' | 'oaid', string>>>;

export type Click = {
  readonly ai: string;
  readonly link: LinkFacts;
  readonly device: ClickedDevice;
  /** The whole address that was asked for. */
  readonly url: string;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly nowMs: number;
};

/** As wide as what other rows keep beside their line. */
const KEPT_WIDTH = 5_000;

/** Maps a hit to a batch of one row. */
export function mapClick(
  click: Click,
  { userAgents, onCut }: { readonly userAgents: UserAgents; readonly onCut: OnCut },
): EventBatch {
  const { ai, link, device, url, ip, userAgent, nowMs } = click;
  const system = userAgents.operatingSystemOf(userAgent);
  const context: RowContext = {
    ai,
    event: device,
    element: {},
    timeMs: nowMs,
    pathPlatform: null,
    isWeb: true,
    ip,
    userAgent,
    operatingSystem: () => system,
    domain: null,
    actionRequestId: null,
    pageRequestId: null,
    link,
  };
  const line = encodeLine('ads_track_click', context, onCut);
  const extras: Record<string, string> = { url: cutText(safeText(url), KEPT_WIDTH) };
  if (device.oaid !== undefined) extras.oaid = cutText(safeText(device.oaid), KEPT_WIDTH);
  return {
    ai,
    rows: [
      {
        kind: 'ads_track_click',
        visitor: '',
        session: '',
        timeMs: nowMs,
        rowId: randomBytes(ROW_ID_BYTES),
        flags: ROW_FLAGS.firstOfEvent,
        lineHead: line.head,
        lineTail: line.tail,
        extras,
      },
    ],
    receipts: [{ line: 'ads_track_click', received: 1, ignored: 0, rows: 1 }],
    rejections: [],
  };
}
