/**
 * Columns that the vendor's documents added to the tables of ads after the version that the export follows. They stand behind the
 * documented ones, and only where a project asks for them (`extendedColumns`).
 *
 * Their values lie beside the line, in a record's extras, so that a project can ask at any time and records are the same either way.
 */
import { csvField } from './csv.ts';
import { columnsOf, type Column, type DataType } from './data-types.ts';
import { cutText } from './wire-value.ts';

/** A column whose value lies in the extras of the record, under the short name `extra`. */
export type ExtendedColumn = Column & { readonly extra: string };

const OAID: ExtendedColumn = { name: 'OAID', type: 'string', width: 64, extra: 'oaid' };

/** The documents give these no width; ours is what an OAID and a URL need. */
const EXTENDED_COLUMNS: Readonly<Partial<Record<DataType, readonly ExtendedColumn[]>>> = {
  ads_track_activation: [OAID],
  ads_track_click: [OAID, { name: 'clickUrl', type: 'string', width: 1024, extra: 'url' }],
};

const NONE: readonly ExtendedColumn[] = [];

/** Gives the columns that follow a data type's own when they are asked for. */
export function extendedColumnsOf(dataType: DataType): readonly ExtendedColumn[] {
  return EXTENDED_COLUMNS[dataType] ?? NONE;
}

/** Gives the columns of a data type's packages, in export order. */
export function exportedColumnsOf(dataType: DataType, isExtended: boolean): readonly Column[] {
  return isExtended ? [...columnsOf(dataType), ...extendedColumnsOf(dataType)] : columnsOf(dataType);
}

/** Builds what such columns add to a line: a comma and a field for each. */
export function buildExtendedFields(
  columns: readonly ExtendedColumn[],
  extras: Readonly<Record<string, string>>,
): string {
  return columns
    .map(({ extra, width }) => {
      const value = extras[extra];
      return value === undefined ? ',' : `,${csvField(width === undefined ? value : cutText(value, width))}`;
    })
    .join('');
}
