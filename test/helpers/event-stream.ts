/**
 * Posts numbered events and remembers which were acknowledged, and reads back which were exported: the two sides that every
 * crash test compares.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { downloadPackage, ExportClient, getToken } from '../../src/client/export-client.ts';
import { formatBeijingHour, type Hour } from '../../src/events/hour.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { TEST_PROJECT } from './test-server.ts';
import { waitUntil } from './wait-until.ts';

/** Posts custom events with these names in one request. True when they were acknowledged, false when refused or broken off. */
export async function postNames(baseUrl: string, names: readonly string[], signal?: AbortSignal): Promise<boolean> {
  const events = names.map((n) => ({ t: 'cstm', tm: 1, u: `visitor-${n.length}`, s: 'session', d: 'shop', n }));
  try {
    const response = await fetch(`${baseUrl}/v3/${TEST_PROJECT.ai}/web/cstm`, {
      method: 'POST',
      body: JSON.stringify(events),
      ...(signal && { signal }),
    });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

/** Clients that post at full speed until stopped. */
export class EventStream {
  readonly acknowledged = new Set<string>();
  readonly #stopping = new AbortController();
  readonly #clients: Promise<void>[];

  constructor(
    context: TestContext,
    options: {
      readonly baseUrl: () => string;
      readonly clients: number;
      readonly eventsPerRequest: number;
      readonly prefix: string;
    },
  ) {
    const { baseUrl, clients, eventsPerRequest, prefix } = options;
    context.after(() => this.stop());
    this.#clients = Array.from({ length: clients }, async (_, client) => {
      for (let number = 0; !this.#stopping.signal.aborted; number += 1) {
        const names = Array.from({ length: eventsPerRequest }, (__, place) => `${prefix}-${client}-${number}-${place}`);
        if (await postNames(baseUrl(), names)) for (const name of names) this.acknowledged.add(name);
      }
    });
  }

  /** Waits until so many events are acknowledged. */
  reach(count: number): Promise<unknown> {
    return waitUntil(`${count} events are acknowledged`, () => this.acknowledged.size >= count, 60_000);
  }

  /** Lets the running requests end, and no more begin. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#clients);
  }
}

/** Reads the names of all custom events exported in an hour, duplicates included, once the hour is FINISHED. */
export async function exportedNames(baseUrl: string, clock: Clock, hour: Hour, timeoutMs = 60_000): Promise<string[]> {
  const { ai, uid, clientId, secret } = TEST_PROJECT;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  const client = new ExportClient({ baseUrl, clientId, token, ai });
  const finished = await waitUntil(
    `hour ${formatBeijingHour(hour)} is FINISHED`,
    async () => {
      const answer = await client.exportHour('custom_event', { date: formatBeijingHour(hour) });
      assert.notEqual(answer.status, 'ERROR', answer.errorMsg);
      return answer.status === 'FINISHED' && answer;
    },
    timeoutMs,
  );
  const names: string[] = [];
  for (const link of finished.downloadLinks) {
    const lines = gunzipSync(await downloadPackage(link))
      .toString()
      .trimEnd()
      .split('\n');
    const place = lines[0]!.split(',').indexOf('eventName');
    names.push(...lines.slice(1).map((line) => line.split(',')[place]!));
  }
  return names;
}

/** Checks that every acknowledged event was exported, and nothing twice. */
export function assertExportedOnce(acknowledged: ReadonlySet<string>, exported: readonly string[]): void {
  const counts = new Map<string, number>();
  for (const name of exported) counts.set(name, (counts.get(name) ?? 0) + 1);
  assert.deepEqual(
    [...acknowledged].filter((name) => !counts.has(name)),
    [],
    'acknowledged but not exported',
  );
  assert.deepEqual(
    [...counts].filter(([, count]) => count > 1),
    [],
    'exported more than once',
  );
}
