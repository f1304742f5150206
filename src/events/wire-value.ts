/**
 * Reads single values of a wire event into the values that columns hold.
 *
 * SDKs put numbers where strings belong and the other way round; whatever can be read is taken, and nothing here throws. NUL and
 * lone surrogates become U+FFFD, because neither survives in UTF-8 text that every CSV reader takes. Widths count code points.
 */
const REPLACEMENT = '\uFFFD';

const UNSAFE = /[\0\uD800-\uDFFF]/;

/** Replaces NUL and lone surrogates. */
export function safeText(text: string): string {
  return UNSAFE.test(text) ? text.toWellFormed().replaceAll('\0', REPLACEMENT) : text;
}

/** Reads a text: strings as they are, numbers as they were sent, booleans in words, objects as JSON. Null when missing or null. */
export function readText(value: unknown): string | null {
  if (typeof value === 'string') return safeText(value);
  if (value === undefined || value === null) return null;
  if (typeof value === 'number') return String(value); // its wire text: others came as text (wire/number-text.ts)
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  return safeText(JSON.stringify(value));
}

/** Reads a whole number, also from a string of digits. Null when there is none that a double holds exactly. */
export function readInteger(value: unknown): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value + 0 : null;
  // The point: a whole number sent as 2.0 arrives here as its text (wire/number-text.ts).
  if (typeof value !== 'string' || !/^\s*-?\d{1,16}(\.0{1,16})?\s*$/.test(value)) return null;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number + 0 : null;
}

/** Reads a decimal number, also from a string. Null when there is none. */
export function readNumber(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || !/^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?\s*$/i.test(value)) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** Cuts a text to a number of code points, never inside a surrogate pair. Returns the same string when it fits. */
export function cutText(text: string, width: number): string {
  if (text.length <= width) return text;
  let units = 0;
  for (let points = 0; points < width && units < text.length; points += 1) {
    const unit = text.charCodeAt(units);
    units += unit >= 0xd800 && unit <= 0xdbff ? 2 : 1;
  }
  return units >= text.length ? text : text.slice(0, units);
}

/** Bounds of a map column; beyond them it is cut, and the cut is counted. */
export const MAP_LIMITS = { keyWidth: 50, valueWidth: 1_000, keys: 100, encodedBytes: 64 * 1024 } as const;

/**
 * Reads a `var` into the JSON text of a map of strings, without blanks.
 *
 * Entries with a null value are left out, and those whose key, once cut, is there already: readers refuse a map with a key twice.
 * Null for an empty map or for what is no object. `onCut` is called once when anything was cut or could not be read. PHP writes an
 * empty map as `[]`.
 */
export function readMap(value: unknown, onCut: () => void): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'object' || Array.isArray(value)) {
    if (!isEmptyArray(value)) onCut();
    return null;
  }
  let json = '';
  let bytes = 2;
  const keys = new Set<string>();
  let isCut = false;
  for (const [wireKey, wireValue] of Object.entries(value)) {
    const wireText = readText(wireValue);
    if (wireText === null) continue;
    const whole = safeText(wireKey);
    const key = cutText(whole, MAP_LIMITS.keyWidth);
    const text = cutText(wireText, MAP_LIMITS.valueWidth);
    if (key !== whole || text !== wireText) isCut = true;
    if (keys.has(key)) {
      isCut = true;
      continue;
    }
    const entry = `${keys.size === 0 ? '' : ','}${JSON.stringify(key)}:${JSON.stringify(text)}`;
    bytes += Buffer.byteLength(entry);
    if (keys.size === MAP_LIMITS.keys || bytes > MAP_LIMITS.encodedBytes) {
      isCut = true;
      break;
    }
    json += entry;
    keys.add(key);
  }
  if (isCut) onCut();
  return keys.size === 0 ? null : `{${json}}`;
}

/** Says whether a value is an array without elements, as PHP writes a map without entries. */
export function isEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
