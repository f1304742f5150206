/** The ratios that say how fast Tidegate is on any machine, and what each should reach. */
import { LONG_RATE } from '../parts/ingest-plan.ts';
import type { Measurement } from './results.ts';
import { figuresByRound, spreadOf, type Chosen, type Spread } from './statistics.ts';

export type Ratio = {
  readonly part: string;
  /** What it says, in words. */
  readonly name: string;
  readonly above: Chosen & { readonly figure: string };
  /** Its case is that of `above`, unless it names one. */
  readonly below: Chosen & { readonly figure: string };
  readonly better: 'more' | 'less';
  readonly goal?: number;
};

export type MeasuredRatio = {
  readonly ratio: Ratio;
  /** Names the case when a ratio has several. */
  readonly caseName: string;
  readonly spread: Spread;
};

const OURS = 'tidegate';
const MIDDLE = { events: 20, connections: 64, rate: 'full' };

/** Against a store in every case that it was measured in, also in those with the large groups that it likes. */
function cpuOfIngest(peer: string, title: string, goal?: number): Ratio {
  const figure = 'eventsPerCpuSecond';
  const above = { contestant: OURS, case: { events: 20, rate: 'full' }, figure };
  const name = `events per CPU second, against ${title}`;
  const below = { contestant: peer, figure };
  return { part: 'ingest', name, above, below, better: 'more', ...(goal !== undefined && { goal }) };
}

/** How many times as long another takes as our close. */
function closeAgainst(peer: string, goal?: number): Ratio {
  const figure = 'wallSeconds';
  const above = { contestant: peer, case: { traffic: 'action' }, figure };
  const name = `time of ${peer}, against the close`;
  const below = { contestant: OURS, figure };
  return { part: 'close', name, above, below, better: 'more', ...(goal !== undefined && { goal }) };
}

/** What a unit of work costs when there is sixteen times as much of it. */
function growthOf(contestant: string, figure: string, what: string, goal?: number): Ratio {
  const above = { contestant, case: { times: 16 }, figure };
  const below = { contestant, case: { times: 1 }, figure };
  const name = `${what}, 16 times the work against 1`;
  return { part: 'growth', name, above, below, better: 'less', ...(goal !== undefined && { goal }) };
}

const GROWTH = 1.2;

/** What a row costs in an hour of twenty million, against a smaller hour. */
function closeGrowth(rows: number): Ratio {
  const figure = 'closeMicrosPerRow';
  const above = { contestant: OURS, case: { rows: 20_000_000, traffic: 'action' }, figure };
  const below = { contestant: OURS, case: { rows, traffic: 'action' }, figure };
  const name = `time of a row in the close, against an hour of ${rows.toLocaleString('en-US')}`;
  return { part: 'close', name, above, below, better: 'less', goal: GROWTH };
}

