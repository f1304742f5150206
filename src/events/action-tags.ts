/**
 * The rows of action_tag: one for each rule that an action fits.
 *
 * A tag belongs to its action: its row id is made of the action's and of the rule's, its place in the hour is the action's time, and
 * its visitor is kept beside it, though no column shows it, so that an erasure finds it. So the tags of an action that is sent
 * again are duplicates as the action is, and a back-fill gives the same rows as the arrival would have.
 */
import {
  ActionFields,
  CONDITION_NAMES,
  FIELD_WIDTHS,
  type ConditionName,
  type TextSpan,
} from '../rules/action-fields.ts';
import type { WireObject } from './column-sources.ts';
import type { EventRow } from './event-row.ts';
import { ROW_ID_BYTES } from './ids.ts';
import { cutText, readInteger, readText } from './wire-value.ts';

/** Bytes of a rule's id in a row id; what stands before them is the beginning of the action's. */
export const RULE_ID_BYTES = 4;

/** What a tag takes from its action. */
export type TaggedAction = {
  readonly rowId: Buffer;
  readonly actionRequestId: string;
  /** As in the action's sort key. */
  readonly visitor: string;
  readonly timeMs: number;
};

/** Gives a tag's row id: 12 bytes of its action's and the 4 of its rule's. */
export function tagRowId(actionRowId: Buffer, ruleId: string): Buffer {
  const rowId = Buffer.allocUnsafe(ROW_ID_BYTES);
  actionRowId.copy(rowId, 0, 0, ROW_ID_BYTES - RULE_ID_BYTES);
  rowId.write(ruleId, ROW_ID_BYTES - RULE_ID_BYTES, 'hex');
  return rowId;
}

/** Gives a tag's line behind its send time, which is its first column. */
export function tagLineTail(actionRequestId: string, ruleId: string): string {
  return `,${actionRequestId},${ruleId}\n`;
}

/** Builds the row of one tag. It is no row of an event of its own, so it is the first of none. */
export function buildTagRow({ rowId, actionRequestId, visitor, timeMs }: TaggedAction, ruleId: string): EventRow {
  return {
    kind: 'action_tag',
    visitor: '',
    session: '',
    timeMs,
    rowId: tagRowId(rowId, ruleId),
    flags: 0,
    lineHead: '',
    lineTail: tagLineTail(actionRequestId, ruleId),
    extras: { u: visitor },
  };
}

/** The values of one element of a wire event, each read once; the event's own once for all of its elements. */
export class WireActionFields extends ActionFields {
  readonly #event: WireObject;
  #element: WireObject = {};

  constructor(event: WireObject) {
    super();
    this.type = String(event.t);
    this.#event = event;
  }

  /** Gives these values of another element. */
  of(element: WireObject): this {
    this.#element = element;
    this.forgetElement();
    return this;
  }

  protected locate(place: number, span: TextSpan): boolean {
    const text = this.#textOf(CONDITION_NAMES[place]!);
    if (text !== null) span.setText(text);
    return text !== null;
  }

  #textOf(name: ConditionName): string | null {
    const event = this.#event;
    const element = this.#element;
    switch (name) {
      case 'domain':
        return textOf(event.d, FIELD_WIDTHS.domain);
      case 'path':
        return textOf(event.p, FIELD_WIDTHS.path);
      case 'query':
        return textOf(event.q, FIELD_WIDTHS.query);
      case 'xpath':
        return textOf(element.x, FIELD_WIDTHS.xpath);
      case 'index': {
        const index = readInteger(element.idx);
        return index === null ? null : String(index);
      }
      case 'value':
        return textOf(element.v, FIELD_WIDTHS.value);
      case 'href':
        return textOf(element.h, FIELD_WIDTHS.href);
    }
  }
}

/** Leaves what `safeText` would replace: no condition holds it, and to look for it costs as much as to match. */
function textOf(value: unknown, width: number): string | null {
  const text = typeof value === 'string' ? value : readText(value);
  return text === null ? null : cutText(text, width);
}
