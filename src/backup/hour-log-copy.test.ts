import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readLines } from '../../test/conformance/hour-store-suite.ts';
import { atEnd } from '../../test/helpers/at-end.ts';
import { eventBatch, HOUR_START_MS } from '../../test/helpers/event-rows.ts';
import { FakeClock } from '../../test/helpers/fake-clock.ts';
import { hourFiles } from '../../test/helpers/run-files.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import { addHours, hourEndMs, hourOf, HOUR_MS, type Hour } from '../events/hour.ts';
import { HourLog } from '../store/hour-log/hour-log.ts';
import { eraseJobsInPlace, HourLogEraser } from '../store/hour-log/hour-log-eraser.ts';
import { HourLogReader } from '../store/hour-log/hour-log-reader.ts';
import { ImportWriter } from '../store/hour-log/import-writer.ts';
import { fencePath, hourFolder, importsFolder, readyPath, sealPath } from '../store/hour-log/layout.ts';
import { sortSegment } from '../store/hour-log/sort-segment.ts';
import { storeJobsInPlace } from '../store/hour-log/store-jobs.ts';
import { BackupWriter } from './backup-writer.ts';
import { copyHourLog } from './hour-log-copy.ts';

const HOUR = hourOf(HOUR_START_MS);
const NEXT = addHours(HOUR, 1);

type Source = { readonly data: string; readonly root: string; readonly log: HourLog; readonly clock: FakeClock };

/** A log of a server that runs, in the hour HOUR. */
async function openSource(t: TestContext, options: { readonly segmentBytes?: number } = {}): Promise<Source> {
  const data = join(await temporaryFolder(t), 'data');
  const root = join(data, 'hour-log');
  const clock = new FakeClock(HOUR_START_MS);
  const log = await HourLog.open({ root, clock, jobs: storeJobsInPlace, ...options });
  atEnd(t, () => log.close());
  return { data, root, log, clock };
}

function append({ log }: Source, ...ids: readonly string[]): Promise<unknown> {
  return log.append(eventBatch('ai', [...ids.map((id) => ({ id }))]));
}

/** What happens to the source at the moment when the copy is about to take a file. */
type Meanwhile = (path: string) => Promise<unknown>;

/** Copies the log, with something happening meanwhile. */
async function copy(
  { data }: Source,
  meanwhile: Meanwhile = () => Promise.resolve(),
): Promise<{ readonly target: string; readonly root: string; readonly faults: readonly string[] }> {
  const target = join(data, '..', 'backup');
  const writer = await BackupWriter.begin({ data, target });
  const [keep, take] = [writer.tryKeep.bind(writer), writer.tryCopy.bind(writer)];
  writer.tryKeep = (path) => meanwhile(path).then(() => keep(path));
  writer.tryCopy = (path) => meanwhile(path).then(() => take(path));
  const faults = await copyHourLog(data, writer);
  await writer.finish(new Date(0), new Date(0));
  return { target, root: join(target, 'hour-log'), faults };
}

/** Does something once: before the first file of this name is taken. */
function before(name: RegExp, action: () => unknown): Meanwhile {
  let isDone = false;
  return async (path) => {
    if (isDone || !name.test(path)) return;
    isDone = true;
    await action();
  };
}

/** Opens a copied log as a restored server does when these hours have ended, and gives the ids of the rows in each. */
async function readBack(t: TestContext, root: string, until: Hour, from = HOUR): Promise<string[][]> {
  const log = await HourLog.open({ root, clock: new FakeClock(hourEndMs(until)), jobs: storeJobsInPlace });
  atEnd(t, () => log.close());
  await log.seal(addHours(until, 1));
  const ids: string[][] = [];
  for (let hour = from; hour <= until; hour = addHours(hour, 1)) {
    await log.prepare(hour);
    const lines = readLines(new HourLogReader(root), hour, 'ai');
    ids.push(lines.map((line) => line.trim().split(',').at(-1)!).sort());
  }
  return ids;
}

