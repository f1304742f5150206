// The benchmarks' arithmetic: ratios are taken within a round, the short run tells noise from a move, and the page shows what is kept.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isReached, measureGoals } from '../bench/measure/goals.ts';
import { measureRatios } from '../bench/measure/ratios.ts';
import { readResult, writeResult, type Measurement, type PartResult } from '../bench/measure/results.ts';
import { spreadOf } from '../bench/measure/statistics.ts';
import { drawBars } from '../bench/page/chart.ts';
import { performanceBlocks, performanceGraphs } from '../bench/page/performance-page.ts';
import { compare, compareWithBaseline, writeBaseline } from '../bench/quick.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';

const CASE = { clients: 1, way: 'whole' };

function download(round: number, contestant: string, megabytesPerSecond: number): Measurement {
  return { round, contestant, case: CASE, figures: { megabytesPerSecond, cpuSecondsPerGigabyte: 1 } };
}

const MEASUREMENTS = [
  ...[download(1, 'nginx', 1_000), download(1, 'tidegate', 900)],
  ...[download(2, 'nginx', 100), download(2, 'tidegate', 80)],
  ...[download(3, 'nginx', 500), download(3, 'tidegate', 350)],
];

const RESULT: PartResult = {
  part: 'download',
  command: 'npm run bench -- download',
  takenAt: '2026-11-24T00:00:00.000Z',
  machine: {
    processor: 'a processor',
    cores: 2,
    memoryGigabytes: 24,
    system: 'a system',
    node: 'v24.0.0',
    commit: 'abc',
    loadBefore: 0,
  },
  measurements: MEASUREMENTS,
};

describe('measureRatios', () => {
  it('divides within each round, so that a slow round does not count', () => {
    const [measured, ...others] = measureRatios('download', MEASUREMENTS);
    assert.deepEqual(measured?.spread, { median: 0.8, least: 0.7, most: 0.9, rounds: 3 });
    assert.equal(measured.caseName, 'clients 1, way whole');
    assert.deepEqual(others, []);
  });

  it('leaves out what has no other side', () => {
    const ours = MEASUREMENTS.filter(({ contestant }) => contestant === 'tidegate');
    assert.deepEqual(measureRatios('download', ours), []);
  });

  it('compares with a store in every case that both were measured in', () => {
    const ingest = (contestant: string, connections: number, eventsPerCpuSecond: number): Measurement => {
      const asked = { events: 20, connections, rate: 'full' };
      return { round: 1, contestant, case: asked, figures: { eventsPerCpuSecond } };
    };
    const ours = [ingest('tidegate', 16, 100), ingest('tidegate', 64, 300), ingest('tidegate', 256, 400)];
    const measured = measureRatios('ingest', [...ours, ingest('postgres', 64, 100), ingest('postgres', 256, 100)]);
    assert.deepEqual(
      measured.map(({ ratio, caseName, spread }) => [ratio.goal, caseName, spread.median]),
      [
        [3, 'events 20, connections 64', 3],
        [3, 'events 20, connections 256', 4],
      ],
    );
  });

  it('divides what a row costs in a large hour by what it costs in a small one', () => {
    const close = (rows: number, closeMicrosPerRow: number): Measurement => {
      return { round: 1, contestant: 'tidegate', case: { rows, traffic: 'action' }, figures: { closeMicrosPerRow } };
    };
    const measured = measureRatios('close', [close(1_000_000, 1), close(5_000_000, 0.5), close(20_000_000, 0.75)]);
    assert.deepEqual(
      measured.map(({ ratio, spread }) => [ratio.name, spread.median]),
      [
        ['time of a row in the close, against an hour of 1,000,000', 0.75],
        ['time of a row in the close, against an hour of 5,000,000', 1.5],
      ],
    );
  });
});

describe('a goal', () => {
  const cases = [
    { better: 'more', value: 0.9, reached: true },
    { better: 'more', value: 0.89, reached: false },
    { better: 'less', value: 0.9, reached: true },
    { better: 'less', value: 0.91, reached: false },
  ] as const;
  for (const { better, value, reached } of cases) {
    it(`of 0.9, ${better} being better, is ${reached ? '' : 'not '}reached by ${value}`, () =>
      assert.equal(isReached(value, { better, goal: 0.9 }), reached));
  }

  it('is looked at in every case of the figure', () => {
    const poll = (links: number, callsPerSecond: number): Measurement => {
      return { round: 1, contestant: 'tidegate', case: { connections: 1, links }, figures: { callsPerSecond } };
    };
    const measured = measureGoals('poll', [poll(186, 1_500), poll(2_898, 900)]);
    assert.deepEqual(
      measured.map(({ goal, caseName, spread }) => [goal.goal, caseName, spread.median]),
      [
        [1_000, 'connections 1, links 186', 1_500],
        [1_000, 'connections 1, links 2,898', 900],
      ],
    );
  });
});

