/**
 * The short run: its ratios compared with those that bench/baseline.json keeps.
 *
 * A ratio has moved when the rounds of the two runs do not meet, each widened by a tenth: ratios stand against a busy machine
 * better than times do, but not against everything. The cases are smaller than the published ones, so the ratios are others.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureRatios, type MeasuredRatio } from './measure/ratios.ts';
import type { PartResult } from './measure/results.ts';
import type { Spread } from './measure/statistics.ts';

const BASELINE = join(import.meta.dirname, 'baseline.json');
const MARGIN = 0.1;

export type Baseline = {
  readonly takenAt: string;
  readonly processor: string;
  readonly ratios: Readonly<Record<string, Spread>>;
};
export type Comparison = { readonly name: string; readonly verdict: 'better' | 'worse' | 'as before' | 'new' };

/** Keeps the ratios of this run for the next to be compared with. */
export function writeBaseline(results: readonly PartResult[], path = BASELINE): void {
  const { takenAt, machine } = results[0]!;
  const ratios = Object.fromEntries(ratiosOf(results).map((each) => [keyOf(each), rounded(each.spread)]));
  const baseline: Baseline = { takenAt, processor: machine.processor, ratios };
  writeFileSync(path, `${JSON.stringify(baseline, null, 2)}\n`);
}

/** Prints every ratio beside the kept one. Gives how many are worse. */
export function compareWithBaseline(
  results: readonly PartResult[],
  print: (line: string) => void,
  path = BASELINE,
): number {
  const baseline = readBaseline(path);
  print(
    baseline === undefined
      ? 'No ratios are kept; --keep keeps these.'
      : `Against the run of ${baseline.takenAt} (${baseline.processor}):`,
  );
  let worse = 0;
  for (const each of ratiosOf(results)) {
    const kept = baseline?.ratios[keyOf(each)];
    const verdict = kept === undefined ? 'new' : compare(each.spread, kept, each.ratio.better);
    if (verdict === 'worse') worse += 1;
    const before = kept === undefined ? '' : `, was ${shown(kept)}`;
    print(`${verdict.padEnd(9)}  ${keyOf(each)}: ${shown(each.spread)}${before}`);
  }
  return worse;
}

function readBaseline(path: string): Baseline | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Baseline) : undefined;
}

/** Says whether a ratio has moved, and whether for the better. */
export function compare(now: Spread, before: Spread, better: 'more' | 'less'): Comparison['verdict'] {
  const isAbove = now.least * (1 - MARGIN) > before.most * (1 + MARGIN);
  const isBelow = now.most * (1 + MARGIN) < before.least * (1 - MARGIN);
  if (!isAbove && !isBelow) return 'as before';
  return isAbove === (better === 'more') ? 'better' : 'worse';
}

function ratiosOf(results: readonly PartResult[]): readonly MeasuredRatio[] {
  return results.flatMap(({ part, measurements }) => measureRatios(part, measurements));
}

function keyOf({ ratio, caseName }: MeasuredRatio): string {
  return `${ratio.part}: ${ratio.name} (${caseName})`;
}

function shown({ median, least, most }: Spread): string {
  return `${rounded3(median)} (${rounded3(least)} to ${rounded3(most)})`;
}

function rounded({ median, least, most, rounds }: Spread): Spread {
  return { median: rounded3(median), least: rounded3(least), most: rounded3(most), rounds };
}

function rounded3(value: number): number {
  return Number(value.toPrecision(3));
}
