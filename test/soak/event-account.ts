/**
 * The two sides that a soak compares: which events were acknowledged, and which were exported, how often.
 *
 * Memory: one byte for each event sent, whatever else there is.
 */
import { nameOf, type EventNumber } from './soak-event.ts';

export type AccountSummary = {
  readonly sent: number;
  readonly acknowledged: number;
  readonly unacknowledged: number;
  /** Of those that were not acknowledged; they may be exported, once. */
  readonly exportedUnacknowledged: number;
  /** Rows of events that were sent. */
  readonly rows: number;
  /** Events acknowledged and not exported. */
  readonly lost: number;
  /** Rows beyond the first of their event. */
  readonly doubled: number;
  /** Rows of events that nobody sent. */
  readonly strangers: number;
  /** The first few of the three above, in words. */
  readonly examples: readonly string[];
};

const ACKNOWLEDGED = 1;
/** The other bits count rows. */
const ROW = 2;
const MOST_ROWS = 100;
const MAX_EXAMPLES = 10;
const FIRST_SIZE = 1024;

type ClientEvents = { states: Uint8Array; count: number };

export class EventAccount {
  readonly #clients: readonly ClientEvents[];
  #strangers = 0;
  #doubled = 0;
  readonly #examples: string[] = [];

  constructor(clients: number) {
    this.#clients = Array.from({ length: clients }, () => ({ states: new Uint8Array(FIRST_SIZE), count: 0 }));
  }

  /** Takes the next numbers of a client, before it sends them. Returns the first. */
  take(client: number, count: number): EventNumber {
    const events = this.#clients[client]!; // clients number themselves from 0
    const place = events.count;
    events.count += count;
    while (events.states.length < events.count) {
      const larger = new Uint8Array(events.states.length * 2);
      larger.set(events.states);
      events.states = larger;
    }
    return { client, place };
  }

  /** Notes that a request was answered with 200. */
  acknowledge({ client, place }: EventNumber, count: number): void {
    const { states } = this.#clients[client]!;
    for (let at = place; at < place + count; at += 1) states[at]! |= ACKNOWLEDGED;
  }

  /** Notes an exported row. */
  countRow(number: EventNumber, where: string): void {
    const events = this.#clients[number.client];
    if (!events || number.place >= events.count) {
      this.#strangers += 1;
      this.#show(`event ${nameOf(number)} was never sent and is in ${where}`);
      return;
    }
    const rows = events.states[number.place]! >> 1;
    if (rows > 0) {
      this.#doubled += 1;
      this.#show(`event ${nameOf(number)} is a second time in ${where}`);
    }
    if (rows < MOST_ROWS) events.states[number.place]! += ROW;
  }

  /** Adds up; called when all rows are counted. */
  summary(): AccountSummary {
    const counts = { sent: 0, acknowledged: 0, exported: 0, exportedUnacknowledged: 0, lost: 0 };
    const lost: string[] = [];
    for (const [client, { states, count }] of this.#clients.entries()) {
      counts.sent += count;
      for (let place = 0; place < count; place += 1) {
        const isAcknowledged = (states[place]! & ACKNOWLEDGED) !== 0;
        const isExported = states[place]! >= ROW;
        if (isAcknowledged) counts.acknowledged += 1;
        if (isExported) counts.exported += 1;
        if (isExported && !isAcknowledged) counts.exportedUnacknowledged += 1;
        if (isExported || !isAcknowledged) continue;
        counts.lost += 1;
        if (lost.length < MAX_EXAMPLES) lost.push(`event ${nameOf({ client, place })} was acknowledged and is lost`);
      }
    }
    const { sent, acknowledged, exported, exportedUnacknowledged } = counts;
    return {
      sent,
      acknowledged,
      unacknowledged: sent - acknowledged,
      exportedUnacknowledged,
      rows: exported + this.#doubled,
      lost: counts.lost,
      doubled: this.#doubled,
      strangers: this.#strangers,
      examples: [...lost, ...this.#examples],
    };
  }

  #show(example: string): void {
    if (this.#examples.length < MAX_EXAMPLES) this.#examples.push(example);
  }
}
