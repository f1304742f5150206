/** Goals that are no ratios but figures of Tidegate alone, for a machine with two cores. */
import { casesOf, caseName } from './ratios.ts';
import type { Measurement } from './results.ts';
import { spreadOfFigure, type Chosen, type Spread } from './statistics.ts';

export type Goal = {
  readonly part: string;
  readonly name: string;
  readonly chosen: Chosen;
  readonly figure: string;
  readonly better: 'more' | 'less';
  readonly goal: number;
};

export type MeasuredGoal = { readonly goal: Goal; readonly caseName: string; readonly spread: Spread };

const OURS = 'tidegate';

export const GOALS: readonly Goal[] = [
  {
    part: 'ingest',
    name: 'p99 at half the full rate, ms',
    chosen: { contestant: OURS, case: { rate: 'half' } },
    figure: 'p99Ms',
    better: 'less',
    goal: 50,
  },
  {
    part: 'close',
    name: 'most memory of a close, MB',
    chosen: { contestant: OURS },
    figure: 'peakMegabytes',
    better: 'less',
    goal: 256,
  },
  {
    part: 'life',
    name: 'CPU time of a row, arrival to package, µs',
    chosen: { contestant: OURS },
    figure: 'cpuMicrosPerRow',
    better: 'less',
    goal: 8,
  },
  {
    part: 'poll',
    name: 'day calls a second',
    chosen: { contestant: OURS },
    figure: 'callsPerSecond',
    better: 'more',
    goal: 1_000,
  },
  {
    part: 'poll',
    name: 'p99 of the day call, ms',
    chosen: { contestant: OURS },
    figure: 'p99Ms',
    better: 'less',
    goal: 20,
  },
  {
    part: 'install',
    name: '`npm start` to the first package, seconds',
    chosen: { contestant: 'npm start' },
    figure: 'firstPackageSeconds',
    better: 'less',
    goal: 60,
  },
  {
    part: 'install',
    name: 'installed product, without Node, MB',
    chosen: { contestant: 'product' },
    figure: 'installedMegabytes',
    better: 'less',
    goal: 60,
  },
];

/** Says whether a figure is what it should be. */
export function isReached(value: number, { better, goal }: Pick<Goal, 'better' | 'goal'>): boolean {
  return better === 'more' ? value >= goal : value <= goal;
}

/** Finds what each goal's figure was, in every case that was measured. */
export function measureGoals(part: string, measurements: readonly Measurement[]): readonly MeasuredGoal[] {
  return GOALS.filter((goal) => goal.part === part).flatMap((goal) =>
    casesOf(measurements, goal.chosen).flatMap((asked) => {
      const spread = spreadOfFigure(measurements, { ...goal.chosen, case: asked }, goal.figure);
      return spread === undefined ? [] : [{ goal, caseName: caseName(asked), spread }];
    }),
  );
}