export const RATIOS: readonly Ratio[] = [
  {
    part: 'ingest',
    name: 'events a second, against Fastify that only parses',
    above: { contestant: OURS, case: MIDDLE, figure: 'eventsPerSecond' },
    below: { contestant: 'fastify', figure: 'eventsPerSecond' },
    better: 'more',
    goal: 0.6,
  },
  {
    part: 'ingest',
    name: 'events a second for 20 s, with the sorting, against Fastify',
    above: { contestant: OURS, case: { ...MIDDLE, rate: LONG_RATE }, figure: 'eventsPerSecond' },
    below: { contestant: 'fastify', case: MIDDLE, figure: 'eventsPerSecond' },
    better: 'more',
  },
  {
    part: 'ingest',
    name: 'events a second, against nginx that only answers',
    above: { contestant: OURS, case: MIDDLE, figure: 'eventsPerSecond' },
    below: { contestant: 'nginx', figure: 'eventsPerSecond' },
    better: 'more',
  },
  {
    part: 'ingest',
    name: 'events a second of two collectors, against one',
    above: { contestant: 'tidegate, 2 collectors', case: MIDDLE, figure: 'eventsPerSecond' },
    below: { contestant: OURS, figure: 'eventsPerSecond' },
    better: 'more',
  },
  {
    part: 'ingest',
    name: 'events a second with 5,000 tagging rules, against none',
    above: { contestant: 'tidegate, 5,000 rules', case: MIDDLE, figure: 'eventsPerSecond' },
    below: { contestant: OURS, figure: 'eventsPerSecond' },
    better: 'more',
    goal: 0.8,
  },
  cpuOfIngest('postgres', 'PostgreSQL COPY', 3),
  cpuOfIngest('postgres, no row twice', 'PostgreSQL that stores no row twice'),
  cpuOfIngest('duckdb', "DuckDB's appender", 1.5),
  cpuOfIngest('chdb', 'chdb with fsync', 1.5),
  {
    part: 'close',
    name: 'time of the close, against igzip -1 and copying the table',
    above: { contestant: OURS, case: { traffic: 'action' }, figure: 'wallSeconds' },
    below: { contestant: 'igzip -1', figure: 'floorSeconds' },
    better: 'less',
    goal: 1.6,
  },
  {
    part: 'close',
    name: 'time of the close with zlib, against zlib -1 alone',
    above: { contestant: 'tidegate, zlib', case: { traffic: 'action' }, figure: 'wallSeconds' },
    below: { contestant: 'zlib', figure: 'wallSeconds' },
    better: 'less',
    goal: 1.3,
  },
  closeAgainst('chdb OUTFILE gzip', 1.3),
  closeAgainst('DuckDB COPY gzip', 10),
  closeAgainst('sort | igzip -1'),
  closeAgainst('pigz -1 -p2'),
  closeGrowth(1_000_000),
  closeGrowth(5_000_000),
  {
    part: 'life',
    name: 'time of an import, against gzip -1 of its table',
    above: { contestant: 'tidegate import', figure: 'wallSeconds' },
    below: { contestant: 'gzip -1', figure: 'wallSeconds' },
    better: 'less',
    goal: 6,
  },
  {
    part: 'download',
    name: 'bytes a second, against nginx',
    above: { contestant: OURS, figure: 'megabytesPerSecond' },
    below: { contestant: 'nginx', figure: 'megabytesPerSecond' },
    better: 'more',
    goal: 0.9,
  },
  {
    part: 'poll',
    name: 'day calls a second, against nginx with the answer as a file',
    above: { contestant: OURS, figure: 'callsPerSecond' },
    below: { contestant: 'nginx', figure: 'callsPerSecond' },
    better: 'more',
  },
  growthOf(OURS, 'cpuMicrosPerRow', 'CPU time of a row, arrival to package', GROWTH),
  growthOf(OURS, 'arrivalCpuMicrosPerRow', 'CPU time of a row until it is stored', GROWTH),
  growthOf(OURS, 'closeMicrosPerRow', 'time of a row in the close', GROWTH),
  growthOf('tidegate import', 'microsPerRow', 'time of a row in an import', GROWTH),
  growthOf('tidegate download', 'secondsPerGigabyte', 'time of a downloaded byte', GROWTH),
  growthOf('tidegate day call', 'microsPerPackage', "time of a package in a day's answer", GROWTH),
  growthOf(OURS, 'peakMegabytes', 'most memory of the server, an hour closed'),
  growthOf('tidegate import', 'peakMegabytes', 'most memory of an import'),
  growthOf('tidegate download', 'peakMegabytes', 'most memory of the server, downloads'),
  growthOf('tidegate day call', 'peakMegabytes', 'most memory of the server, day calls'),
];

/** Finds what each ratio of a part was, in every case that was measured. */
export function measureRatios(part: string, measurements: readonly Measurement[]): readonly MeasuredRatio[] {
  return RATIOS.filter((ratio) => ratio.part === part).flatMap((ratio) =>
    casesOf(measurements, ratio.above).flatMap((asked) => {
      const below = { ...ratio.below, case: ratio.below.case ?? asked };
      const spread = ratioSpread(measurements, { ...ratio.above, case: asked }, below);
      return spread === undefined ? [] : [{ ratio, caseName: caseName(asked), spread }];
    }),
  );
}

/** Divides one figure by another in each round that has both, so that what slows a whole round falls out. */
function ratioSpread(
  measurements: readonly Measurement[],
  above: Chosen & { readonly figure: string },
  below: Chosen & { readonly figure: string },
): Spread | undefined {
  const divisors = figuresByRound(measurements, below, below.figure);
  const ratios = [...figuresByRound(measurements, above, above.figure)].flatMap(([round, value]) => {
    const divisor = divisors.get(round);
    return divisor === undefined || divisor === 0 ? [] : [value / divisor];
  });
  return ratios.length === 0 ? undefined : spreadOf(ratios);
}

/** Lists the cases that were measured of a contestant, each once, in the order of the run. */
export function casesOf(measurements: readonly Measurement[], chosen: Chosen): readonly Measurement['case'][] {
  const wanted = Object.entries(chosen.case ?? {});
  const matching = measurements.filter(
    (each) => each.contestant === chosen.contestant && wanted.every(([name, value]) => each.case[name] === value),
  );
  return [...new Map(matching.map((each) => [caseName(each.case), each.case])).values()];
}

/** Names a case: "events 20, connections 64". */
export function caseName(asked: Measurement['case']): string {
  return Object.entries(asked)
    .filter(([name, value]) => !(name === 'rate' && value === 'full'))
    .map(([name, value]) => `${name} ${typeof value === 'number' ? value.toLocaleString('en-US') : value}`)
    .join(', ');
}
