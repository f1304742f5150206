/** A whole API server for tests: real HTTP, real catalog, real packages in a temporary folder; only the clock is the test's. */
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Catalog, ClaimedTask, PackageEntry, Project } from '../catalog/catalog.ts';
import { openCatalog } from '../catalog/open-catalog.ts';
import type { SettingDefaults } from '../catalog/project-settings.ts';
import { headerLine, type DataType } from '../events/data-types.ts';
import { addHours, formatUtcHour, hourFromInteger, hourOf, type Hour } from '../events/hour.ts';
import { LocalPackageStore } from '../packages/local-package-store.ts';
import type { PackageStore } from '../packages/package-store.ts';
import { HourLogReader } from '../store/hour-log/hour-log-reader.ts';
import { type ApiOptions, openApi } from './api-server.ts';
import { CallLimit } from './call-limit.ts';
import { type HttpServerOptions, openHttpServer } from './server.ts';
import { atEnd } from '../../test/helpers/at-end.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';

/** 10:30 on 18 July 2018 in Beijing. */
export const NOW_MS = Date.parse('2018-07-18T02:30:00Z');

/** What a test's server was told. */
export const SETTING_DEFAULTS: SettingDefaults = {
  retentionDays: 15,
  packageBytes: 64 * 1024 * 1024,
  ingestLimitBytes: 0,
  callLimit: 0,
  trustedProxies: [],
};

export type TestApi = {
  readonly baseUrl: string;
  readonly port: number;
  readonly catalog: Catalog;
  readonly packages: PackageStore;
  readonly clock: { nowMs(): number; set(ms: number): void };
  /** Log lines of level warn and above. */
  readonly logged: readonly Record<string, unknown>[];
  close(): Promise<void>;
};

export type TestApiOptions = Partial<ApiOptions> & {
  readonly packages?: PackageStore;
  readonly server?: Partial<HttpServerOptions>;
};

/** Opens a server on a free port and closes everything after the test. */
export async function openTestApi(
  t: TestContext,
  { server: serverOptions, ...options }: TestApiOptions = {},
): Promise<TestApi> {
  const folder = await temporaryFolder(t);
  let now = NOW_MS;
  const clock = { nowMs: () => now, set: (ms: number) => void (now = ms) };
  const logged: Record<string, unknown>[] = [];
  const logger = pino(
    { level: 'warn' },
    { write: (line: string) => logged.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const catalog = options.catalog ?? (await openCatalog({ path: join(folder, 'catalog.sqlite'), clock }));
  const packages = options.packages ?? (await LocalPackageStore.open(join(folder, 'packages')));
  const api = await openApi({
    catalog,
    packages,
    clock,
    logger,
    metrics: new Registry(),
    readinessChecks: [],
    callLimit: new CallLimit({ callsPerSecond: 0 }),
    retentionDays: 15,
    settingDefaults: SETTING_DEFAULTS,
    store: { prepare: () => Promise.resolve() },
    reader: new HourLogReader(join(folder, 'hour-log')),
    linkSchemes: [],
    ...options,
  });
  const server = await openHttpServer({ listen: { host: '127.0.0.1', port: 0 }, api, logger, ...serverOptions });
  atEnd(t, async () => {
    await server.close();
    await api.close();
    await catalog.close();
  });
  const baseUrl = `http://127.0.0.1:${server.port}`;
  return { baseUrl, port: server.port, catalog, packages, clock, logged, close: () => server.close() };
}

/** Creates a project; export is enabled since 1 July 2018, 00:00 in Beijing. */
export async function createProject(catalog: Catalog, facts: Partial<Project> = {}): Promise<Project> {
  const project = {
    ai: randomBytes(8).toString('hex'),
    uid: randomBytes(4).toString('hex'),
    clientId: randomBytes(8).toString('hex'),
    secret: randomBytes(16).toString('hex'),
    name: 'shop',
    exportEnabledAtMs: Date.parse('2018-06-30T16:00:00Z'),
    createdAtMs: Date.parse('2018-06-30T16:00:00Z'),
    ...facts,
  };
  await catalog.projects.create(project);
  return project;
}

/** The raw text body of a token call, rightly signed. */
export function tokenBody({ uid, ai, secret }: Project, tm: number | string): string {
  const parameters = `project=${uid}&ai=${ai}&tm=${tm}`;
  return `${parameters}&auth=${signToken(secret, parameters)}`;
}

export function signToken(secret: string, parameters: string): string {
  return createHmac('sha256', secret).update(`POST\n/auth/token\n${parameters}`).digest('hex');
}

/** The hour of yyyyMMddHH in Beijing time. */
export function beijingHour(text: string): Hour {
  const [, year, month, day, hour] = /^(\d{4})(\d\d)(\d\d)(\d\d)$/.exec(text)!.map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return addHours(hourOf(Date.UTC(year, month - 1, day, hour)), -8);
}

/** Claims the task of an hour, made, or made pending again, before. */
export async function claimHour({ tasks }: Catalog, ai: string, hour: Hour): Promise<ClaimedTask> {
  await tasks.restart(ai, [hour], 0);
  const task = await tasks.claim({ nowMs: NOW_MS, leaseMs: 1000, ai, hours: [hour] });
  if (!task) throw new Error('There was nothing to claim.');
  return task;
}

/** Publishes an hour with packages of the given contents, by data type, as the exporter does. */
export async function publishHour(
  { catalog, packages }: Pick<TestApi, 'catalog' | 'packages'>,
  project: Project,
  hour: Hour,
  contents: Partial<Record<DataType, readonly string[]>> = {},
): Promise<readonly PackageEntry[]> {
  const { ai } = project;
  const task = await claimHour(catalog, ai, hour);
  const revision = await catalog.manifests.nextRevision(ai, hour);
  const entries: PackageEntry[] = [];
  for (const [dataType, rows] of Object.entries(contents) as [DataType, readonly string[]][]) {
    for (const [part, text] of rows.entries()) {
      const csv = Buffer.from(headerLine(dataType) + text);
      const gzip = gzipSync(csv, { level: 1 });
      const name = `part-${String(part).padStart(5, '0')}-${randomUUID()}-c000.csv.gz`;
      const key = `${ai}/${formatUtcHour(hourFromInteger(hour))}/r${revision}/${dataType}/${name}`;
      const sink = await packages.create(key);
      await sink.write(gzip);
      await sink.finish();
      entries.push({
        dataType,
        part,
        name,
        key,
        rows: text.split('\n').length - 1,
        bytes: gzip.length,
        md5: createHash('md5').update(gzip).digest('hex'),
        sha256: createHash('sha256').update(gzip).digest('hex'),
        csvSha256: createHash('sha256').update(csv).digest('hex'),
      });
    }
  }
  const facts = { schemaVersion: 1, codec: 'zlib level 1', ledger: { events: {}, rows: {}, imported: 0 } } as const;
  const manifest = await catalog.manifests.publish(task, { revision, facts, packages: entries, nowMs: NOW_MS });
  if (!manifest) throw new Error('The lease was lost.');
  return manifest.packages;
}
