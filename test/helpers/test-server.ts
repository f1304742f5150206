/**
 * A real server in this process, on a port of its own and a data directory of its own, with a clock that the test sets.
 */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { Project } from '../../src/catalog/catalog.ts';
import { HOUR_MS } from '../../src/events/hour.ts';
import { openDataCatalog } from '../../src/catalog/data-catalog.ts';
import { openServer, type Server, type ServerConfig } from '../../src/system.ts';
import { atEnd } from './at-end.ts';
import { HOUR_START_MS } from './event-rows.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { FakeClock } from './fake-clock.ts';
import { temporaryFolder } from './temporary-folder.ts';

export type TestServer = Server & {
  readonly baseUrl: string;
  readonly clock: FakeClock;
  readonly data: string;
  readonly project: Project;
};

/** The project that every test server has. */
export const TEST_PROJECT: Project = {
  ai: '0123456789abcdef',
  uid: 'aB3dE6gH',
  clientId: 'public-key',
  secret: 'a secret',
  name: 'Shop',
  exportEnabledAtMs: HOUR_START_MS - 30 * HOUR_MS,
  createdAtMs: HOUR_START_MS - 30 * HOUR_MS,
};

/** The configuration of a server with everything at its default. */
export function testServerConfig(data: string, clock: Clock): ServerConfig {
  return {
    data,
    clock,
    logger: pino({ level: 'silent' }),
    listen: { host: '127.0.0.1', port: 0 },
    collectors: 1,
    packageBytes: 64 * 1024 * 1024,
    gzip: 'auto',
    exportThreads: 1,
    exportAttempts: 8,
    segmentBytes: 32 * 1024 * 1024,
    syncs: true,
    retentionDays: 15,
    callsPerSecond: 10,
    ingestLimitBytesPerSecond: 0,
    maxBodyBytes: 8 * 1024 * 1024,
    maxDecodedBytes: 64 * 1024 * 1024,
    maxHeldBytes: 256 * 1024 * 1024,
    trustedProxies: [],
    linkSchemes: [],
  };
}

/** Starts a server that ends with the test. */
export async function startTestServer(context: TestContext, changes: Partial<ServerConfig> = {}): Promise<TestServer> {
  const data = changes.data ?? join(await temporaryFolder(context), 'data');
  const clock = (changes.clock as FakeClock | undefined) ?? new FakeClock(HOUR_START_MS + 600_000);
  const catalog = await openDataCatalog(data, clock);
  if (!catalog.projects.findByAi(TEST_PROJECT.ai)) await catalog.projects.create(TEST_PROJECT);
  await catalog.close();
  const server = await openServer({ ...testServerConfig(data, clock), ...changes });
  atEnd(context, () => server.close());
  return { ...server, baseUrl: `http://127.0.0.1:${server.port}`, clock, data, project: TEST_PROJECT };
}
