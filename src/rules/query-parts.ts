/** The parts of a query, `a=1` and `b=2` of `a=1&b=2`. Compared as they were sent, without decoding. */

/** Parts beyond these are not looked at: a hostile query may have thousands. */
export const MAX_QUERY_PARTS = 32;

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
