/**
 * The forms in which a stored row holds its visitor: in its sort key, and in its CSV line.
 *
 * A key holds the id cut to the column's width, and behind a long id a digest of the whole (map-events.ts), so that two long
 * ids that are cut to the same stay apart.
 */
import { csvField } from './csv.ts';
import { digestOfText } from './ids.ts';
import { widthOf } from './row-encoder.ts';
import { cutText } from './wire-value.ts';

const VISITOR_WIDTH = widthOf('visit', 'visitUserId');
/** Stands in a key between a cut id and the digest of the whole one. */
export const CUT_MARK = '\u0001';

/** Gives the visitor's part of a sort key. */
export function visitorKeyOf(visitor: string): string {
  const cut = cutText(visitor, VISITOR_WIDTH);
  return cut === visitor ? visitor : `${cut}${CUT_MARK}${digestOfText(visitor)}`;
}

/** Gives the visitor's field in a CSV line. */
export function visitorFieldOf(visitor: string): string {
  return csvField(cutText(visitor, VISITOR_WIDTH));
}

/** Says whether an id is as wide as its column, so that it may be what an export shows of a longer one. */
export function mayBeCut(visitor: string): boolean {
  return Array.from(visitor).length === VISITOR_WIDTH;
}
