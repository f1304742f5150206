/**
 * Reads rules from a CSV file as spreadsheets write it (RFC 4180): comma, fields in quotes where needed, a quote inside doubled,
 * LF or CRLF, in UTF-8 with or without a byte order mark.
 *
 * The header names the columns, in any order; `name` and `type` must be there. An empty field is an absent condition. A rule with a
 * `ruleId` that the project has takes the place of that rule, so that a file may be imported again; without one it is a new rule.
 */
import { AppError } from '../errors/app-error.ts';
import { parseRule, RULE_ID, type RuleDraft, type RuleInput } from './rule.ts';

/** The header with every column, as messages and documents show it. */
export const RULE_CSV_HEADER = 'ruleId,name,type,domain,path,query,xpath,index,value,href';
const COLUMNS: readonly string[] = RULE_CSV_HEADER.split(',');
const REQUIRED_COLUMNS = ['name', 'type'];

type CsvRule = RuleDraft & { readonly ruleId?: string | undefined };
/** A record and the number of its first line. */
type CsvRecord = { readonly line: number; readonly fields: readonly string[] };

/** Parses a file of rules. @throws AppError import_invalid, naming the line and what is wrong with it */
export function parseRuleCsv(text: string): readonly CsvRule[] {
  const [header, ...records] = readRecords(text.replace(/^\uFEFF/, ''));
  const columns = parseHeader(header);
  const seen = new Map<string, number>();
  return records
    .filter(({ fields }) => fields.some((field) => field !== ''))
    .map(({ line, fields }) => {
      if (fields.length !== columns.length)
        throw invalid(line, `it has ${fields.length} fields, and the header has ${columns.length}`);
      const values = Object.fromEntries(
        columns.map((column, place) => [column, fields[place] === '' ? undefined : fields[place]]),
      );
      const { ruleId, ...input } = values;
      if (ruleId !== undefined && !RULE_ID.test(ruleId))
        throw invalid(line, 'its ruleId is not 8 hex digits in small letters');
      const before = ruleId === undefined ? undefined : seen.get(ruleId);
      if (before !== undefined) throw invalid(line, `its ruleId stands in line ${before} too`);
      if (ruleId !== undefined) seen.set(ruleId, line);
      return { ...parseAt(line, input), ...(ruleId !== undefined && { ruleId }) };
    });
}

function parseHeader(header: CsvRecord | undefined): readonly string[] {
  const columns = header?.fields.map((name) => name.trim()) ?? [];
  const isRight =
    REQUIRED_COLUMNS.every((name) => columns.includes(name)) &&
    columns.every((name) => COLUMNS.includes(name)) &&
    new Set(columns).size === columns.length;
  if (isRight) return columns;
  throw invalid(
    1,
    `the header must be ${RULE_CSV_HEADER} (of these, name and type must be there, and the others may be absent)`,
  );
}

function parseAt(line: number, input: RuleInput): RuleDraft {
  try {
    return parseRule(input);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError('import_invalid', `Line ${line}: ${error.message}`, { cause: error });
  }
}

/** Cuts the text into records; quotes may hold line breaks. One pass. */
function* readRecords(text: string): Generator<CsvRecord> {
  let fields: string[] = [];
  let line = 1;
  let first = 1;
  for (let at = 0; at < text.length;) {
    const isQuoted = text[at] === '"';
    const { value, end } = isQuoted ? readQuoted(text, at, line) : readPlain(text, at);
    fields.push(value);
    line += value.split('\n').length - 1;
    at = end;
    if (text[at] === ',') {
      at += 1;
      if (at < text.length) continue;
      fields.push('');
    }
    if (text.startsWith('\r\n', at)) at += 1;
    if (at < text.length && text[at] !== '\n') throw invalid(line, 'there is something behind a closing quote');
    at += 1;
    line += 1;
    yield { line: first, fields };
    fields = [];
    first = line;
  }
}

type Field = { readonly value: string; readonly end: number };

function readPlain(text: string, from: number): Field {
  let end = from;
  while (end < text.length && text[end] !== ',' && text[end] !== '\n' && !text.startsWith('\r\n', end)) end += 1;
  return { value: text.slice(from, end), end };
}

function readQuoted(text: string, from: number, line: number): Field {
  let value = '';
  for (let at = from + 1; ;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) throw invalid(line, 'a quote is not closed');
    value += text.slice(at, quote);
    if (text[quote + 1] !== '"') return { value, end: quote + 1 };
    value += '"';
    at = quote + 2;
  }
}

function invalid(line: number, what: string): AppError {
  return new AppError('import_invalid', `Line ${line}: ${what}.`);
}
