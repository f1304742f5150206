/**
 * Finds a field in a CSV line of our own dialect, as bytes, without decoding the others.
 */
const COMMA = 0x2c;
const QUOTE = 0x22;
const ESCAPE = 0x5c;

/**
 * Gives the bytes [start, end) of a field, quotes included, by its place from 0. The line lies in `bytes` from `from` on and ends
 * with a line feed at `until - 1`. Undefined when the line has fewer fields.
 */
export function findField(
  bytes: Buffer,
  from: number,
  until: number,
  place: number,
): { readonly start: number; readonly end: number } | undefined {
  let at = from;
  for (let field = 0; ; field += 1) {
    const start = at;
    if (bytes[at] === QUOTE) {
      at += 1;
      while (at < until && bytes[at] !== QUOTE) at += bytes[at] === ESCAPE ? 2 : 1;
      at += 1;
    }
    while (at < until - 1 && bytes[at] !== COMMA) at += 1;
    if (field === place) return { start, end: at };
    if (at >= until - 1) return undefined;
    at += 1;
  }
}

/** Where a field lies, its quotes included. */
export type FieldPlace = { readonly start: number; readonly end: number };

/** Gives the places of all fields of a line that lies as `findField` says. */
export function findFields(bytes: Buffer, from: number, until: number): readonly FieldPlace[] {
  const fields: FieldPlace[] = [];
  for (let at = from; at < until;) {
    const field = findField(bytes, at, until, 0)!;
    fields.push(field);
    at = field.end + 1;
  }
  return fields;
}

/** Reads a field back into the text that it was made of; null where there is nothing between the commas. */
export function readField(bytes: Buffer, { start, end }: FieldPlace): string | null {
  if (start === end) return null;
  if (bytes[start] !== QUOTE) return bytes.toString('utf8', start, end);
  return bytes.toString('utf8', start + 1, end - 1).replaceAll(/\\(["\\])/g, '$1');
}
