/**
 * Walks the rows and fields of a CSV that comes in pieces, as the export writes it (docs/package-format.md), without decoding them.
 *
 * Memory: one piece and the row that it ended in. A row that goes over several pieces is looked at once for each.
 */
const COMMA = 0x2c;
const QUOTE = 0x22;
const ESCAPE = 0x5c;
const LINE_FEED = 0x0a;

/** A row: field i is `bytes[ends[i - 1] + 1 ?? start .. ends[i])`, quotes included. Good until the next row is asked for. */
export type CsvRow = {
  readonly bytes: Buffer;
  readonly start: number;
  /** Where each field ends: at a comma, the last at the line feed. */
  readonly ends: readonly number[];
};

export class CsvRows {
  #rest: Buffer = Buffer.alloc(0);

  /** Whether the CSV may end here. */
  get isWhole(): boolean {
    return this.#rest.length === 0;
  }

  /** Gives the rows that end in this piece. Must be walked to its end before the next piece. */
  *rowsOf(piece: Buffer): Generator<CsvRow> {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const ends: number[] = [];
    let start = 0;
    for (;;) {
      const next = findRowEnd(bytes, start, ends);
      if (next === undefined) break;
      yield { bytes, start, ends };
      start = next;
    }
    this.#rest = Buffer.from(bytes.subarray(start)); // a copy: the piece belongs to its stream
  }
}

/** Fills `ends` with the fields of the row that begins at `start`, and gives where the next one does. Undefined when it has no end. */
function findRowEnd(bytes: Buffer, start: number, ends: number[]): number | undefined {
  ends.length = 0;
  let at = start;
  for (;;) {
    if (bytes[at] === QUOTE) {
      at += 1;
      while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === ESCAPE ? 2 : 1;
      at += 1;
    }
    while (at < bytes.length && bytes[at] !== COMMA && bytes[at] !== LINE_FEED) at += 1;
    if (at >= bytes.length) return undefined;
    ends.push(at);
    at += 1;
    if (bytes[at - 1] === LINE_FEED) return at;
  }
}

/** Gives where a field of a row begins. */
export function fieldStart({ start, ends }: CsvRow, place: number): number {
  return place === 0 ? start : ends[place - 1]! + 1;
}

/** Reads a field's value; null when there is nothing between the commas. */
export function fieldText(row: CsvRow, place: number): string | null {
  const from = fieldStart(row, place);
  const until = row.ends[place]!;
  if (from === until) return null;
  if (row.bytes[from] !== QUOTE) return row.bytes.toString('utf8', from, until);
  return row.bytes.toString('utf8', from + 1, until - 1).replaceAll(/\\(["\\])/g, '$1');
}
