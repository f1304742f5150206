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
import { runWrk, type WrkOptions } from '../load/wrk.ts';
import { coresOf } from '../measure/machine.ts';
import type { RuleDraft } from '../../src/rules/rule.ts';
import { manyRules } from '../load/many-rules.ts';
import { Stage } from '../measure/stage.ts';
import { startNginx } from '../peers/nginx.ts';
import { benchProject, newData, startTidegate } from '../peers/tidegate.ts';
import { startServerChild, type RunningServer } from '../peers/server-child.ts';
import type { ReceiverArgument } from '../peers/receiver-entry.ts';
import {
  EVENT_COUNTS,
  INGEST_PLANS,
  LONG_RATE,
  MIDDLE,
  type IngestCase,
  type IngestContestant,
} from './ingest-plan.ts';
import type { PartContext } from './part.ts';

type Start = (stage: Stage) => Promise<RunningServer>;

const PROJECT = benchProject(0, systemClock.nowMs());
const BODIES = 400;
const WARM_UP: IngestCase = { events: 20, connections: 16 };

/** How each begins. */
const STARTS: Readonly<Record<IngestContestant, Start>> = {
  nginx: (stage) => startNginx({ stage, cores: coresOf(1).server }),
  fastify: (stage) => startReceiver(stage, 'fastify'),
  postgres: (stage) => startReceiver(stage, 'postgres'),
  'postgres, no row twice': (stage) => startReceiver(stage, 'postgres, no row twice'),
  duckdb: (stage) => startReceiver(stage, 'duckdb'),
  chdb: (stage) => startReceiver(stage, 'chdb'),
  tidegate: (stage) => startCollectors(stage, 1),
  'tidegate, 2 collectors': (stage) => startCollectors(stage, 2),
  'tidegate, 5,000 rules': (stage) => startCollectors(stage, 1, manyRules()),
};

/** Measures every contestant in each of its cases, one contestant after the other in each round. */
export async function measureIngest({ stage, recorder, size, rounds }: PartContext): Promise<void> {
  const { cases, seconds, longSeconds, warmUpSeconds, hasHalfRate } = INGEST_PLANS[size];
  const bodies = await writeAllBodies(stage);
  for (let round = 1; round <= rounds; round += 1) {
    for (const [contestant, own] of Object.entries(cases)) {
      const ownStage = new Stage();
      const end = stage.add(() => ownStage.close());
      const server = await STARTS[contestant as IngestContestant](ownStage);
      const measure = ({ events, connections }: IngestCase, time: { seconds: number; waitMs?: number }) =>
        measureLoad({ stage: ownStage, server, bodies: bodies(events), connections, ...time }, events);
      await measure(WARM_UP, { seconds: warmUpSeconds });
      let middleRate = 0;
      for (const asked of own) {
        const figures = await measure(asked, { seconds });
        recorder.add({ round, contestant, case: { ...asked, rate: 'full' }, figures });
        if (asked.events === MIDDLE.events && asked.connections === MIDDLE.connections)
          middleRate = figures.requestsPerSecond;
      }
      if (longSeconds > 0 && contestant === 'tidegate') {
        const figures = await measure(MIDDLE, { seconds: longSeconds });
        recorder.add({ round, contestant, case: { ...MIDDLE, rate: LONG_RATE }, figures });
      }
      if (hasHalfRate && (contestant === 'tidegate' || contestant === 'tidegate, 2 collectors')) {
        const figures = await measure(MIDDLE, { seconds, waitMs: halfRateWaitMs(MIDDLE.connections, middleRate) });
        recorder.add({ round, contestant, case: { ...MIDDLE, rate: 'half' }, figures });
      }
      await end();
    }
  }
}

/** How long a connection waits so that all together send half as much: twice its share of the full rate's time. */
export function halfRateWaitMs(connections: number, requestsPerSecond: number): number {
  return Math.round((2_000 * connections) / requestsPerSecond);
}

const JSON_BODY = { 'Content-Type': 'application/json' };

function pathOf(): string {
  return `/v3/${PROJECT.ai}/web/other?stm=${systemClock.nowMs()}`;
}

/** Loads a server; its CPU time is that of all its threads and processes, until they are quiet again. */
async function measureLoad(
  options: Pick<WrkOptions, 'stage' | 'server' | 'bodies' | 'connections' | 'seconds' | 'waitMs'>,
  events: number,
): Promise<{ requestsPerSecond: number } & Record<string, number>> {
  const load = { method: 'POST', path: pathOf(), headers: JSON_BODY, cores: coresOf(1).client, settles: true } as const;
  const figures = await runWrk({ ...load, ...options });
  const { requests, seconds, p50Ms, p99Ms, p999Ms, serverCpuSeconds, clientCoreShare } = figures;
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

async function startCollectors(
  stage: Stage,
  collectors: number,
  rules: readonly RuleDraft[] = [],
): Promise<RunningServer> {
  const data = await newData(stage, [PROJECT], rules);
  return startTidegate({ stage, data, cores: coresOf(collectors).server, changes: { collectors } });
}

async function startReceiver(stage: Stage, kind: ReceiverArgument['kind']): Promise<RunningServer> {
  const argument: ReceiverArgument = { kind, folder: await stage.folder('receiver') };
  const entry = new URL('../peers/receiver-entry.ts', import.meta.url);
  return startServerChild({ stage, entry, argument, cores: coresOf(1).server });
}
