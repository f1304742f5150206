/**
 * Works out, once for each shape of an event and data type, how its line is written from the values of a tape: which value goes
 * into which column, and what is written where the event has none. Made of the same sources as the slow way (column-sources.ts).
 */
import { SHAPE_NOTES, type Shape } from '../wire/json-shape.ts';
import type { Fallback } from './column-sources.ts';
import type { ColumnType, DataType } from './data-types.ts';
import { codeOfKind } from './record-writer.ts';
import { BOUND_COLUMNS } from './row-encoder.ts';

/** One column that may hold something; columns that never do are only commas. */
export type Step = {
  /** Commas since the step before. */
  readonly commas: number;
  /** The place of the value among those of the event, or of the element; and the second choice. -1: none. */
  readonly at: number;
  readonly orAt: number;
  /** For an element: the place of its key in ELEMENT_KEYS, because elements have shapes of their own. -1: of the event. */
  readonly elementKey: number;
  readonly type: ColumnType;
  /** Bytes of which the column surely has room: its width. */
  readonly width: number;
  readonly skipsEmpty: boolean;
  readonly isInteger: boolean;
  readonly otherwise: Fallback;
};

export type Plan = {
  readonly dataType: DataType;
  /** The data type's code in a record. */
  readonly kindCode: number;
  readonly steps: readonly Step[];
  /** Commas behind the last step. */
  readonly lastCommas: number;
};

/** The keys of an element of `e[]` that are looked at; `x` is no column's. */
export const ELEMENT_KEYS = ['tm', 'h', 'v', 'idx', 'obj', 'x'] as const;
/** Places in ELEMENT_KEYS. */
export const ELEMENT_HREF = 1;
export const ELEMENT_VALUE = 2;
export const ELEMENT_INDEX = 3;
export const ELEMENT_XPATH = 5;

/** Places of values that are looked at besides the columns; -1 where the event has no such key. */
export type KeyPlaces = Readonly<Record<'t' | 'tm' | 'u' | 's' | 'ptm' | 'd' | 'n' | 'p' | 'q' | 'e' | 'elem', number>>;

/** Finds where a shape has these keys. */
function keyPlacesOf({ keys }: Shape): KeyPlaces {
  const place = (key: string): number => keys.indexOf(key);
  return {
    t: place('t'),
    tm: place('tm'),
    u: place('u'),
    s: place('s'),
    ptm: place('ptm'),
    d: place('d'),
    n: place('n'),
    p: place('p'),
    q: place('q'),
    e: place('e'),
    elem: place('elem'),
  };
}

/** Makes the plan of an event of this shape. */
export function planOf({ keys }: Shape, dataType: DataType): Plan {
  const steps: Step[] = [];
  let commas = 0;
  for (const [place, column] of (BOUND_COLUMNS.get(dataType) ?? []).entries()) {
    if (place > 0) commas += 1;
    const { source } = column;
    const elementKey = source.isOfElement ? ELEMENT_KEYS.findIndex((key) => key === source.keys[0]) : -1;
    if (source.isOfElement && elementKey < 0) throw new Error(`${dataType}.${column.name} has an unknown element key`);
    const places = source.isOfElement ? [] : source.keys.map((key) => keys.indexOf(key)).filter((at) => at >= 0);
    const [at = -1, orAt = -1, tooMany] = places;
    if (tooMany !== undefined) throw new Error(`${dataType}.${column.name} has more than two keys`);
    if (at < 0 && elementKey < 0 && source.otherwise === 'null') continue;
    steps.push({
      commas,
      at,
      orAt,
      elementKey,
      type: column.type,
      width: column.width ?? Infinity,
      skipsEmpty: source.skipsEmpty,
      isInteger: source.isInteger,
      otherwise: source.otherwise,
    });
    commas = 0;
  }
  return { dataType, kindCode: codeOfKind(dataType), steps, lastCommas: commas };
}

/** What is known of a shape of events: where its keys are, and its plan for each data type. */
export type PlanNote = { readonly places: KeyPlaces; readonly plans: Map<DataType, Plan>; last: Plan | undefined };

/** Gives what is known of a shape; kept with it. */
export function planNoteOf(shape: Shape): PlanNote {
  const known = shape.notes[SHAPE_NOTES.plan] as PlanNote | undefined;
  if (known !== undefined) return known;
  const note: PlanNote = { places: keyPlacesOf(shape), plans: new Map(), last: undefined };
  shape.notes[SHAPE_NOTES.plan] = note;
  return note;
}

/** Finds where an element of `e[]` of this shape has ELEMENT_KEYS; kept with the shape. */
export function elementPlacesOf(shape: Shape): Int32Array {
  const known = shape.notes[SHAPE_NOTES.element] as Int32Array | undefined;
  if (known !== undefined) return known;
  const places = Int32Array.from(ELEMENT_KEYS, (key) => shape.keys.indexOf(key));
  shape.notes[SHAPE_NOTES.element] = places;
  return places;
}
