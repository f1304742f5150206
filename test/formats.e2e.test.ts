/**
 * The storage format over versions: this program opens every directory that an older one left behind, whatever state its hours
 * were in, and refuses one that a newer program has written with a sentence that says so.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { MIGRATIONS } from '../src/catalog/migrations/migrations.ts';
import { addHours, formatBeijingHour, hourEndMs, hourOf, hourStartMs, type Hour } from '../src/events/hour.ts';
import { FORMAT_VERSION, HourLog } from '../src/store/hour-log/hour-log.ts';
import { hourFolder, listFolder } from '../src/store/hour-log/layout.ts';
import { HourLogReader } from '../src/store/hour-log/hour-log-reader.ts';
import { storeJobsInPlace } from '../src/store/hour-log/store-jobs.ts';
import { atEnd } from './helpers/at-end.ts';
import { eventBatch, HOUR_START_MS } from './helpers/event-rows.ts';
import { assertExportedOnce, exportedNames, postNames } from './helpers/event-stream.ts';
import { FakeClock } from './helpers/fake-clock.ts';
import type { FormatFixture } from './helpers/make-format-fixture.ts';
import { newDataDirectory, startServerProcess } from './helpers/server-process.ts';
import { findPackages } from './helpers/stored-packages.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { runTidegate } from './helpers/tidegate-command.ts';

const FIXTURES = join(import.meta.dirname, 'data/formats');

describe('a data directory of an older format', () => {
  const archives = readdirSync(FIXTURES).sort();

  it('V1 is kept for the format of this version', () => {
    assert.ok(archives.includes(`log-${FORMAT_VERSION}-catalog-${MIGRATIONS.length}.tar.gz`), archives.join());
  });

  for (const archive of archives) {
    it(`V1 is opened, and loses and doubles nothing: ${archive}`, async (t) => {
      const folder = await temporaryFolder(t);
      execFileSync('tar', ['-xzf', join(FIXTURES, archive), '-C', folder]);
      const data = join(folder, 'data');
      const fixture = JSON.parse(readFileSync(join(data, 'fixture.json'), 'utf8')) as FormatFixture;
      const published = await findPackages(data);
      assert.deepEqual([...published.keys()].sort(), fixture.packages);
      const newest = hourOf(fixture.nowMs);

      const server = await startServerProcess(t, { data, nowMs: fixture.nowMs });
      assert.ok(await postNames(server.baseUrl, ['of-this-version']));
      server.clock.set(hourEndMs(newest));
      for (const [date, { names, maybe }] of Object.entries(fixture.hours)) {
        const isNewest = date === formatBeijingHour(newest);
        const expected = new Set(isNewest ? [...names, 'of-this-version'] : names);
        const exported = await exportedNames(server.baseUrl, server.clock, hourOfDate(date, newest));
        assertExportedOnce(expected, exported);
        if (!maybe) assert.equal(exported.length, expected.size, `hour ${date}`);
      }
      const packages = await findPackages(data);
      for (const [key, bytes] of published) assert.deepEqual(packages.get(key), bytes, key);
      await server.kill('SIGTERM');
      const { exitCode, stdout, stderr } = await runTidegate('verify', '--data', data);
      assert.equal(exitCode, 0, stdout + stderr);
    });
  }
});

describe('a data directory of a newer format', () => {
  it('V2 is refused when its catalog is newer', async (t) => {
    const data = await newDataDirectory(t);
    const catalog = new DatabaseSync(join(data, 'catalog.sqlite'));
    catalog.prepare('INSERT INTO migration SELECT max(number) + 1, name, applied_at_ms FROM migration').run();
    catalog.close();
    await assertRefused(data, /The catalog .* is of version \d+, but this program knows only versions up to \d+/);
  });

  it('V2 is refused when its hour log is newer', async (t) => {
    const data = await newDataDirectory(t);
    const root = join(data, 'hour-log');
    const log = await HourLog.open({ root, clock: new FakeClock(HOUR_START_MS), jobs: storeJobsInPlace });
    await log.close();
    await writeFile(join(root, 'format.json'), JSON.stringify({ version: FORMAT_VERSION + 1, firstHour: 498_000 }));
    await assertRefused(data, /has storage format 2; this program knows up to 1\./);
  });

  for (const kind of ['segment', 'run'] as const) {
    it(`V2 fails the hour of a newer ${kind}, whose rows must not pass for torn, and takes it when it is mended`, async (t) => {
      const root = join(await temporaryFolder(t), 'hour-log');
      const clock = new FakeClock(HOUR_START_MS);
      const hour = hourOf(HOUR_START_MS);
      const log = await HourLog.open({ root, clock, jobs: storeJobsInPlace });
      atEnd(t, () => log.close());
      await log.append(eventBatch('ai', [{ id: 'a' }]));
      if (kind === 'run') {
        await log.seal(addHours(hour, 1));
        await log.prepare(hour);
      }
      const path = await pathOf(root, hour, kind);
      const mend = await setVersion(path, kind);
      await log.seal(addHours(hour, 1));
      const newer = { code: 'format_too_new', message: new RegExp(`The file .*\\.${path.slice(-3)} has format 2`) };
      const reader = new HourLogReader(root);
      if (kind === 'run') assert.throws(() => [...reader.readSorted(hour, 'ai', 'evar')], newer);
      else await assert.rejects(log.prepare(hour), /has format 2; this program knows 1/);
      await mend();
      await log.prepare(hour);
      assert.equal([...reader.readSorted(hour, 'ai', 'evar')].length, 1);
    });
  }
});

/** Runs what opens a data directory; each must end with this sentence and what to do, and without a stack. */
async function assertRefused(data: string, sentence: RegExp): Promise<void> {
  for (const args of [
    ['serve', '--data', data, '--listen', '127.0.0.1:0'],
    ['import', '--data', data, '--ai', '0123456789abcdef', '/dev/null'],
  ]) {
    const { exitCode, stderr } = await runTidegate(...args);
    assert.equal(exitCode, 1, stderr);
    assert.match(stderr, sentence);
    assert.match(stderr, /Run the version of tidegate that wrote this data directory, or a newer one\.\n$/);
    assert.doesNotMatch(stderr, /\n +at /);
  }
}

function hourOfDate(date: string, newest: Hour): Hour {
  for (let hour = newest; ; hour = addHours(hour, -1)) if (formatBeijingHour(hour) === date) return hour;
}

async function pathOf(root: string, hour: Hour, kind: 'segment' | 'run'): Promise<string> {
  const folder = hourFolder(root, hour);
  const name = (await listFolder(folder)).find((entry) => entry.endsWith(kind === 'run' ? '.run' : '.seg'));
  assert.ok(name, `hour ${hourStartMs(hour)} has a ${kind}`);
  return join(folder, name);
}

/** Raises the version byte of a file. Returns what undoes it. */
async function setVersion(path: string, kind: 'segment' | 'run'): Promise<() => Promise<void>> {
  const set = async (version: number): Promise<void> => {
    const file = await open(path, 'r+');
    try {
      const { size } = await file.stat();
      await file.write(Buffer.of(version), 0, 1, kind === 'run' ? size - 1 : 7);
    } finally {
      await file.close();
    }
  };
  await set(2);
  return () => set(1);
}
