/**
 * A test server in hours that have just been: commands read the machine's own clock, and for them an hour must have ended and be
 * within retention.
 */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openDataCatalog } from '../../src/catalog/data-catalog.ts';
import { addHours, hourEndMs, hourOf, hourStartMs, type Hour } from '../../src/events/hour.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { ServerConfig } from '../../src/system.ts';
import { FakeClock } from './fake-clock.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { startTestServer, TEST_PROJECT, type TestServer } from './test-server.ts';

export type RecentServer = TestServer & {
  /** The first hour that exists for the project; the clock stands in it. */
  readonly hour: Hour;
  /** Ends an hour by the server's clock. */
  endHour(hour: Hour): void;
  /** Puts the server's clock where the commands' is, or a little ahead. */
  catchUp(): void;
};

const HOURS_AGO = 6;
const AHEAD_MS = 60_000;

/** Starts a server whose clock stands ten minutes into an hour six hours ago, with export enabled from that hour on. */
export async function startRecentServer(t: TestContext, changes: Partial<ServerConfig> = {}): Promise<RecentServer> {
  const hour = addHours(hourOf(systemClock.nowMs()), -HOURS_AGO);
  const data = join(await temporaryFolder(t), 'data');
  const clock = new FakeClock(hourStartMs(hour) + 600_000);
  const catalog = await openDataCatalog(data, clock);
  const enabledAtMs = hourStartMs(hour);
  await catalog.projects.create({ ...TEST_PROJECT, exportEnabledAtMs: enabledAtMs, createdAtMs: enabledAtMs });
  await catalog.close();
  const server = await startTestServer(t, { ...changes, data, clock });
  return {
    ...server,
    hour,
    endHour: (ended) => clock.set(hourEndMs(ended)),
    catchUp: () => clock.set(systemClock.nowMs() + AHEAD_MS),
  };
}
