/** A Tidegate server as it is installed, with a project, and what a client of it needs. */
import { cp, link, mkdir, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { openDataCatalog } from '../../src/catalog/data-catalog.ts';
import type { Project } from '../../src/catalog/catalog.ts';
import type { RuleDraft } from '../../src/rules/rule.ts';
import { ExportClient, getToken } from '../../src/client/export-client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { ServerConfig } from '../../src/system.ts';
import type { Stage } from '../measure/stage.ts';
import { startServerChild, type RunningServer } from './server-child.ts';

const ENTRY = new URL('../server-entry.js', import.meta.url);

export type Tidegate = RunningServer & {
  readonly baseUrl: string;
  /** What the server's clock says. */
  nowMs(): number;
  /** Sets the server's clock to an instant, from which it goes on. */
  setClock(nowMs: number): void;
};

export type TidegateOptions = {
  readonly stage: Stage;
  readonly data: string;
  /** Default: all. */
  readonly cores?: string;
  /** Where the server's clock starts. Default: now. */
  readonly nowMs?: number;
  readonly changes?: Partial<ServerConfig>;
};

export async function startTidegate(options: TidegateOptions): Promise<Tidegate> {
  const { stage, data, cores, changes = {} } = options;
  let aheadMs = options.nowMs === undefined ? 0 : options.nowMs - Date.now();
  const argument = { data, aheadMs, changes };
  const server = await startServerChild({ stage, entry: ENTRY, argument, ...(cores !== undefined && { cores }) });
  return {
    ...server,
    baseUrl: `http://127.0.0.1:${server.port}`,
    nowMs: () => Date.now() + aheadMs,
    setClock: (nowMs) => {
      aheadMs = nowMs - Date.now();
      server.child.send({ aheadMs });
    },
  };
}

/** The project of the benchmarks with this place; its hours can be exported from an instant on. */
export function benchProject(place: number, fromMs: number): Project {
  return {
    ai: place.toString(16).padStart(16, 'b'),
    uid: `bench${String(place).padStart(3, '0')}`,
    clientId: `bench-client-${place}`,
    secret: 'a secret of the benchmark',
    name: `Shop ${place}`,
    exportEnabledAtMs: fromMs,
    createdAtMs: fromMs,
  };
}

/** Makes a data directory with these projects, each with these rules. */
export async function newData(
  stage: Stage,
  projects: readonly Project[],
  rules: readonly RuleDraft[] = [],
): Promise<string> {
  const data = join(await stage.folder('data'), 'data');
  const catalog = await openDataCatalog(data, systemClock);
  for (const project of projects) {
    await catalog.projects.create(project);
    if (rules.length > 0) await catalog.rules.import(project.ai, rules);
  }
  await catalog.close();
  return data;
}

/**
 * Gives a second data directory like one that no server works on.
 *
 * Events are shared by hard links, because nothing is written to a segment or run that is there: so a copy costs no time and leaves
 * no pages to be written while something is measured.
 */
export async function copyData(stage: Stage, data: string): Promise<string> {
  const copy = join(await stage.folder('copy'), 'data');
  const log = join(data, 'hour-log');
  await cp(data, copy, { recursive: true, filter: (path) => path !== log });
  for (const entry of await readdir(log, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const folder = join(copy, relative(data, entry.parentPath));
    await mkdir(folder, { recursive: true });
    await link(join(entry.parentPath, entry.name), join(folder, entry.name));
  }
  return copy;
}

/** Makes a client of the export API for a project. */
export async function clientOf(server: Tidegate, project: Project): Promise<{ client: ExportClient; token: string }> {
  const { ai, uid, clientId, secret } = project;
  const { baseUrl } = server;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock: server });
  return { client: new ExportClient({ baseUrl, clientId, token, ai }), token };
}
