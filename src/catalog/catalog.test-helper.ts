/** What the catalog's tests share: a temporary catalog, sample data, and second processes. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { DataType } from '../events/data-types.ts';
import { addHours, hourFromInteger, type Hour } from '../events/hour.ts';
import type { Catalog, ClaimedTask, Manifest, PackageEntry, Project } from './catalog.ts';
import { openCatalog } from './open-catalog.ts';
import { atEnd } from '../../test/helpers/at-end.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';

/** 2026-01-01 00:00 UTC, 08:00 in Beijing. */
export const NEW_YEAR_MS = Date.UTC(2026, 0, 1);
export const NEW_YEAR = hourFromInteger(NEW_YEAR_MS / 3_600_000);

/** Gives the path of a catalog that does not exist yet, in a folder that goes when the test ends. */
export async function newCatalogPath(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  return join(folder, 'data', 'catalog.sqlite');
}

/** Opens a catalog that is closed when the test ends. */
export async function openForTest(t: TestContext, path: string): Promise<Catalog> {
  const catalog = await openCatalog({ path, clock: { nowMs: () => NEW_YEAR_MS } });
  atEnd(t, () => catalog.close());
  return catalog;
}

/** Opens a new catalog that holds the project `sampleProject()`. */
export async function openWithProject(t: TestContext): Promise<{ catalog: Catalog; path: string; ai: string }> {
  const path = await newCatalogPath(t);
  const catalog = await openForTest(t, path);
  const project = sampleProject();
  await catalog.projects.create(project);
  return { catalog, path, ai: project.ai };
}

export function sampleProject(changes: Partial<Project> = {}): Project {
  return {
    ai: '0123456789abcdef',
    uid: 'GPnPmxRy',
    clientId: 'a-public-key',
    secret: 'a-secret',
    name: 'Harbour',
    exportEnabledAtMs: NEW_YEAR_MS,
    createdAtMs: NEW_YEAR_MS,
    ...changes,
  };
}

export function hoursFrom(from: Hour, hours: number): { from: Hour; until: Hour } {
  return { from, until: addHours(from, hours) };
}

/** Makes and claims the task of an hour. */
export async function claimHour(catalog: Catalog, ai: string, hour: Hour): Promise<ClaimedTask> {
  await catalog.tasks.restart(ai, [hour], NEW_YEAR_MS);
  const task = await catalog.tasks.claim({ nowMs: NEW_YEAR_MS, leaseMs: 60_000, ai, hours: [hour] });
  assert.ok(task, 'the task just made can be claimed');
  return task;
}

export function samplePackage(dataType: DataType, part: number, label = 'a'): PackageEntry {
  const name = `part-${String(part).padStart(5, '0')}-${label}-c000.csv.gz`;
  return {
    dataType,
    part,
    name,
    key: `${label}/${dataType}/${name}`,
    rows: 1_000 + part,
    bytes: 65_536 + part,
    md5: '5'.repeat(32),
    sha256: 'a'.repeat(64),
    csvSha256: 'c'.repeat(64),
  };
}

/** Publishes the next revision of an hour with these packages. */
export async function publishHour(
  catalog: Catalog,
  ai: string,
  hour: Hour,
  packages: readonly PackageEntry[],
): Promise<Manifest> {
  const task = await claimHour(catalog, ai, hour);
  const revision = await catalog.manifests.nextRevision(ai, hour);
  const manifest = await catalog.manifests.publish(task, {
    revision,
    facts: {
      schemaVersion: 1,
      codec: 'zlib 1.3 level 1',
      ledger: { events: {}, rows: { visit: { made: 8, exported: 7, duplicates: 1 } }, imported: 0 },
    },
    packages,
    nowMs: NEW_YEAR_MS + revision,
  });
  assert.ok(manifest, 'a claimed task can be published');
  return manifest;
}

/** A second process of `catalog.test-process.ts`, which does one thing when told to go. */
export type TestProcess = {
  readonly child: ChildProcess;
  /** Lets it begin, and gives what it answers. */
  run<Answer>(): Promise<Answer>;
  /** Waits for its end. */
  readonly ended: Promise<unknown>;
};

/** Starts a second process over the same catalog and waits until it is ready to go. It is killed, at the latest, with the test. */
export async function startTestProcess(
  t: TestContext,
  path: string,
  action: string,
  input: unknown = null,
): Promise<TestProcess> {
  const script = join(import.meta.dirname, 'catalog.test-process.ts');
  const child = fork(script, [path, action, JSON.stringify(input)], { execArgv: [] });
  const ended = once(child, 'exit');
  atEnd(t, async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await nextMessage(child, ended);
  const run = async <Answer>(): Promise<Answer> => {
    child.send('go');
    return (await nextMessage(child, ended)) as Answer;
  };
  return { child, run, ended };
}

async function nextMessage(child: ChildProcess, ended: Promise<unknown>): Promise<unknown> {
  const died = ended.then((end) => {
    throw new Error(`The second process ended before it answered: ${JSON.stringify(end)}`);
  });
  const [message] = (await Promise.race([once(child, 'message'), died])) as [unknown];
  return message;
}
