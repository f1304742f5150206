/** The parts of a query, `a=1` and `b=2` of `a=1&b=2`. Compared as they were sent, without decoding. */
import { isSameBytes } from './same-bytes.ts';

/** Parts beyond these are not looked at: a hostile query may have thousands. */
export const MAX_QUERY_PARTS = 32;

const AND = 0x26;

/** Gives the first parts of a query, each once, without empty ones. */
export function queryPartsOf(query: string): ReadonlySet<string> {
  const parts = new Set<string>();
  for (let from = 0; from <= query.length && parts.size < MAX_QUERY_PARTS;) {
    const mark = query.indexOf('&', from);
    const until = mark < 0 ? query.length : mark;
    if (until > from) parts.add(query.slice(from, until));
    from = until + 1;
  }
  return parts;
}

/** The same of a query that is bytes, one after the other: part i is [starts[i], ends[i]). */
export class QueryParts {
  bytes: Uint8Array = new Uint8Array(0);
  readonly starts = new Int32Array(MAX_QUERY_PARTS);
  readonly ends = new Int32Array(MAX_QUERY_PARTS);
  count = 0;

  clear(): void {
    this.count = 0;
  }

  /** Finds the parts of the query [start, end). Cost: linear, because a part is compared with at most so many as are looked at. */
  read(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.count = 0;
    for (let from = start; from < end && this.count < MAX_QUERY_PARTS;) {
      let until = from;
      while (until < end && bytes[until] !== AND) until += 1;
      if (until > from && !this.holds(bytes, from, until)) {
        this.starts[this.count] = from;
        this.ends[this.count] = until;
        this.count += 1;
      }
      from = until + 1;
    }
  }

  /** Says whether the bytes [start, end) are one of the parts. */
  holds(bytes: Uint8Array, start: number, end: number): boolean {
    for (let part = 0; part < this.count; part += 1)
      if (isSameBytes(this.bytes, this.starts[part]!, this.ends[part]!, bytes, start, end)) return true;
    return false;
  }
}
