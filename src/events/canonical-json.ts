/**
 * Writes a JSON value in one canonical form: keys sorted by UTF-16 code unit, no blanks (as RFC 8785 does).
 *
 * Two events that differ only in the order of their keys or in white space are the same event, and a resend must get the same ids.
 * Recursion is bounded by the caller: events are nested at most 64 levels deep.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const object = value as Readonly<Record<string, unknown>>;
  let json = '';
  for (const key of Object.keys(object).sort()) {
    const member = object[key];
    json += `${json === '' ? '' : ','}${JSON.stringify(key)}:${typeof member === 'string' ? JSON.stringify(member) : canonicalJson(member)}`;
  }
  return `{${json}}`;
}
