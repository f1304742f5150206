/**
 * Watches each hour from its end until the export API says FINISHED, as a script that waits for it does, through all kills. It then
 * downloads the hour's packages and keeps their digests, so that the check at the end sees a published hour that changed.
 */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { downloadPackage, type AllTypesLinks, type ExportClient } from '../../src/client/export-client.ts';
import { addHours, formatBeijingHour, hourEndMs, type Hour } from '../../src/events/hour.ts';
import { waitFor } from '../../src/lib/clock.ts';
import type { ScaledClock } from './scaled-clock.ts';

export type FinishedHour = {
  readonly hour: Hour;
  /** Real time from its end until a client saw FINISHED. */
  readonly waitedMs: number;
  /** Of its packages as they were then, in the order of their links. */
  readonly digests: readonly string[];
};

const POLL_MS = 250;
const CALL_TIMEOUT_MS = 10_000;
const DOWNLOAD_TIMEOUT_MS = 60_000;
/** Links that outlive the soak's fast clock: a week of it. */
const EXPIRE_MINUTES = 7 * 24 * 60;
/** When waiting makes no sense any more; what is too late is said long before. */
const HOPELESS_MS = 300_000;

export class HourWatch {
  readonly finished: FinishedHour[] = [];
  readonly #client: ExportClient;
  readonly #clock: ScaledClock;
  readonly #onFinished: (hour: FinishedHour) => void;
  #last: Hour | undefined;

  constructor(options: {
    readonly client: ExportClient;
    readonly clock: ScaledClock;
    readonly onFinished: (hour: FinishedHour) => void;
  }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#onFinished = options.onFinished;
  }

  /** Says which hour is the last to wait for. */
  endWith(last: Hour): void {
    this.#last = last;
  }

  /** Follows the hours from this one on, until the last is FINISHED. @throws Error when one is in ERROR or takes for ever */
  async run(first: Hour, signal: AbortSignal): Promise<void> {
    for (let hour = first; this.#last === undefined || hour <= this.#last; hour = addHours(hour, 1)) {
      while (this.#clock.nowMs() < hourEndMs(hour)) {
        await waitFor(POLL_MS, signal);
        if (signal.aborted || (this.#last !== undefined && hour > this.#last)) return;
      }
      await this.#finish(hour, signal);
    }
  }

  async #finish(hour: Hour, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const overdueMs = -this.#clock.realMsUntil(hourEndMs(hour));
      if (overdueMs > HOPELESS_MS)
        throw new Error(`hour ${formatBeijingHour(hour)} is not FINISHED after all this time`);
      const links = await askLinks(this.#client, hour).catch(rethrowFinal);
      if (!links) {
        await waitFor(POLL_MS, signal);
        continue;
      }
      const waitedMs = -this.#clock.realMsUntil(hourEndMs(hour));
      const digests = await this.#digest(hour, signal);
      if (!digests) return;
      const finished = { hour, waitedMs, digests };
      this.finished.push(finished);
      this.#onFinished(finished);
      return;
    }
  }

  /** Downloads until the server lives long enough. */
  async #digest(hour: Hour, signal: AbortSignal): Promise<readonly string[] | undefined> {
    while (!signal.aborted) {
      try {
        const links = await askLinks(this.#client, hour);
        const digests: string[] = [];
        for (const link of Object.values(links ?? {}).flat()) digests.push((await fetchPackage(link)).digest);
        return digests;
      } catch (error) {
        rethrowFinal(error);
        await waitFor(POLL_MS, signal);
      }
    }
    return undefined;
  }
}

/** The server is there and says what no retry changes. */
class HourFailedError extends Error {}

function rethrowFinal(error: unknown): undefined {
  if (error instanceof HourFailedError) throw error;
  return undefined;
}

/** Asks for the links of a whole hour; undefined while it is not FINISHED. @throws Error when it is in ERROR, or no answer came */
export async function askLinks(client: ExportClient, hour: Hour): Promise<AllTypesLinks | undefined> {
  const date = formatBeijingHour(hour);
  const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const answer = await client.exportWholeHour({ date, expireMinutes: EXPIRE_MINUTES, signal });
  if (answer.status === 'ERROR') throw new HourFailedError(`hour ${date} is in ERROR: ${answer.errorMsg}`);
  return answer.status === 'FINISHED' ? answer.downloadLinks : undefined;
}

/** Downloads a package and unpacks it. */
export async function fetchPackage(link: string): Promise<{ readonly text: string; readonly digest: string }> {
  const bytes = await downloadPackage(link, AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS));
  return { text: gunzipSync(bytes).toString(), digest: createHash('sha256').update(bytes).digest('hex') };
}
