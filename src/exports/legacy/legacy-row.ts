/**
 * Writes a row of a 2.0 package as the row of its 1.0 table.
 *
 * A value that both have goes over as the bytes it is, quotes and all, because both have one CSV dialect: null stays null, an empty
 * string stays one, and nothing is cut a second time. Only `resolution` and `attribute` are put together anew. Cost: one line.
 */
import { AppError } from '../../errors/app-error.ts';
import { csvField } from '../../events/csv.ts';
import { fieldStart, fieldText, type CsvRow } from '../../events/csv-rows.ts';
import { ATTRIBUTE_NAMES, legacyLayoutOf, type LegacyTable } from '../../events/legacy-tables.ts';

const COMMA = 0x2c;
const LINE_FEED = 0x0a;
const EMPTY_TEXT = '""';
/** The variables of an event as readMap writes them: names and values are strings, and nothing stands between. */
const ENTRY = /("(?:[^"\\]|\\.)*"):"(?:[^"\\]|\\.)*"/g;
const OWN_NAMES: ReadonlySet<string> = new Set(Object.keys(ATTRIBUTE_NAMES).map((name) => JSON.stringify(name)));

type Part = { readonly copy: number } | { readonly text: string } | { readonly make: (row: CsvRow) => string };

/** Converts the rows of one package after the other; each begins with a header that says where its columns stand. */
export class LegacyRowWriter {
  readonly #table: LegacyTable;
  #columns = 0;
  #parts: readonly Part[] = [];
  #groupedBy: readonly number[] = [];
  #sendTime = 0;
  #line = Buffer.allocUnsafeSlow(4_096);
  #bytes = 0;

  constructor(table: LegacyTable) {
    this.#table = table;
  }

  /** Reads a package's header. @throws AppError store_corrupt when a column is missing */
  readHeader(row: CsvRow): void {
    const layout = legacyLayoutOf(this.#table);
    const names = row.ends.map((_, place) => fieldText(row, place));
    const placeOf = (name: string): number => {
      const place = names.indexOf(name);
      if (place < 0) throw new AppError('store_corrupt', `A package of ${layout.dataType} has no column ${name}.`);
      return place;
    };
    this.#columns = names.length;
    this.#groupedBy = layout.groupedBy.map(placeOf);
    this.#sendTime = placeOf(layout.sendTime);
    this.#parts = layout.columns.map((column): Part => {
      if ('from' in column) return { copy: placeOf(column.from) };
      if ('constant' in column) return { text: column.constant };
      switch (column.made) {
        case 'nothing':
          return { text: '' };
        case 'resolution': {
          const [width, height] = [placeOf('screenWidth'), placeOf('screenHeight')];
          return { make: (from) => resolutionOf(fieldText(from, width), fieldText(from, height)) };
        }
        case 'attribute': {
          const own = Object.entries(ATTRIBUTE_NAMES).map(([name, from]) => ({ name, place: placeOf(from) }));
          const variables = placeOf('eventVariable');
          return { make: (from) => attributeOf(from, own, variables) };
        }
      }
    });
  }

  /** The line that was written last, its line feed included; good until the next. */
  get line(): Buffer {
    return this.#line.subarray(0, this.#bytes);
  }

  /** Writes a row's line. @throws AppError store_corrupt when the row has another number of fields than the header */
  write(row: CsvRow): void {
    if (row.ends.length !== this.#columns) {
      const { dataType } = legacyLayoutOf(this.#table);
      throw new AppError(
        'store_corrupt',
        `A row of ${dataType} has ${row.ends.length} fields instead of ${this.#columns}.`,
      );
    }
    this.#bytes = 0;
    for (const part of this.#parts) {
      if ('copy' in part) this.#copy(row.bytes, fieldStart(row, part.copy), row.ends[part.copy]!);
      else this.#text('text' in part ? part.text : part.make(row));
      this.#line[this.#bytes++] = COMMA;
    }
    this.#line[this.#bytes - 1] = LINE_FEED;
  }

  /** Gives the row's send time. */
  sendTimeOf(row: CsvRow): number {
    return Number(fieldText(row, this.#sendTime));
  }

  /** Gives what must be equal for two neighbours to be of one visitor and session. The store sorts null and the empty string as one. */
  groupOf(row: CsvRow): string {
    let group = '';
    for (const place of this.#groupedBy) {
      const text = row.bytes.toString('latin1', fieldStart(row, place), row.ends[place]);
      group += `${text === EMPTY_TEXT ? '' : text}\n`;
    }
    return group;
  }

  #copy(bytes: Buffer, from: number, until: number): void {
    this.#reserve(until - from);
    bytes.copy(this.#line, this.#bytes, from, until);
    this.#bytes += until - from;
  }

  #text(text: string): void {
    this.#reserve(3 * text.length);
    this.#bytes += this.#line.write(text, this.#bytes);
  }

  /** Makes room for a field and its comma. */
  #reserve(bytes: number): void {
    const needed = this.#bytes + bytes + 1;
    if (needed <= this.#line.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#line.length));
    this.#line.copy(grown, 0, 0, this.#bytes);
    this.#line = grown;
  }
}

/** Width and height with a star between, as the document's example has it; null unless both are known. */
function resolutionOf(width: string | null, height: string | null): string {
  return width && height ? csvField(`${width} * ${height}`) : '';
}

/** Puts the object together as text: an object of JavaScript would bring names of digits to the front. */
function attributeOf(
  row: CsvRow,
  own: readonly { readonly name: string; readonly place: number }[],
  variables: number,
): string {
  const entries = own.map(({ name, place }) => {
    const value = fieldText(row, place);
    return `"${name}":${name === '_eventTime' ? (value ?? 'null') : JSON.stringify(value)}`;
  });
  entries.push(...variablesOf(fieldText(row, variables) ?? '{}'));
  return csvField(`{${entries.join(',')}}`);
}

function variablesOf(json: string): readonly string[] {
  if (json === '{}') return [];
  if (!json.includes('"_')) return [json.slice(1, -1)]; // most events: none of the names can be there
  return [...json.matchAll(ENTRY)].filter(([, name]) => !OWN_NAMES.has(name!)).map(([entry]) => entry);
}
