/** `kill -9` while the packages of the 1.0 API are made: the next server makes them, whole, and leaves nothing else behind. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openDataCatalog } from '../src/catalog/data-catalog.ts';
import { addHours, formatBeijingHour, hourEndMs, hourOf, hourStartMs } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { exportedNames, postNames } from './helpers/event-stream.ts';
import { askLegacy, legacyToken, readLegacy } from './helpers/legacy-client.ts';
import { newDataDirectory, startServerProcess } from './helpers/server-process.ts';
import { TEST_PROJECT } from './helpers/test-server.ts';
import { waitUntil } from './helpers/wait-until.ts';

const REQUESTS = 40;
const EVENTS = 250;
/** Longer than a lease: what the killed server had claimed can be claimed again. */
const LATER_MS = 11_000;

/** When the server is killed, by what lies in the folder of 1.0 packages by then. */
const MOMENTS = [
  { what: 'as soon as they are asked for', isReached: () => true },
  { what: 'when a package is being written', isReached: (names: readonly string[]) => names.length > 0 },
  {
    what: 'when a package is whole',
    isReached: (names: readonly string[]) => names.some((name) => name.endsWith('.gz')),
  },
];

describe('kill -9 while 1.0 packages are made', () => {
  for (const [place, { what, isReached }] of MOMENTS.entries()) {
    it(`${what}: they are made again`, async (t) => {
      const hour = addHours(hourOf(HOUR_START_MS), place);
      const data = await newDataDirectory(t);
      const project = TEST_PROJECT;
      const first = await startServerProcess(t, { data, nowMs: hourStartMs(hour) + 1_000 });
      const names = Array.from({ length: REQUESTS }, (_, request) =>
        Array.from({ length: EVENTS }, (_event, event) => `${request}-${event}`),
      );
      for (const some of names) assert.ok(await postNames(first.baseUrl, some));
      first.clock.set(hourEndMs(hour));
      assert.equal((await exportedNames(first.baseUrl, first.clock, hour)).length, REQUESTS * EVENTS);
      const legacyFiles = async (): Promise<readonly string[]> => {
        const below = await readdir(join(data, 'packages'), { recursive: true, withFileTypes: true }).catch(() => []);
        return below
          .filter((entry) => entry.isFile() && entry.parentPath.includes('/v1/'))
          .map((entry) => join(entry.parentPath, entry.name).slice(join(data, 'packages').length + 1));
      };
      await askLegacy({ ...first, project }, await legacyToken({ ...first, project }), formatBeijingHour(hour));
      await waitUntil(what, async () => isReached(await legacyFiles()));
      await first.kill('SIGKILL');

      const second = await startServerProcess(t, { data, nowMs: hourEndMs(hour) + LATER_MS });
      const { custom_attr } = await readLegacy({ ...second, project }, formatBeijingHour(hour));
      const made = custom_attr!.map(({ eventname }) => eventname!);
      assert.deepEqual(made.toSorted(), names.flat().sort());
      const catalog = await openDataCatalog(data, second.clock);
      const kept = await catalog.legacy.listKept(project.ai, hour);
      await catalog.close();
      assert.deepEqual(
        await legacyFiles(),
        kept.map(({ key }) => key),
      );
    });
  }
});
