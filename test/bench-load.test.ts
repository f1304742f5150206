// What the benchmarks load servers with, and how they count what it takes: seeded traffic, half rates, ranges, CPU time, copies.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { actionBodies } from '../bench/action-traffic.ts';
import { writeBodies } from '../bench/load/bodies-file.ts';
import { mixedTraffic } from '../bench/load/hour-traffic.ts';
import { diskMegabytesOf } from '../bench/measure/disk-usage.ts';
import { cpuSecondsOf, processTree } from '../bench/measure/process-figures.ts';
import { Stage } from '../bench/measure/stage.ts';
import { rangesOf } from '../bench/parts/download.ts';
import { halfRateWaitMs } from '../bench/parts/ingest.ts';
import { copyData } from '../bench/peers/tidegate.ts';
import { atEnd } from './helpers/at-end.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';

const SKIPPED = process.platform === 'linux' ? false : 'reads /proc';

function openStage(t: TestContext): Stage {
  const stage = new Stage();
  atEnd(t, () => stage.close());
  return stage;
}

describe('actionBodies', () => {
  const bodies = (rows: number, seed: number): readonly Buffer[] => [
    ...actionBodies({ rows, eventsPerBody: 20, startMs: 0, seed }),
  ];

  it('makes as many rows as asked for, in bodies of as many events', () => {
    const counts = bodies(50, 1).map((body) => (JSON.parse(body.toString()) as unknown[]).length);
    assert.deepEqual(counts, [20, 20, 10]);
  });

  it('makes the same bytes of the same seed, and others of another', () => {
    assert.deepEqual(bodies(100, 1), bodies(100, 1));
    assert.notDeepEqual(bodies(100, 1), bodies(100, 2));
  });

  it('makes no event twice', () => {
    const events = bodies(5_000, 1).flatMap((body) => JSON.parse(body.toString()) as unknown[]);
    assert.equal(new Set(events.map((event) => JSON.stringify(event))).size, 5_000);
  });
});

describe('mixedTraffic', () => {
  it('makes about as many events as asked for, of fifty projects', () => {
    const { projects, requests } = mixedTraffic(10_000);
    const events = [...requests].map(({ body }) => (JSON.parse(body.toString()) as unknown[]).length);
    const total = events.reduce((sum, each) => sum + each, 0);
    assert.equal(projects.length, 50);
    assert.ok(total > 8_000 && total < 13_000, `${total} events`);
  });
});

describe('writeBodies', () => {
  it('writes lengths in bytes, not in characters', async (t) => {
    const path = join(await temporaryFolder(t), 'bodies');
    await writeBodies(path, [Buffer.from('牛奶'), Buffer.from('ab')]);
    assert.equal(await readFile(path, 'utf8'), '6\n牛奶2\nab');
  });
});

describe('halfRateWaitMs', () => {
  it('has all connections together send half as much', () => {
    const waitMs = halfRateWaitMs(64, 4_000);
    assert.equal((64 * 1_000) / waitMs, 2_000);
  });
});

describe('rangesOf', () => {
  for (const bytes of [1, 15, 16, 17, 1_000, 67_108_864]) {
    it(`covers each of ${bytes} bytes once`, () => {
      const ranges = rangesOf(bytes, 16);
      assert.equal(ranges[0]![0], 0);
      assert.equal(ranges.at(-1)![1], bytes - 1);
      for (const [place, [first, last]] of ranges.entries()) {
        assert.ok(first <= last);
        if (place > 0) assert.equal(first, ranges[place - 1]![1] + 1);
      }
    });
  }
});

describe('cpuSecondsOf', { skip: SKIPPED }, () => {
  it('counts processes that were started and have ended', () => {
    const before = cpuSecondsOf(process.pid);
    const burn = 'while (process.cpuUsage().user < 300_000);';
    spawnSync(process.execPath, ['-e', burn]);
    assert.ok(cpuSecondsOf(process.pid) - before >= 0.25);
  });

  it('is 0 for a process that is gone', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    assert.equal(cpuSecondsOf(pid), 0);
    assert.deepEqual(processTree(pid), [pid]);
  });
});

describe('diskMegabytesOf', () => {
  it('counts blocks: a file that holds little takes a whole one, and one without bytes none', async (t) => {
    const folder = await temporaryFolder(t);
    const empty = await diskMegabytesOf(folder);
    await writeFile(join(folder, 'small'), 'a');
    const withSmall = await diskMegabytesOf(folder);
    assert.ok(withSmall - empty >= 0.000512);
    await writeFile(join(folder, 'sparse'), '');
    await truncate(join(folder, 'sparse'), 1e9);
    assert.ok((await diskMegabytesOf(folder)) - withSmall < 1);
  });
});

describe('copyData', () => {
  it('shares the events and copies the catalog', async (t) => {
    const data = join(await temporaryFolder(t), 'data');
    const segment = join('hour-log', 'hours', '202611230400', '0123456789-000001.seg');
    await mkdir(join(data, 'hour-log', 'hours', '202611230400'), { recursive: true });
    await writeFile(join(data, segment), 'events');
    await writeFile(join(data, 'catalog.sqlite'), 'projects');
    const copy = await copyData(openStage(t), data);
    assert.equal(await readFile(join(copy, segment), 'utf8'), 'events');
    assert.equal(await readFile(join(copy, 'catalog.sqlite'), 'utf8'), 'projects');
    assert.equal((await stat(join(copy, segment))).ino, (await stat(join(data, segment))).ino);
    assert.notEqual((await stat(join(copy, 'catalog.sqlite'))).ino, (await stat(join(data, 'catalog.sqlite'))).ino);
  });
});
