/**
 * Which contestants of the ingest part get which requests.
 *
 * A full run takes all sizes and connections from Tidegate alone; the others get the cases that a figure is compared with, and
 * those in which they do best. nginx is the ceiling of the machine and of wrk, the stores like large groups.
 */
import type { ReceiverArgument } from '../peers/receiver-entry.ts';
import type { Size } from './part.ts';

export type IngestCase = { readonly events: number; readonly connections: number };
export type IngestContestant =
  'nginx' | ReceiverArgument['kind'] | 'tidegate' | 'tidegate, 2 collectors' | 'tidegate, 5,000 rules';
export type IngestPlan = {
  /** In the order of a round. */
  readonly cases: Readonly<Partial<Record<IngestContestant, readonly IngestCase[]>>>;
  readonly seconds: number;
  /** How long Tidegate also takes the middle case at a stretch, so that it cannot leave the sorting for later; 0: not at all. */
  readonly longSeconds: number;
  readonly warmUpSeconds: number;
  /** Says whether Tidegate is also measured at half of what it could take. */
  readonly hasHalfRate: boolean;
};

export const EVENT_COUNTS = [1, 20, 100] as const;
/** What the rate of the long load is called. */
export const LONG_RATE = 'full for 20 s';
/** The case that most figures are compared in. */
export const MIDDLE: IngestCase = { events: 20, connections: 64 };

const BY_CONNECTIONS = [1, 4, 16, 64, 256].map((connections) => ({ events: 20, connections }));
const OTHER_SIZES = [1, 100].map((events) => ({ events, connections: 64 }));
const ENDS = [
  { events: 1, connections: 1 },
  { events: 100, connections: 256 },
];
const STORE_CASES = [...OTHER_SIZES, MIDDLE, { events: 20, connections: 256 }];

export const INGEST_PLANS: Readonly<Record<Size, IngestPlan>> = {
  full: {
    cases: {
      nginx: [...OTHER_SIZES, MIDDLE, { events: 20, connections: 256 }],
      fastify: [...BY_CONNECTIONS, ...OTHER_SIZES],
      postgres: STORE_CASES,
      'postgres, no row twice': STORE_CASES,
      duckdb: STORE_CASES,
      chdb: STORE_CASES,
      tidegate: [...BY_CONNECTIONS, ...OTHER_SIZES, ...ENDS],
      // The same loads before the compared one as without rules: V8 goes on compiling for some ten seconds.
      'tidegate, 5,000 rules': BY_CONNECTIONS,
      'tidegate, 2 collectors': [...BY_CONNECTIONS, ...OTHER_SIZES],
    },
    seconds: 3,
    longSeconds: 20,
    warmUpSeconds: 3,
    hasHalfRate: true,
  },
  small: {
    cases: {
      nginx: [MIDDLE],
      fastify: [MIDDLE],
      postgres: [MIDDLE],
      duckdb: [MIDDLE],
      chdb: [MIDDLE],
      tidegate: [MIDDLE],
      'tidegate, 5,000 rules': [MIDDLE],
      'tidegate, 2 collectors': [MIDDLE],
    },
    seconds: 1,
    longSeconds: 0,
    warmUpSeconds: 1,
    hasHalfRate: true,
  },
  quick: {
    cases: { fastify: [MIDDLE], tidegate: [MIDDLE] },
    seconds: 3,
    longSeconds: 0,
    warmUpSeconds: 2,
    hasHalfRate: false,
  },
};
