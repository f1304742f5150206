/**
 * Makes a data directory in the storage format of this version, in every state that a crash can leave an hour in, and packs it
 * for test/formats.e2e.test.ts. Run by hand, once for every version of the format: `node test/helpers/make-format-fixture.ts`.
 *
 * Hours: one imported and published, one published, one sealed and not prepared, with segments and runs, one not sealed.
 */
import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openDataCatalog } from '../../src/catalog/data-catalog.ts';
import { MIGRATIONS } from '../../src/catalog/migrations/migrations.ts';
import { addHours, formatBeijingHour, formatUtcHour, hourOf, hourStartMs, type Hour } from '../../src/events/hour.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { FORMAT_VERSION } from '../../src/store/hour-log/hour-log.ts';
import { hourFolder, listFolder } from '../../src/store/hour-log/layout.ts';
import { sealHour } from '../../src/store/hour-log/seal.ts';
import { EventStream, exportedNames, postNames } from './event-stream.ts';
import { startServerProcess } from './server-process.ts';
import { findPackages } from './stored-packages.ts';
import { runTidegate } from './tidegate-command.ts';
import { TEST_PROJECT } from './test-server.ts';
import { waitUntil } from './wait-until.ts';

/** What such a directory must give, to whichever version opens it. */
export type FormatFixture = {
  /** Where the clock stood: in the newest hour. */
  readonly nowMs: number;
  /** Names of the custom events to be exported, by hour of Beijing time; those in `maybe` may be there too. */
  readonly hours: Readonly<Record<string, { readonly names: readonly string[]; readonly maybe: boolean }>>;
  /** Keys of the packages that were published. */
  readonly packages: readonly string[];
};

const CHANGES = { segmentBytes: 32 * 1024, packageBytes: 16 * 1024 };
const MINUTE_MS = 60_000;
const closers: (() => unknown)[] = [];
const context = { after: (close: () => unknown) => closers.push(close) } as unknown as TestContext;

async function newData(folder: string, firstHour: Hour): Promise<string> {
  const data = join(folder, 'data');
  await mkdir(data, { recursive: true });
  const catalog = await openDataCatalog(data, systemClock);
  await catalog.projects.create({ ...TEST_PROJECT, exportEnabledAtMs: hourStartMs(firstHour) });
  await catalog.close();
  return data;
}

async function importInto(data: string, hour: Hour): Promise<readonly string[]> {
  const names = Array.from({ length: 50 }, (_, number) => `imported-${number}`);
  const lines = names.map((n, number) => {
    const tm = hourStartMs(hour) + number;
    return JSON.stringify({ t: 'cstm', tm, u: 'visitor', s: 'session', d: 'shop', n, sendTime: tm, platform: 'web' });
  });
  const file = join(data, '..', 'past.ndjson');
  await writeFile(file, `${lines.join('\n')}\n`);
  const { exitCode, stderr } = await runTidegate('import', '--data', data, '--ai', TEST_PROJECT.ai, file);
  if (exitCode !== 0) throw new Error(stderr);
  return names;
}

/** Posts what is no custom event with a domain: a page, an event that its page completes, one rejected, one ignored. */
async function postOthers(baseUrl: string, nowMs: number): Promise<void> {
  const common = { u: 'visitor', s: 'session', tm: nowMs };
  const events = [
    { ...common, t: 'page', d: 'shop', p: '/"a",\\\n上海' },
    { ...common, t: 'cstm', n: 'completed', ptm: nowMs },
    { ...common, t: 'cstm', n: 'rejected', tm: 'x' },
    { ...common, t: 'imp' },
  ];
  const url = `${baseUrl}/v3/${TEST_PROJECT.ai}/web/pv`;
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(events) });
  if (!answer.ok) throw new Error(await answer.text());
}

async function fill(folder: string): Promise<FormatFixture> {
  const first = addHours(hourOf(systemClock.nowMs()), 1);
  const [imported, second, third] = [addHours(first, -5), addHours(first, 1), addHours(first, 2)];
  const data = await newData(folder, addHours(first, -6));
  const importedNames = await importInto(data, imported);

  const nowMs = hourStartMs(second) - MINUTE_MS;
  const server = await startServerProcess(context, { data, nowMs, changes: CHANGES });
  const tail = Array.from({ length: 200 }, (_, number) => `tail-${number}`);
  await postNames(server.baseUrl, tail);
  await postOthers(server.baseUrl, nowMs);
  server.clock.set(hourStartMs(second) + MINUTE_MS);
  await exportedNames(server.baseUrl, server.clock, first);
  await postNames(server.baseUrl, tail); // sent again: exported with the first hour only
  await postOthers(server.baseUrl, nowMs + 2 * MINUTE_MS);
  const stream = new EventStream(context, {
    baseUrl: () => server.baseUrl,
    clients: 2,
    eventsPerRequest: 10,
    prefix: 's',
  });
  const root = join(data, 'hour-log');
  await waitUntil('some segments are runs already', async () => {
    const names = await listFolder(hourFolder(root, second));
    return names.some((name) => name.endsWith('.run')) && names.some((name) => name.endsWith('.seg'));
  });
  await server.kill('SIGKILL');
  await stream.stop();

  const elsewhere = await newData(join(folder, 'other'), addHours(first, -6));
  const other = await startServerProcess(context, { data: elsewhere, nowMs: hourStartMs(third), changes: CHANGES });
  await postNames(other.baseUrl, ['third-1', 'third-2']);
  await other.kill('SIGKILL');
  await cp(hourFolder(join(elsewhere, 'hour-log'), third), hourFolder(root, third), { recursive: true });
  await sealHour(root, second);
  return {
    nowMs: hourStartMs(third) + MINUTE_MS,
    hours: {
      [formatBeijingHour(imported)]: { names: importedNames, maybe: false },
      [formatBeijingHour(first)]: { names: [...tail, 'completed'], maybe: false },
      [formatBeijingHour(second)]: { names: [...stream.acknowledged, 'completed'], maybe: true },
      [formatBeijingHour(third)]: { names: ['third-1', 'third-2'], maybe: false },
    },
    packages: [...(await findPackages(data)).keys()].sort(),
  };
}

const folder = await mkdtemp(join(tmpdir(), 'tidegate-format-'));
const fixture = await fill(folder);
await writeFile(join(folder, 'data', 'fixture.json'), JSON.stringify(fixture));
const name = `log-${FORMAT_VERSION}-catalog-${MIGRATIONS.length}.tar.gz`;
const target = join(import.meta.dirname, '../data/formats', name);
execFileSync('tar', ['-czf', target, '--owner=0', '--group=0', '-C', folder, 'data']);
for (const close of closers.toReversed()) await close();
await rm(folder, { recursive: true });
console.log(
  `${target}: ${Object.keys(fixture.hours).join(', ')}; newest is ${formatUtcHour(hourOf(fixture.nowMs))} UTC`,
);
