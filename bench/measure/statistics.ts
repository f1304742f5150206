/** Medians and spread of what several rounds have measured. */
import type { Measurement } from './results.ts';

/** The middle of several rounds, and the least and the most that one of them showed. */
export type Spread = {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly rounds: number;
};

/** Gives the median and the extremes. @throws Error when there is no value */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error('There is nothing to take a median of.');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)!, rounds: sorted.length };
}

/** Chooses measurements: those of a contestant whose case has these values. */
export type Chosen = { readonly contestant: string; readonly case?: Readonly<Record<string, number | string>> };

/** Gives one figure of the chosen measurements by round. */
export function figuresByRound(
  measurements: readonly Measurement[],
  { contestant, case: wanted = {} }: Chosen,
  figure: string,
): ReadonlyMap<number, number> {
  const chosen = measurements.filter(
    (each) =>
      each.contestant === contestant &&
      figure in each.figures &&
      Object.entries(wanted).every(([name, value]) => each.case[name] === value),
  );
  return new Map(chosen.map((each) => [each.round, each.figures[figure]!]));
}

/** Gives the spread of a figure; undefined when nothing of it was measured. */
export function spreadOfFigure(
  measurements: readonly Measurement[],
  chosen: Chosen,
  figure: string,
): Spread | undefined {
  const values = [...figuresByRound(measurements, chosen, figure).values()];
  return values.length === 0 ? undefined : spreadOf(values);
}
