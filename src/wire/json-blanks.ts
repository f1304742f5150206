/** Steps over the blanks that JSON allows between its tokens: space, tab, line feed, carriage return. */

/** Finds the first byte from here on that is no JSON blank. */
export function skipBlanks(json: Buffer, from: number): number {
  let at = from;
  while (at < json.length && isBlank(json[at]!)) at += 1;
  return at;
}

/** Finds the end of what lies before, without the JSON blanks there. */
export function skipBlanksBack(json: Buffer, until: number): number {
  let at = until;
  while (at > 0 && isBlank(json[at - 1]!)) at -= 1;
  return at;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
