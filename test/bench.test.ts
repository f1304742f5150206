// The benchmarks' arithmetic: ratios are taken within a round, the short run tells noise from a move, and the page shows what is kept.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { compare } from '../bench/quick.ts';
import { measureRatios } from '../bench/measure/ratios.ts';
import { readResult, writeResult, type Measurement, type PartResult } from '../bench/measure/results.ts';
import { spreadOf } from '../bench/measure/statistics.ts';
import { performanceBlocks, performanceGraphs } from '../bench/page/performance-page.ts';
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
    assert.match(text, /\| 0\.8 \(0\.7–0\.9\) \| at least 0\.9 \|/);
    assert.match(performanceGraphs(folder)['docs/performance/download.svg']!(), /^<svg .*>tidegate</s);
  });

  it('are asked for where there are none', async (t) => {
    const folder = join(await temporaryFolder(t), 'empty');
    assert.match(performanceBlocks(folder)['bench download']!(), /`npm run bench -- download`/);
    assert.deepEqual(performanceGraphs(folder), {});
  });
});