describe('spreadOf', () => {
  it('takes the mean of the two in the middle of an even count', () => {
    assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, least: 1, most: 4, rounds: 4 });
  });
});

describe('a ratio of the short run', () => {
  const kept = spreadOf([0.9, 1, 1.1]);
  const cases = [
    { what: 'whose rounds meet those that are kept', now: [1.1, 1.5], better: 'more', verdict: 'as before' },
    { what: 'a little above', now: [1.2, 1.3], better: 'more', verdict: 'as before' },
    { what: 'well above, where more is better', now: [1.5, 1.6], better: 'more', verdict: 'better' },
    { what: 'well above, where less is better', now: [1.5, 1.6], better: 'less', verdict: 'worse' },
    { what: 'well below, where more is better', now: [0.5, 0.6], better: 'more', verdict: 'worse' },
    { what: 'well below, where less is better', now: [0.5, 0.6], better: 'less', verdict: 'better' },
  ] as const;
  for (const { what, now, better, verdict } of cases) {
    it(`is ${verdict} when it is ${what}`, () => assert.equal(compare(spreadOf(now), kept, better), verdict));
  }
});

describe('the kept ratios', () => {
  const slower: PartResult = {
    ...RESULT,
    measurements: MEASUREMENTS.map((each) =>
      each.contestant === 'nginx' ? each : download(each.round, each.contestant, each.figures.megabytesPerSecond! / 3),
    ),
  };

  it('are compared with those of a later run, which says what moved', async (t) => {
    const path = join(await temporaryFolder(t), 'baseline.json');
    const lines: string[] = [];
    writeBaseline([RESULT], path);
    assert.equal(
      compareWithBaseline([RESULT], () => undefined, path),
      0,
    );
    assert.equal(
      compareWithBaseline([slower], (line) => lines.push(line), path),
      1,
    );
    const name = 'download: bytes a second, against nginx (clients 1, way whole)';
    assert.equal(lines[1], `worse      ${name}: 0.267 (0.233 to 0.3), was 0.8 (0.7 to 0.9)`);
  });

  it('may be missing', async (t) => {
    const path = join(await temporaryFolder(t), 'baseline.json');
    const lines: string[] = [];
    assert.equal(
      compareWithBaseline([RESULT], (line) => lines.push(line), path),
      0,
    );
    assert.match(lines[1]!, /^new /);
  });
});

describe('a graph', () => {
  const groups = [1, 1_000].map((value) => ({ label: `${value}`, bars: [{ name: 'a', spread: spreadOf([value]) }] }));
  const widths = (svg: string): readonly number[] =>
    [...svg.matchAll(/<rect x="190" [^>]*? width="([\d.]+)"/g)].map(([, width]) => Number(width));

  it('draws all groups to one scale', () => {
    const [small, large] = widths(drawBars({ title: 'a', unit: 's', groups }));
    assert.equal(Math.round(large! / small!), 1_080); // 1,000, but for rounding to tenths of a point
  });

  it('draws each group to a scale of its own where they cannot be compared', () => {
    const [small, large] = widths(drawBars({ title: 'a', groups, hasOwnScales: true }));
    assert.equal(small, large);
  });
});

describe('the kept figures of a part', () => {
  it('are read as they were written', async (t) => {
    const folder = await temporaryFolder(t);
    writeResult(folder, RESULT);
    assert.deepEqual(readResult(folder, 'download'), RESULT);
  });

  it('make a table, the ratio beside its goal, and a graph', async (t) => {
    const folder = await temporaryFolder(t);
    writeResult(folder, RESULT);
    const text = performanceBlocks(folder)['bench download']!();
    assert.match(text, /\| clients 1, way whole \| nginx \| 500 \(100–1,000\) \|/);
    assert.match(text, /\| 0\.8 \(0\.7–0\.9\) \| at least 0\.9 \| no \|/);
    assert.match(performanceGraphs(folder)['docs/performance/download.svg']!(), /^<svg .*>tidegate</s);
  });

  it('make what they can of the picture of all parts', async (t) => {
    const folder = await temporaryFolder(t);
    writeResult(folder, RESULT);
    const picture = performanceGraphs(folder)['docs/performance/overview.svg']!();
    assert.match(
      picture,
      />Megabytes a second that one client downloads; longer is better<.+>Tidegate<.+>nginx, the same file</s,
    );
    assert.doesNotMatch(picture, /PostgreSQL/);
  });

  it('are asked for where there are none', async (t) => {
    const folder = join(await temporaryFolder(t), 'empty');
    assert.match(performanceBlocks(folder)['bench download']!(), /`npm run bench -- download`/);
    assert.deepEqual(performanceGraphs(folder), {});
  });
});
