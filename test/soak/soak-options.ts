/** What a soak can be told, and what follows from it. */
import { parseArgs } from 'node:util';
import { HOUR_MS } from '../../src/events/hour.ts';

export type SoakOptions = {
  /** How long clients send. */
  readonly minutes: number;
  /** Collector processes of the server. */
  readonly collectors: number;
  /** Programs that send, each one request after the other. */
  readonly clients: number;
  /** What all clients together send when the server answers. */
  readonly eventsPerSecond: number;
  /** Length of an hour; the server's clock runs so much faster. */
  readonly hourSeconds: number;
  /** The pause between two kills is drawn from here. */
  readonly killEverySeconds: readonly [from: number, until: number];
  /** Decides kinds and times of kills, sizes of requests, and which answers are lost. */
  readonly seed: number;
  /** Keeps the data directory even when all is well. */
  readonly keepsData: boolean;
};

/** The time within which a request that is sent again is known for what it is, also across the end of an hour. */
const RESEND_WINDOW_HOURS = 1 / 6;

/** Reads the command line. @throws Error with a sentence */
export function parseSoakOptions(args: readonly string[]): SoakOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '20' },
      collectors: { type: 'string', default: '3' },
      clients: { type: 'string', default: '8' },
      rate: { type: 'string', default: '4000' },
      'hour-seconds': { type: 'string', default: '120' },
      'kill-every': { type: 'string', default: '20-40' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
      keep: { type: 'boolean', default: false },
    },
  });
  const [from, until, ...more] = values['kill-every'].split('-').map((text) => positive('kill-every', text));
  if (from === undefined || until === undefined || more.length > 0 || until < from) {
    throw new Error('--kill-every needs two numbers of seconds: 20-40');
  }
  const collectors = whole('collectors', values.collectors);
  if (collectors < 2) throw new Error('--collectors needs at least 2, so that one can die alone');
  return {
    minutes: positive('minutes', values.minutes),
    collectors,
    clients: whole('clients', values.clients),
    eventsPerSecond: positive('rate', values.rate),
    hourSeconds: positive('hour-seconds', values['hour-seconds']),
    killEverySeconds: [from, until],
    seed: whole('seed', values.seed),
    keepsData: values.keep,
  };
}

/** Gives how many times faster the server's clock runs than the machine's. */
export function scaleOf({ hourSeconds }: Pick<SoakOptions, 'hourSeconds'>): number {
  return HOUR_MS / 1000 / hourSeconds;
}

/**
 * Gives how long a client sends a request again and how long it waits for an answer. Both together stay well within the window in
 * which a resend is recognized: later ones are rows of their own, by the documents.
 */
export function patienceOf({ hourSeconds }: Pick<SoakOptions, 'hourSeconds'>): {
  readonly giveUpMs: number;
  readonly answerMs: number;
} {
  const windowMs = hourSeconds * 1000 * RESEND_WINDOW_HOURS;
  return { giveUpMs: windowMs * 0.4, answerMs: windowMs * 0.25 };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new Error(`--${name}: ${text} is no number above 0`);
  return value;
}

function whole(name: string, text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new Error(`--${name}: ${text} is no whole number`);
  return Number(text);
}
