/**
 * The CSV dialect of the packages, one field at a time (docs/package-format.md).
 *
 * Delimiter `,`, quote `"`, escape `\`, line end `\n`. A field is quoted only where it must be, because Spark's own writer, whose
 * files the readers were made for, does the same. Null is nothing between the commas and an empty string is `""`, so that a
 * reader which can tell them apart, does.
 */

// A backslash is quoted as well: unquoted, some readers take it as an escape and some as itself.
const NEEDS_QUOTES = /[,"\\\r\n]|^[ \t]|[ \t]$/;
const NEEDS_ESCAPE = /["\\]/;
const ESCAPED = /["\\]/g;

// Whatever safeText, cutText or csvField would change.
const NOT_PLAIN = /[,"\\\r\n\0\uD800-\uDFFF]|^[ \t]|[ \t]$/;

/** Says whether a wire value is its own field: the quick way for most values of most events. */
export function isPlainField(value: unknown, width = Infinity): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= width && !NOT_PLAIN.test(value);
}

/** Writes a text as one CSV field. */
export function csvField(value: string): string {
  if (value.length === 0) return '""';
  if (!NEEDS_QUOTES.test(value)) return value;
  return `"${NEEDS_ESCAPE.test(value) ? value.replace(ESCAPED, '\\$&') : value}"`;
}

/** Writes a finite number in plain decimal digits, never in scientific notation. */
export function plainDecimal(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  const text = String(value);
  const match = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (!match) return text;
  const [, sign, whole, fraction = '', exponentText] = match as unknown as [
    string,
    string,
    string,
    string | undefined,
    string,
  ];
  const exponent = Number(exponentText);
  const digits = whole + fraction;
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - whole.length)}${digits}`;
  return sign + digits.padEnd(exponent + whole.length, '0');
}
