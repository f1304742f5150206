/**
 * Posts numbered events and remembers which were acknowledged, and reads back which were exported: the two sides that every
 * crash test compares.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { downloadPackage, ExportClient, getToken } from '../../src/client/export-client.ts';
import { formatBeijingHour, type Hour } from '../../src/events/hour.ts';
import { waitFor, type Clock } from '../../src/lib/clock.ts';
import { atEnd } from './at-end.ts';
import { TEST_PROJECT } from './test-server.ts';
import { PATIENCE_MS, waitUntil } from './wait-until.ts';

/** How long a post may take; longer than the 20 s that a fenced append waits for its seal. */
const POST_TIMEOUT_MS = 60_000;
/** What a client waits for after a post that was not acknowledged. */
const RESEND_PAUSE_MS = 20;

/**
 * Posts custom events with these names in one request, over a connection of its own, which any process of the server may take.
 * True when they were acknowledged; false when they were refused or no answer came, and then they may be stored all the same.
 */
export async function postNames(
  baseUrl: string,
  names: readonly string[],
  timeoutMs = POST_TIMEOUT_MS,
): Promise<boolean> {
  const events = names.map((n) => ({ t: 'cstm', tm: 1, u: `visitor-${n.length}`, s: 'session', d: 'shop', n }));
  const url = `${baseUrl}/v3/${TEST_PROJECT.ai}/web/cstm`;
  // Not fetch: it takes an idle connection of an earlier call if there is one.
  const post = request(url, { method: 'POST', agent: false, signal: AbortSignal.timeout(timeoutMs) });
  post.on('error', () => undefined); // told by the answer that does not come
  try {
    const [response] = (await once(post.end(JSON.stringify(events)), 'response')) as [IncomingMessage];
    await buffer(response);
    return response.statusCode === 200;
  } catch {
    return false;
  }
}

export type EventStreamOptions = {
  readonly baseUrl: () => string;
  readonly clients: number;
  readonly eventsPerRequest: number;
  readonly prefix: string;
  /** Sends a request that was not acknowledged again until it is, as SDKs do. Else its events are given up. */
  readonly resends?: boolean;
  readonly postTimeoutMs?: number;
  /** What each client waits between its posts, to leave the machine to what is tested. Default: nothing. */
  readonly pauseMs?: number;
};

/** Clients that post until stopped, each one request after the other. */
export class EventStream {
  readonly acknowledged = new Set<string>();
  /** How many posts were not. */
  unacknowledged = 0;
  readonly #options: EventStreamOptions;
  readonly #stopping = new AbortController();
  readonly #clients: Promise<void>[];

  constructor(context: TestContext, options: EventStreamOptions) {
    this.#options = options;
    atEnd(context, () => this.stop());
    this.#clients = Array.from({ length: options.clients }, (_, client) => this.#post(client));
  }

  /** Waits until so many events are acknowledged. */
  reach(count: number): Promise<unknown> {
    return waitUntil(`${count} events are acknowledged`, () => this.acknowledged.size >= count);
  }

  /** Lets the running requests end, and no more begin. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#clients);
  }

  async #post(client: number): Promise<void> {
    const { baseUrl, eventsPerRequest, prefix, resends = false, postTimeoutMs, pauseMs = 0 } = this.#options;
    const { signal } = this.#stopping;
    const namesOf = (number: number): readonly string[] =>
      Array.from({ length: eventsPerRequest }, (_, place) => `${prefix}-${client}-${number}-${place}`);
    for (let number = 0; !signal.aborted;) {
      const names = namesOf(number);
      const isAcknowledged = await postNames(baseUrl(), names, postTimeoutMs);
      if (isAcknowledged) for (const name of names) this.acknowledged.add(name);
      else {
        this.unacknowledged += 1;
        await waitFor(RESEND_PAUSE_MS, signal);
      }
      if (isAcknowledged || !resends) number += 1;
      if (pauseMs > 0) await waitFor(pauseMs, signal);
    }
  }
}

/** Reads the names of all custom events exported in an hour, duplicates included, once the hour is FINISHED. */
export async function exportedNames(
  baseUrl: string,
  clock: Clock,
  hour: Hour,
  timeoutMs = PATIENCE_MS,
): Promise<string[]> {
  const { ai, uid, clientId, secret } = TEST_PROJECT;
  const token = await waitUntil('a token is given', () =>
    getToken({ baseUrl, clientId, secret, project: uid, ai, clock }),
  );
  const client = new ExportClient({ baseUrl, clientId, token, ai });
  const finished = await waitUntil(
    `hour ${formatBeijingHour(hour)} is FINISHED`,
    async () => {
      const answer = await client.exportHour('custom_event', {
        date: formatBeijingHour(hour),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      assert.notEqual(answer.status, 'ERROR', answer.errorMsg);
      return answer.status === 'FINISHED' && answer;
    },
    timeoutMs,
  );
  const names: string[] = [];
  for (const link of finished.downloadLinks) {
    const lines = gunzipSync(await downloadPackage(link, AbortSignal.timeout(PATIENCE_MS)))
      .toString()
      .trimEnd()
      .split('\n');
    const place = lines[0]!.split(',').indexOf('eventName');
    for (const name of lines.slice(1).map((line) => line.split(',')[place]!)) names.push(name);
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
