/**
 * Turns the text of a JSON array into its elements.
 *
 * The text is scanned once (json-scan.ts) and parsed once. Elements that are too large are set aside by their place, so that the
 * caller can reject them and take their neighbours; their grammar is checked all the same.
 *
 * Cost: JSON.parse, and about a third of that for the scan.
 */
import { AppError } from '../errors/app-error.ts';
import { skipBlanks } from './json-blanks.ts';
import { scanJson, type ElementRange } from './json-scan.ts';
import { quoteNumbers } from './number-text.ts';
import type { WireLimits } from './wire-limits.ts';

/** An element that is larger than one may be. */
export type OversizeElement = {
  /** Bytes of its JSON text in UTF-8. */
  readonly bytes: number;
  /** The beginning of its text, cut between two characters. */
  readonly head: string;
};

/** The elements of a body, in order. */
export type JsonElements = {
  /** One value for each element; undefined for those in `oversize`. Any JSON value may stand here, not only objects. */
  readonly values: readonly unknown[];
  /** The elements that were set aside, by their index in `values`. */
  readonly oversize: ReadonlyMap<number, OversizeElement>;
};

const NOTHING_OVERSIZE: ReadonlyMap<number, OversizeElement> = new Map();
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;

/**
 * Parses the text of an array; an object is taken as an array of one. A byte order mark is skipped, invalid UTF-8 becomes U+FFFD.
 *
 * Numbers that JavaScript would print otherwise become strings of their wire text, but for the keys tm, ptm and stm
 * (number-text.ts says why).
 * @throws AppError too_deep, too_large (too many elements or values), or undecodable_body when it is no JSON array or object.
 */
export function parseElements(text: Buffer, limits: WireLimits): JsonElements {
  const json = withoutByteOrderMark(text);
  const scan = scanJson(json, limits);
  const parsed = parseJson(json, scan.textNumbers);
  const values = scan.isArray ? (parsed as unknown[]) : [parsed];
  if (scan.oversize.length === 0) return { values, oversize: NOTHING_OVERSIZE };

  const oversize = new Map<number, OversizeElement>();
  for (const range of scan.oversize) {
    values[range.index] = undefined;
    oversize.set(range.index, setAside(json, range, limits.oversizeHeadBytes));
  }
  return { values, oversize };
}

/** Says whether the first byte that is not blank, behind a byte order mark, begins an array or an object. */
export function looksLikeJson(text: Buffer): boolean {
  const json = withoutByteOrderMark(text);
  const first = json[skipBlanks(json, 0)];
  return first === 0x5b || first === 0x7b;
}

function parseJson(json: Buffer, textNumbers: readonly number[]): unknown {
  const isUnchanged = textNumbers.length === 0;
  const text = (isUnchanged ? json : quoteNumbers(json, textNumbers)).toString('utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // The engine's message quotes the text, and an error must never hold a piece of a body: so neither it nor a cause is kept.
    const place = isUnchanged ? / at position (\d+)/.exec(error.message)?.[1] : undefined;
    throw new AppError(
      'undecodable_body',
      `the text breaks off or is not valid${place ? ` at character ${place}` : ''}`,
    );
  }
}

function setAside(json: Buffer, range: ElementRange, headBytes: number): OversizeElement {
  let headEnd = Math.min(range.from + headBytes, range.until);
  for (let step = 0; step < 3 && (json[headEnd]! & 0xc0) === 0x80; step += 1) headEnd -= 1; // back to a character's first byte
  return { bytes: range.until - range.from, head: json.toString('utf8', range.from, headEnd) };
}

function withoutByteOrderMark(text: Buffer): Buffer {
  return BYTE_ORDER_MARK.every((byte, at) => text[at] === byte) ? text.subarray(BYTE_ORDER_MARK.length) : text;
}
