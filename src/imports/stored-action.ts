/** Reads an action back from its record, as far as rules and tags need it: the columns of its line, and what is kept beside it. */
import { findFields, readField, type FieldPlace } from '../events/csv-line.ts';
import { columnsOf } from '../events/data-types.ts';
import { ROW_ID_BYTES } from '../events/ids.ts';
import { ActionFields, CONDITION_NAMES, type TextSpan } from '../rules/action-fields.ts';
import { findExtra, KEY_TIME_BYTES } from '../store/hour-log/record-codec.ts';
import type { RunCursor } from '../store/hour-log/run-reader.ts';

const placeOf = (name: string): number => columnsOf('action').findIndex((column) => column.name === name);
const PLACES = {
  type: placeOf('requestType'),
  domain: placeOf('domain'),
  path: placeOf('page'),
  index: placeOf('index'),
  value: placeOf('requestValue'),
  href: placeOf('href'),
  actionRequestId: placeOf('actionRequestId'),
} as const;

/** The action that a cursor stands on; holds until the cursor moves. */
export class StoredAction extends ActionFields {
  readonly #cursor: RunCursor;
  readonly #fields: readonly FieldPlace[];

  constructor(cursor: RunCursor) {
    super();
    this.#cursor = cursor;
    this.#fields = findFields(cursor.block, cursor.lineStart, cursor.extrasStart);
    this.type = this.#column('type') ?? '';
  }

  get actionRequestId(): string {
    return this.#column('actionRequestId') ?? '';
  }
  /** The visitor as it stands in the sort key, which ends there with a NUL. */
  get visitor(): string {
    const { block, keyStart } = this.#cursor;
    return block.toString('utf8', keyStart, block.indexOf(0, keyStart));
  }
  get rowId(): Buffer {
    const { block, lineStart } = this.#cursor;
    return block.subarray(lineStart - ROW_ID_BYTES, lineStart);
  }
  /** The time of the sort key, in its bytes. */
  get keyTime(): Buffer {
    const { block, lineStart } = this.#cursor;
    return block.subarray(lineStart - ROW_ID_BYTES - KEY_TIME_BYTES, lineStart - ROW_ID_BYTES);
  }

  protected locate(place: number, span: TextSpan): boolean {
    const name = CONDITION_NAMES[place]!;
    if (name === 'query' || name === 'xpath') return this.#locateExtra(name === 'query' ? 'q' : 'x', span);
    const text = this.#column(name);
    if (text !== null) span.setText(text);
    return text !== null;
  }

  #locateExtra(name: string, span: TextSpan): boolean {
    const { block, extrasStart, recordEnd } = this.#cursor;
    const extra = findExtra(block, extrasStart, recordEnd, name);
    if (extra !== undefined) span.set(block, extra.start, extra.end);
    return extra !== undefined;
  }

  #column(name: keyof typeof PLACES): string | null {
    const field = this.#fields[PLACES[name]];
    return field ? readField(this.#cursor.block, field) : null;
  }
}
