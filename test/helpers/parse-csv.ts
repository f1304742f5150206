/**
 * Reads the CSV of the packages, written from the format's description and sharing no code with src/.
 *
 * Delimiter `,`, quote `"`, escape `\`, line end `\n`. Nothing between the commas is null, `""` is an empty string. Stricter than
 * readers are: what the format never writes is an error.
 */

/** Parses a whole file into records of fields. @throws Error with the place of what is not of the format */
export function parseCsv(text: string): (string | null)[][] {
  const records: (string | null)[][] = [];
  let record: (string | null)[] = [];
  let at = 0;
  while (at < text.length) {
    const field = text[at] === '"' ? quotedField(text, at) : plainField(text, at);
    record.push(field.value);
    at = field.end;
    const mark = text[at];
    if (mark !== ',' && mark !== '\n') throw new Error(`neither a comma nor a line end at character ${at}`);
    at += 1;
    if (mark === '\n') {
      records.push(record);
      record = [];
    }
  }
  if (record.length > 0) throw new Error('the last line has no line end');
  return records;
}

function quotedField(text: string, start: number): { readonly value: string; readonly end: number } {
  let value = '';
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '"') return { value, end: at + 1 };
    if (text[at] === '\\') {
      at += 1;
      if (text[at] !== '"' && text[at] !== '\\') throw new Error(`an escape of nothing at character ${at}`);
    }
    value += text.charAt(at);
  }
  throw new Error(`the quote at character ${start} is never closed`);
}

function plainField(text: string, start: number): { readonly value: string | null; readonly end: number } {
  let end = start;
  while (end < text.length && text[end] !== ',' && text[end] !== '\n') end += 1;
  const value = text.slice(start, end);
  if (/["\\\r]|^[ \t]|[ \t]$/.test(value)) throw new Error(`an unquoted field that needs quotes at character ${start}`);
  return { value: value === '' ? null : value, end };
}