/** Seals the hour that runs and goes on in the next. */
async function endHour({ log, clock }: Source, hour: Hour = HOUR): Promise<void> {
  clock.set(hourEndMs(hour));
  await log.seal(addHours(hour, 1));
}

describe('copyHourLog', () => {
  it('copies nothing of a data directory in which no server has run', async (t) => {
    const data = await temporaryFolder(t);
    const writer = await BackupWriter.begin({ data, target: join(data, 'backup') });
    assert.deepEqual(await copyHourLog(data, writer), []);
  });

  it('copies an open hour as far as it is, and what comes later goes to the source alone', async (t) => {
    const source = await openSource(t);
    await append(source, 'a');
    const { root, faults } = await copy(
      source,
      before(/\.seg$/, () => append(source, 'b')),
    );
    await append(source, 'c');
    assert.deepEqual(faults, []);
    assert.deepEqual(await readBack(t, root, HOUR), [['a', 'b']]);
    await endHour(source);
    await source.log.prepare(HOUR);
    assert.deepEqual(readLines(new HourLogReader(source.root), HOUR, 'ai').length, 3);
  });

  it('copies an hour or an import again from which an erasure takes something meanwhile', async (t) => {
    const source = await openSource(t);
    const { root, log } = source;
    await log.append(eventBatch('ai', [{ id: 'a' }, { id: 'b', visitor: 'gone' }]));
    await endHour(source);
    await log.prepare(HOUR);
    const writer = await ImportWriter.begin({ root, ai: 'ai', jobs: storeJobsInPlace });
    await writer.append(eventBatch('ai', [{ id: 'c' }, { id: 'd', visitor: 'gone' }]), HOUR_START_MS - HOUR_MS);
    await writer.commit();
    const eraser = new HourLogEraser({ root, jobs: eraseJobsInPlace });
    const erase = async (hour: Hour): Promise<void> => {
      const visitors = [{ visitor: 'gone', untilMs: HOUR_START_MS, erasure: 0 }];
      await eraser.erase(hour, 'ai', visitors, await eraser.find(hour, 'ai', visitors));
    };
    const steps = [
      before(/hours.*ready\.json$/, () => erase(HOUR)),
      before(/commit\.json$/, () => erase(addHours(HOUR, -1))),
    ];
    const copied = await copy(source, async (path) => {
      for (const step of steps) await step(path);
    });
    assert.deepEqual(copied.faults, []);
    assert.deepEqual(await readBack(t, copied.root, HOUR, addHours(HOUR, -1)), [['c'], ['a']]);
  });

  it('cuts a frame that is being written, which nobody was told of', async (t) => {
    const source = await openSource(t);
    await append(source, 'a');
    const [segment = ''] = await hourFiles(source.data, HOUR, '.seg');
    const frame = (await readFile(segment)).subarray(16);
    const { root, faults } = await copy(
      source,
      before(/\.seg$/, () => appendFile(segment, frame.subarray(0, frame.length - 1))),
    );
    assert.deepEqual([faults, await readBack(t, root, HOUR)], [[], [['a']]]);
  });

  it('takes the run of a segment that is sorted meanwhile', async (t) => {
    const source = await openSource(t);
    await append(source, 'a');
    const [segment = ''] = await hourFiles(source.data, HOUR, '.seg');
    const sort = async (): Promise<void> => {
      const { size } = await stat(segment);
      sortSegment({ segmentPath: segment, bytes: size, runPath: segment.replace('.seg', '.run') });
    };
    const { root, faults } = await copy(source, before(/\.seg$/, sort));
    assert.deepEqual(faults, []);
    assert.deepEqual(
      (await readdir(hourFolder(root, HOUR))).map((name) => name.slice(-4)),
      ['.run'],
    );
    assert.deepEqual(await readBack(t, root, HOUR), [['a']]);
  });

  it('copies an hour that is sealed meanwhile with its seal, so that no row is in two hours', async (t) => {
    const source = await openSource(t);
    await append(source, 'a');
    const [segment = ''] = await hourFiles(source.data, HOUR, '.seg');
    const sealAndVoid = async (): Promise<void> => {
      await endHour(source);
      await append(source, 'b');
      // The same, from a collector that was paused before its write: void, because the seal does not count it.
      const [inNext = ''] = await hourFiles(source.data, NEXT, '.seg');
      await appendFile(segment, (await readFile(inNext)).subarray(16));
    };
    const { root, faults } = await copy(source, before(/\.seg$/, sealAndVoid));
    assert.deepEqual(faults, []);
    assert.ok((await readdir(hourFolder(root, HOUR))).includes('seal.json'));
    assert.deepEqual(await readBack(t, root, NEXT), [['a'], []]);
  });

  it('seals an hour itself whose sealer has died between fence and seal', async (t) => {
    const source = await openSource(t);
    await append(source, 'a');
    await writeFile(fencePath(source.root, HOUR), '');
    const { root, faults } = await copy(source);
    assert.deepEqual(faults, []);
    assert.equal(await readFile(sealPath(root, HOUR), 'utf8'), await readFile(sealPath(source.root, HOUR), 'utf8'));
    assert.deepEqual(await readBack(t, root, HOUR), [['a']]);
  });

  it('leaves no unsealed hour before a sealed one, although both are sealed meanwhile', async (t) => {
    const source = await openSource(t);
    await append(source, 'a');
    source.clock.set(hourEndMs(HOUR));
    await append(source, 'b'); // both hours are open: nobody has looked at the clock yet
    const newest = new RegExp(`${basename(hourFolder('', NEXT))}/.*\\.seg$`);
    let isNewestTaken = false;
    const { root, faults } = await copy(source, async (path) => {
      if (newest.test(path)) isNewestTaken = true;
      else if (isNewestTaken && path.endsWith('.seg')) await source.log.seal(addHours(NEXT, 1));
    });
    assert.deepEqual(faults, []);
    const isSealed = async (hour: Hour): Promise<boolean> =>
      (await readdir(hourFolder(root, hour))).includes('seal.json');
    assert.deepEqual([await isSealed(HOUR), await isSealed(NEXT)], [true, false]);
    assert.deepEqual(await readBack(t, root, NEXT), [['a'], ['b']]);
  });

  it('copies a prepared hour, and one that is prepared meanwhile', async (t) => {
    const source = await openSource(t, { segmentBytes: 1 });
    await append(source, 'a');
    await append(source, 'b');
    await endHour(source);
    await source.log.prepare(HOUR);
    await append(source, 'c');
    await endHour(source, NEXT);
    const { root, faults } = await copy(
      source,
      before(/\.seg$/, () => source.log.prepare(NEXT)),
    );
    assert.deepEqual(faults, []);
    assert.ok((await readdir(hourFolder(root, HOUR))).includes('ready.json'));
    assert.deepEqual(await readBack(t, root, NEXT), [['a', 'b'], ['c']]);
  });

  it('leaves out an hour that retention deletes meanwhile, file by file, and calls it no damage', async (t) => {
    const source = await openSource(t, { segmentBytes: 1 });
    for (const id of ['a', 'b', 'c']) await append(source, id);
    await endHour(source);
    await source.log.prepare(HOUR);
    await append(source, 'd');
    const folder = hourFolder(source.root, HOUR);
    const deleteOne = async (): Promise<void> => {
      const [first] = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.run'));
      await (first === undefined ? rm(folder, { recursive: true, force: true }) : rm(join(folder, first)));
    };
    const { root, faults } = await copy(source, async (path) => {
      if (path.includes(basename(folder)) && path.endsWith('-000001.run')) await deleteOne(); // once in every try
    });
    assert.deepEqual(faults, []);
    assert.deepEqual(await readdir(join(root, 'hours')), [basename(hourFolder('', NEXT))]);
  });

  it('says which hour lacks a run, and copies what is there', async (t) => {
    const source = await openSource(t, { segmentBytes: 1 });
    await append(source, 'a');
    await append(source, 'b');
    await endHour(source);
    await source.log.prepare(HOUR);
    const [lost = '', kept = ''] = await hourFiles(source.data, HOUR, '.run');
    await rm(lost);
    const { root, faults } = await copy(source);
    assert.deepEqual(faults, [`The hour 202611230400 (UTC) lacks ${basename(lost)}.`]);
    const names = await readdir(hourFolder(root, HOUR));
    assert.deepEqual(names.sort(), [basename(kept), 'fence', 'ready.json', 'seal.json'].sort());
  });

  for (const pathOf of [sealPath, readyPath]) {
    it(`copies an hour whose ${basename(pathOf('', HOUR))} is damaged as it is, and says so`, async (t) => {
      const source = await openSource(t);
      await append(source, 'a');
      await endHour(source);
      await source.log.prepare(HOUR);
      await truncate(pathOf(source.root, HOUR), 5);
      const { root, faults } = await copy(source);
      assert.match(faults.join(), /^The hour 202611230400 \(UTC\) is damaged: [^,]+$/);
      const listed = (folder: string) => readdir(hourFolder(folder, HOUR)).then((names) => names.sort());
      assert.deepEqual(await listed(root), await listed(source.root));
    });
  }

  it('takes the imports that count, and no others, temporary files or locks', async (t) => {
    const source = await openSource(t);
    const imported = await ImportWriter.begin({ root: source.root, ai: 'ai', jobs: storeJobsInPlace });
    await imported.append(eventBatch('ai', [{ id: 'old' }]), HOUR_START_MS - 5 * 3_600_000);
    const unfinished = await ImportWriter.begin({ root: source.root, ai: 'ai', jobs: storeJobsInPlace });
    await unfinished.append(eventBatch('ai', [{ id: 'half' }]), HOUR_START_MS - 5 * 3_600_000);
    await imported.commit();
    await writeFile(join(importsFolder(source.root), 'lock'), '1');
    await append(source, 'a');
    await writeFile(join(hourFolder(source.root, HOUR), 'seal.json.0123.tmp'), '');
    const { target, root } = await copy(source);
    assert.equal((await readdir(importsFolder(root))).length, 1);
    assert.deepEqual(
      (await readdir(target, { recursive: true })).filter((name) => /tmp|lock/.test(name)),
      [],
    );
    const hour = addHours(HOUR, -5);
    assert.deepEqual((await readBack(t, root, hour, hour)).flat(), ['old']);
  });

  it('refuses a log whose format.json is damaged or newer', async (t) => {
    const source = await openSource(t);
    const format = join(source.root, 'format.json');
    for (const [text, code] of [
      ['{', 'store_corrupt'],
      ['{"version":2,"firstHour":1}', 'format_too_new'],
    ] as const) {
      await writeFile(format, text);
      await rm(join(source.data, '..', 'backup'), { recursive: true, force: true });
      await assert.rejects(copy(source), { code });
    }
  });

  it('shares the bytes of runs with the source, which goes on without touching them', async (t) => {
    const source = await openSource(t, { segmentBytes: 1 });
    await append(source, 'a');
    await append(source, 'b');
    await endHour(source);
    const { root } = await copy(source);
    const names = (await readdir(hourFolder(root, HOUR))).map((name) => join(hourFolder(root, HOUR), name));
    const bytes = await Promise.all(names.map((name) => readFile(name)));
    assert.ok((await Promise.all(names.map((name) => stat(name)))).some(({ nlink }) => nlink === 2));
    await source.log.prepare(HOUR);
    await endHour(source, NEXT);
    await source.log.prepare(NEXT);
    await source.log.dropBefore(addHours(NEXT, 1), new Set());
    assert.deepEqual(await Promise.all(names.map((name) => readFile(name))), bytes);
  });
});
