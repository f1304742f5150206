/**
 * Ingest: requests with 1, 20 and 100 events over 1 to 256 connections, answered when the rows are durable.
 *
 * Each server runs alone, begun anew in every round, on one core (two for two collectors); wrk sends from another. In the peers'
 * favour: see peers/action-rows.ts. The events are the same for all.
 */
import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import { actionBodies } from '../action-traffic.ts';
import { writeBodies } from '../load/bodies-file.ts';
import { runWrk } from '../load/wrk.ts';
import { coresOf } from '../measure/machine.ts';
import { Stage } from '../measure/stage.ts';
import { startNginx } from '../peers/nginx.ts';
import { benchProject, newData, startTidegate } from '../peers/tidegate.ts';
import { startServerChild, type RunningServer } from '../peers/server-child.ts';
import type { ReceiverArgument } from '../peers/receiver-entry.ts';
import type { PartContext, Size } from './part.ts';

type Case = { readonly events: number; readonly connections: number };
type Start = (stage: Stage) => Promise<RunningServer>;
type Contestant = { readonly name: string; readonly start: Start; readonly cases: readonly Case[] };
type Plan = {
  readonly cases: readonly Case[];
  readonly storeCases: readonly Case[];
  readonly peers: readonly ReceiverArgument['kind'][];
  readonly twoCollectors: boolean;
  readonly seconds: number;
};

const EVENT_COUNTS = [1, 20, 100];
const CONNECTION_COUNTS = [1, 4, 16, 64, 256];
const MIDDLE: Case = { events: 20, connections: 64 };
const PROJECT = benchProject(0, systemClock.nowMs());
const BODIES = 400;
const WARM_UP_SECONDS: Readonly<Record<Size, number>> = { full: 5, small: 2, quick: 2 };

const PLANS: Readonly<Record<Size, Plan>> = {
  full: {
    cases: EVENT_COUNTS.flatMap((events) => CONNECTION_COUNTS.map((connections) => ({ events, connections }))),
    // Databases like large groups: the last case gives them the largest.
    storeCases: [...EVENT_COUNTS.map((events) => ({ events, connections: 64 })), { events: 100, connections: 256 }],
    peers: ['fastify', 'postgres', 'duckdb', 'chdb'],
    twoCollectors: true,
    seconds: 3,
  },
  small: {
    cases: [MIDDLE],
    storeCases: [MIDDLE],
    peers: ['fastify', 'postgres', 'duckdb', 'chdb'],
    twoCollectors: true,
    seconds: 1,
  },
  quick: { cases: [MIDDLE], storeCases: [MIDDLE], peers: ['fastify'], twoCollectors: false, seconds: 2 },
};

/** Measures every contestant in each of its cases, one contestant after the other in each round. */
export async function measureIngest({ stage, recorder, size, rounds }: PartContext): Promise<void> {
  const plan = PLANS[size];
  const bodies = await writeAllBodies(stage);
  for (let round = 1; round <= rounds; round += 1) {
    for (const { name, start, cases } of contestants(plan)) {
      const own = new Stage();
      const end = stage.add(() => own.close());
      const server = await start(own);
      const { client } = coresOf(1);
      const load = { stage: own, server, method: 'POST', path: pathOf(), headers: JSON_BODY, cores: client } as const;
      await runWrk({ ...load, bodies: bodies(20), connections: 16, seconds: WARM_UP_SECONDS[size] });
      let fullRate: number | undefined;
      for (const { events, connections } of cases) {
        const figures = await measure({ ...load, bodies: bodies(events), connections, seconds: plan.seconds }, events);
        recorder.add({ round, contestant: name, case: { events, connections, rate: 'full' }, figures });
        if (events === MIDDLE.events && connections === MIDDLE.connections) fullRate = figures.requestsPerSecond;
      }
      if (name === 'tidegate' && size !== 'quick' && fullRate !== undefined) {
        const { events, connections } = MIDDLE;
        // A connection waits twice as long as its share of the full rate would have it take.
        const waitMs = Math.round((2000 * connections) / fullRate);
        const figures = await measure(
          { ...load, bodies: bodies(events), connections, seconds: plan.seconds, waitMs },
          events,
        );
        recorder.add({ round, contestant: name, case: { events, connections, rate: 'half' }, figures });
      }
      await end();
    }
  }
}

const JSON_BODY = { 'Content-Type': 'application/json' };

function pathOf(): string {
  return `/v3/${PROJECT.ai}/web/other?stm=${systemClock.nowMs()}`;
}

async function measure(
  options: Parameters<typeof runWrk>[0],
  events: number,
): Promise<{ requestsPerSecond: number } & Record<string, number>> {
  const { requests, seconds, p50Ms, p99Ms, p999Ms, serverCpuSeconds, clientCoreShare } = await runWrk(options);
  return {
    requestsPerSecond: requests / seconds,
    eventsPerSecond: (requests * events) / seconds,
    eventsPerCpuSecond: (requests * events) / serverCpuSeconds,
    cpuMicrosPerEvent: (serverCpuSeconds * 1e6) / (requests * events),
    p50Ms,
    p99Ms,
    p999Ms,
    clientCoreShare,
  };
}

/** Writes a file of bodies for each count of events; gives its path. */
async function writeAllBodies(stage: Stage): Promise<(events: number) => string> {
  const folder = await stage.folder('bodies');
  const fileOf = (events: number): string => join(folder, `${events}.bodies`);
  for (const events of EVENT_COUNTS) {
    const rows = events * BODIES;
    const bodies = actionBodies({ rows, eventsPerBody: events, startMs: systemClock.nowMs(), seed: events });
    await writeBodies(fileOf(events), bodies);
  }
  return fileOf;
}

function contestants({ cases, storeCases, peers, twoCollectors }: Plan): readonly Contestant[] {
  return [
    { name: 'nginx', start: (stage) => startNginx({ stage, cores: coresOf(1).server }), cases },
    ...peers.map((kind) => ({
      name: kind,
      start: (stage: Stage) => startReceiver(stage, kind),
      cases: kind === 'fastify' ? cases : storeCases,
    })),
    { name: 'tidegate', start: (stage) => startCollectors(stage, 1), cases },
    ...(twoCollectors
      ? [{ name: 'tidegate, 2 collectors', start: (stage: Stage) => startCollectors(stage, 2), cases }]
      : []),
  ];
}

async function startCollectors(stage: Stage, collectors: number): Promise<RunningServer> {
  const data = await newData(stage, [PROJECT]);
  return startTidegate({ stage, data, cores: coresOf(collectors).server, changes: { collectors } });
}

async function startReceiver(stage: Stage, kind: ReceiverArgument['kind']): Promise<RunningServer> {
  const argument: ReceiverArgument = { kind, folder: await stage.folder(kind) };
  const entry = new URL('../peers/receiver-entry.ts', import.meta.url);
  return startServerChild({ stage, entry, argument, cores: coresOf(1).server });
}
