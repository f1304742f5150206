/**
 * The events of a soak: each says in its variables who sent it and which one it is, and everything else follows from that. So an
 * exported row can be checked without remembering what was sent.
 */
import { hourEndMs, hourStartMs, type Hour } from '../../src/events/hour.ts';

/** Which event: the client, and its place among all events of that client. */
export type EventNumber = { readonly client: number; readonly place: number };

/** One row of an exported table, by column. */
export type ExportedRow = Readonly<Record<string, string | null>>;

const DOMAIN = 'shop.example.com';
/** Has what CSV and JSON must quote. */
const NOTE = '苹果, "red"\\\n';
const VISITORS = 5_000;
const EVENTS_PER_SESSION = 40;

/** Gives the body of a request with `count` events from this place on. */
export function encodeEvents(first: EventNumber, count: number, timeMs: number): Buffer {
  const events = Array.from({ length: count }, (_, offset) => {
    const number = { client: first.client, place: first.place + offset };
    return {
      t: 'cstm',
      tm: timeMs,
      ...visitOf(number),
      d: DOMAIN,
      p: `/${number.place % 100}`,
      n: 'soak',
      num: number.place,
      var: { client: String(number.client), place: String(number.place), note: NOTE },
    };
  });
  return Buffer.from(JSON.stringify(events));
}

/** Tells which event a row is. Returns a sentence when the row is of no event, or not as it was sent. */
export function readRow(row: ExportedRow, hour: Hour): EventNumber | string {
  const number = readNumber(row.eventVariable ?? null);
  if (typeof number === 'string') return number;
  const { u, s } = visitOf(number);
  const expected: ExportedRow = {
    visitUserId: u,
    sessionId: s,
    domain: DOMAIN,
    page: `/${number.place % 100}`,
    eventName: 'soak',
  };
  for (const [column, value] of Object.entries(expected)) {
    if (row[column] !== value) return `${column} of event ${nameOf(number)} is ${String(row[column])}, not ${value}`;
  }
  if (Number(row.eventNumber) !== number.place) return `eventNumber of event ${nameOf(number)} is ${row.eventNumber}`;
  const sendTimeMs = Number(row.sendTime);
  if (!(sendTimeMs >= hourStartMs(hour) && sendTimeMs < hourEndMs(hour))) {
    return `sendTime of event ${nameOf(number)} is ${row.sendTime}, outside its hour`;
  }
  if (!(Number(row.time) <= sendTimeMs)) return `event ${nameOf(number)} was sent before its time`;
  return number;
}

/** Names an event in a sentence. */
export function nameOf({ client, place }: EventNumber): string {
  return `${client}/${place}`;
}

function readNumber(variables: string | null): EventNumber | string {
  try {
    const { client, place, note } = JSON.parse(variables ?? '') as Record<string, string>;
    if (/^\d+$/.test(client ?? '') && /^\d+$/.test(place ?? '') && note === NOTE) {
      return { client: Number(client), place: Number(place) };
    }
  } catch {
    // told below
  }
  return `eventVariable ${variables} is of no event that was sent`;
}

function visitOf({ client, place }: EventNumber): { readonly u: string; readonly s: string } {
  const session = Math.floor(place / EVENTS_PER_SESSION);
  return { u: `visitor-${client}-${session % VISITORS}`, s: `session-${client}-${session}` };
}
