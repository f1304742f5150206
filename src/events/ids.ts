/**
 * Ids, derived from what was sent and never drawn: the same event sent again gets the same ids on every collector.
 *
 * A row id is 16 bytes and says whether two rows of one data type are the same; it is never exported as such. All hashes are
 * SHA-256 over NUL-separated parts with a word for their purpose first; wire texts hold no NUL (see wire-value.ts), so parts
 * cannot run into each other. Ids use uncut values.
 */
import { hash } from 'node:crypto';
import { CanonicalWriter } from './canonical-bytes.ts';
import type { DataType } from './data-types.ts';

export const ROW_ID_BYTES = 16;

/** 13 digits fit any time until the year 2286; others are folded into them, and the hash still holds the whole time. */
const TIME_MODULUS = 10_000_000_000_000;

function digestHex(purpose: string, parts: readonly string[]): string {
  return hash('sha256', `${purpose}\0${parts.join('\0')}`, 'hex');
}

/** Makes the visit's key from its project, visitor and session: 16 hex digits. */
export function vstRequestId(ai: string, visitor: string, session: string): string {
  return digestHex('visit', [ai, visitor, session]).slice(0, 16);
}

/** Makes the page's key from project, visitor, session and the page's client time: 13 digits and 10 hex digits. */
export function pageRequestId(ai: string, visitor: string, session: string, timeMs: number): string {
  const { last } = pageIds;
  if (timeMs === last.timeMs && session === last.session && visitor === last.visitor && ai === last.ai) return last.id;
  const id = derivePageRequestId(ai, visitor, session, timeMs);
  pageIds.last = { ai, visitor, session, timeMs, id };
  return id;
}

/** The events of a request mostly are of one page. */
const pageIds = { last: { ai: '', visitor: '', session: '', timeMs: NaN, id: '' } };

function derivePageRequestId(ai: string, visitor: string, session: string, timeMs: number): string {
  const folded = ((timeMs % TIME_MODULUS) + TIME_MODULUS) % TIME_MODULUS;
  return String(folded).padStart(13, '0') + digestHex('page', [ai, visitor, session, String(timeMs)]).slice(0, 10);
}

/** Gives a visit's row id: its vstRequestId. */
export function visitRowId(requestId: string): Buffer {
  const rowId = Buffer.alloc(ROW_ID_BYTES);
  rowId.write(requestId, 'hex');
  return rowId;
}

/** Gives a page's row id: its pageRequestId, as 8 bytes of time and 5 of hash. */
export function pageRowId(requestId: string): Buffer {
  const rowId = Buffer.alloc(ROW_ID_BYTES);
  rowId.writeBigUInt64BE(BigInt(requestId.slice(0, 13)), 0);
  rowId.write(requestId.slice(13), 8, 'hex');
  return rowId;
}

const canonical = new CanonicalWriter();

/** Hashes one wire event in its canonical JSON: 32 bytes, as the characters of Latin-1. */
export function eventDigest(ai: string, dataType: DataType, event: unknown): string {
  return hash('sha256', canonical.write(`event\0${ai}\0${dataType}\0`, event), 'binary');
}

/**
 * Gives the row id of one row of an event: the event's digest, its place in `e[]` and the count of equal events before it in the
 * same request, so that two equal clicks sent together are two rows and a batch sent twice is one.
 */
export function eventRowId(digest: string, place: number, occurrence: number): Buffer {
  if (place === 0 && occurrence === 0) return Buffer.from(digest.slice(0, ROW_ID_BYTES), 'latin1');
  const digestText = Buffer.from(digest, 'latin1').toString('hex');
  const hex = digestHex('row', [digestText, String(place), String(occurrence)]);
  return Buffer.from(hex.slice(0, 2 * ROW_ID_BYTES), 'hex');
}

/** Cuts an action's exported key from its row id: `wa:` on the web, `ma:` elsewhere, and 27 hex digits. */
export function actionRequestId(isWeb: boolean, rowId: Buffer): string {
  return `${isWeb ? 'wa' : 'ma'}:${rowId.toString('hex').slice(0, 27)}`;
}

/** Hashes a text to 16 hex digits, where it only has to be told apart from others. */
export function digestOfText(text: string): string {
  return digestHex('text', [text]).slice(0, 16);
}
