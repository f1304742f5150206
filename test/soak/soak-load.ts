/**
 * The clients of a soak. Each sends one request after the other, as often as its share of the rate asks, and sends a request that
 * was not answered with 200 again, the same bytes over another connection, as SDKs do. Besides, some answers are not waited for,
 * and some requests are sent again although they were answered: both are what a flaky network makes of SDKs.
 */
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Random } from '../../src/demo/random.ts';
import { hourOf, type Hour } from '../../src/events/hour.ts';
import { waitFor, type Clock } from '../../src/lib/clock.ts';
import { TEST_PROJECT } from '../helpers/test-server.ts';
import type { EventAccount } from './event-account.ts';
import { encodeEvents, type EventNumber } from './soak-event.ts';
import { patienceOf, type SoakOptions } from './soak-options.ts';

export type LoadCounts = {
  readonly requests: number;
  /** Sent again because there was no answer, or not 200. */
  readonly resentWithoutAnswer: number;
  /** Sent again although they were acknowledged. */
  readonly resentAfterAnswer: number;
  /** Sent again, for either reason, when another hour had begun. */
  readonly resentInNextHour: number;
  /** Answers in which the server asked to come again (503). */
  readonly refused: number;
  /** The longest time in which nothing was acknowledged. */
  readonly longestSilenceMs: number;
};

const MEAN_EVENTS = 50;
const LOST_ANSWERS = 0.02;
const RESENT_ANSWERED = 0.02;
const NEW_CONNECTIONS = 0.2;
/** How much of the time in which it could not send a client makes up for. */
const CATCH_UP_MS = 2_000;
const LOST_ANSWER_WAIT_MS = 30;
const RESEND_PAUSE_MS = [50, 500] as const;
const OK = 200;
const UNAVAILABLE = 503;

type Batch = {
  readonly first: EventNumber;
  readonly count: number;
  readonly body: Buffer;
  /** In which it is sent first. */
  readonly hour: Hour;
};

export class SoakLoad {
  readonly #options: SoakOptions & { readonly baseUrl: string; readonly account: EventAccount; readonly clock: Clock };
  readonly #patience: ReturnType<typeof patienceOf>;
  readonly #stopping = new AbortController();
  readonly #clients: readonly Promise<void>[];
  /** Requests that will be sent again although they were acknowledged. */
  readonly #later = new Set<Promise<void>>();
  readonly #counts = {
    requests: 0,
    resentWithoutAnswer: 0,
    resentAfterAnswer: 0,
    resentInNextHour: 0,
    refused: 0,
    longestSilenceMs: 0,
  };
  #acknowledgedAtMs = performance.now();
  acknowledged = 0;

  constructor(
    options: SoakOptions & { readonly baseUrl: string; readonly account: EventAccount; readonly clock: Clock },
  ) {
    this.#options = options;
    this.#patience = patienceOf(options);
    this.#clients = Array.from({ length: options.clients }, (_, client) => this.#run(client));
  }

  get counts(): LoadCounts {
    return this.#counts;
  }

  /** Rejects when a client cannot go on; else resolves when all have stopped. */
  get ended(): Promise<unknown> {
    return Promise.all(this.#clients);
  }

  /** Begins no new request; returns when the ones that run are acknowledged or given up. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#clients);
    await Promise.all(this.#later);
  }

  async #run(client: number): Promise<void> {
    const { account, clock, clients, eventsPerSecond, seed } = this.#options;
    const random = new Random(seed + 1 + client);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const eventsPerMs = eventsPerSecond / clients / 1000;
    let dueMs = performance.now();
    while (!this.#stopping.signal.aborted) {
      const count = random.integer(1, 2 * MEAN_EVENTS);
      const first = account.take(client, count);
      const nowMs = clock.nowMs();
      const batch = { first, count, body: encodeEvents(first, count, nowMs), hour: hourOf(nowMs) };
      await this.#deliver(batch, agent, random);
      dueMs = Math.max(dueMs + count / eventsPerMs, performance.now() - CATCH_UP_MS);
      await waitFor(Math.max(0, dueMs - performance.now()), this.#stopping.signal);
    }
    agent.destroy();
  }

  /** Sends a request until it is acknowledged or the client's patience has ended. */
  async #deliver(batch: Batch, agent: Agent, random: Random): Promise<void> {
    const giveUpAtMs = performance.now() + this.#patience.giveUpMs;
    const losesAnswer = random.chance(LOST_ANSWERS);
    let isAcknowledged = await this.#post(
      batch.body,
      random.chance(NEW_CONNECTIONS) ? false : agent,
      losesAnswer ? random.integer(0, LOST_ANSWER_WAIT_MS) : undefined,
    );
    while (!isAcknowledged) {
      await waitFor(random.integer(...RESEND_PAUSE_MS));
      if (performance.now() >= giveUpAtMs) return;
      this.#counts.resentWithoutAnswer += 1;
      this.#countNextHour(batch);
      isAcknowledged = await this.#post(batch.body, false);
    }
    this.#noteAcknowledged(batch);
    if (random.chance(RESENT_ANSWERED)) {
      const waitMs = random.fraction() * (giveUpAtMs - performance.now());
      const later = this.#sendAgain(batch, waitMs).finally(() => this.#later.delete(later));
      this.#later.add(later);
    }
  }

  async #sendAgain(batch: Batch, waitMs: number): Promise<void> {
    await waitFor(waitMs, this.#stopping.signal);
    if (this.#stopping.signal.aborted) return;
    this.#counts.resentAfterAnswer += 1;
    this.#countNextHour(batch);
    await this.#post(batch.body, false);
  }

  #countNextHour({ hour }: Batch): void {
    if (hourOf(this.#options.clock.nowMs()) > hour) this.#counts.resentInNextHour += 1;
  }

  #noteAcknowledged({ first, count }: Batch): void {
    const nowMs = performance.now();
    this.#options.account.acknowledge(first, count);
    this.acknowledged += count;
    this.#counts.longestSilenceMs = Math.max(this.#counts.longestSilenceMs, nowMs - this.#acknowledgedAtMs);
    this.#acknowledgedAtMs = nowMs;
  }

  /**
   * Posts a body; false for `agent` takes a connection of its own, which any collector may accept. With `loseAfterMs`, the
   * connection is cut so long after the request was sent, whatever the answer. True when it was acknowledged.
   * @throws Error when the server says that the request is wrong
   */
  async #post(body: Buffer, agent: Agent | false, loseAfterMs?: number): Promise<boolean> {
    this.#counts.requests += 1;
    const signal = AbortSignal.timeout(this.#patience.answerMs);
    const path = `${this.#options.baseUrl}/v3/${TEST_PROJECT.ai}/web/cstm`;
    const post = request(path, { method: 'POST', agent, signal, headers: { 'Content-Length': body.length } });
    post.on('error', () => undefined); // told by the answer that does not come
    const answered = once(post, 'response') as Promise<[IncomingMessage]>;
    post.end(body);
    if (loseAfterMs !== undefined) {
      answered.catch(() => undefined);
      await waitFor(loseAfterMs, signal);
      post.destroy();
      return false;
    }
    let status: number | undefined;
    try {
      const [response] = await answered;
      await buffer(response);
      status = response.statusCode;
    } catch {
      return false; // killed, cut off or too late
    }
    if (status === UNAVAILABLE) this.#counts.refused += 1;
    else if (status !== OK) throw new Error(`a request was answered with ${status ?? 'nothing'}`);
    return status === OK;
  }
}
