/**
 * Encodes one row of a data type: reads each column's source, fits it to the column, and writes the CSV line.
 *
 * The line is left open at the send time, which is not known yet (event-row.ts). Called for every row that comes in, so the
 * columns are looked up once, when the module's tables are built, and not by name for each row.
 */
import { csvField, isPlainField, plainDecimal } from './csv.ts';
import { COLUMN_SOURCES, readSource, SEND_TIME, type RowContext, type Source } from './column-sources.ts';
import { columnsOf, type Column, type DataType } from './data-types.ts';
import { cutText, readInteger, readMap, readNumber, readText } from './wire-value.ts';

/** Called with each column whose value was cut or could not be read in the column's type. */
export type OnCut = (dataType: DataType, column: string) => void;

export type BoundColumn = Column & { readonly source: Source };

/** What was made of a column's value in the row before. */
type KnownField = { readonly value: unknown; readonly text: string; readonly isCut: boolean };

/**
 * The fields of the row before, by column. Rows of one event repeat its outer values: without this, 5,000 elements beside one long
 * value would read, check and escape that value 5,000 times.
 */
export type FieldMemo = Map<string, KnownField>;

/** A line without its send time: head + 13 digits + tail. */
export type OpenLine = { readonly head: string; readonly tail: string };

/** The columns of each data type with their sources. */
export const BOUND_COLUMNS: ReadonlyMap<DataType, readonly BoundColumn[]> = new Map(
  (Object.keys(COLUMN_SOURCES) as DataType[]).map((dataType) => [dataType, bindColumns(dataType)]),
);

function bindColumns(dataType: DataType): BoundColumn[] {
  const sources = COLUMN_SOURCES[dataType] ?? {};
  const columns = columnsOf(dataType);
  const extra = Object.keys(sources).filter((name) => !columns.some((column) => column.name === name));
  if (extra.length > 0) throw new Error(`${dataType} has sources for columns it does not have: ${extra.join(', ')}`);
  return columns.map((column) => {
    const source = sources[column.name];
    if (!source) throw new Error(`${dataType}.${column.name} has no source`);
    return { ...column, source };
  });
}

/** Encodes a row's line, ending with a line feed. `memo` is shared by the rows of one event, and by no others. */
export function encodeLine(dataType: DataType, row: RowContext, onCut: OnCut, memo?: FieldMemo): OpenLine {
  let head = '';
  let text = '';
  let isFirst = true;
  for (const column of BOUND_COLUMNS.get(dataType) ?? []) {
    if (!isFirst) text += ',';
    isFirst = false;
    const value = readSource(column.source, row);
    if (value === SEND_TIME) {
      head = text;
      text = '';
    } else if (value !== null && value !== undefined) {
      text += memo ? knownField(dataType, column, value, onCut, memo) : encodeField(dataType, column, value, onCut);
    }
  }
  return { head, tail: `${text}\n` };
}

function knownField(dataType: DataType, column: BoundColumn, value: unknown, onCut: OnCut, memo: FieldMemo): string {
  const known = memo.get(column.name);
  if (known !== undefined && known.value === value) {
    if (known.isCut) onCut(dataType, column.name);
    return known.text;
  }
  let isCut = false;
  const text = encodeField(dataType, column, value, (cutType, cutColumn) => {
    isCut = true;
    onCut(cutType, cutColumn);
  });
  memo.set(column.name, { value, text, isCut });
  return text;
}

function encodeField(dataType: DataType, column: BoundColumn, value: unknown, onCut: OnCut): string {
  switch (column.type) {
    case 'string': {
      if (isPlainField(value, column.width)) return value;
      const whole = readText(value) ?? '';
      // An IPv6 address is longer than the column was made for, and half an address is worse than a long one.
      if (column.width === undefined || column.name === 'ip') return csvField(whole);
      const text = cutText(whole, column.width);
      if (text !== whole) onCut(dataType, column.name);
      return csvField(text);
    }
    case 'map': {
      const json = readMap(value, () => onCut(dataType, column.name));
      return json === null ? '' : csvField(json);
    }
    case 'int64':
    case 'double': {
      const number = column.type === 'int64' ? readInteger(value) : readNumber(value);
      if (number !== null) return plainDecimal(number);
      onCut(dataType, column.name);
      return '';
    }
  }
}

/** Gives the documented width of a text column, for values that are kept elsewhere too, such as sort keys. */
export function widthOf(dataType: DataType, columnName: string): number {
  return columnsOf(dataType).find((column) => column.name === columnName)?.width ?? Infinity;
}
