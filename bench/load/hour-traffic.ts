/** The requests that fill one hour: clicks of one project, or all types of fifty. */
import type { Project } from '../../src/catalog/catalog.ts';
import { makeSampleDay } from '../../src/demo/sample-day.ts';
import { addHours, hourOf } from '../../src/events/hour.ts';
import { actionBodies } from '../action-traffic.ts';
import { benchProject } from '../peers/tidegate.ts';
import type { PostedRequest } from './post-requests.ts';

/** The instant at which the measured hour begins, 2026-11-23T04:00:00Z. */
export const HOUR_START_MS = Date.UTC(2026, 10, 23, 4);

export const EVENTS_PER_BODY = 20;

/** What fills an hour, and whose hour it is. */
export type HourTraffic = { readonly projects: readonly Project[]; readonly requests: Iterable<PostedRequest> };

/** Clicks of one project, one row each. */
export function actionTraffic(rows: number, seed = 1, eventsPerBody = EVENTS_PER_BODY): HourTraffic {
  const project = benchProject(0, HOUR_START_MS);
  const path = `/v3/${project.ai}/web/other?stm=${HOUR_START_MS}`;
  const bodies = actionBodies({ rows, eventsPerBody, startMs: HOUR_START_MS, seed });
  return { projects: [project], requests: bodies.map((body) => ({ path, body })) };
}

const MIXED_PROJECTS = 50;
/** Events that a visit of the sample traffic makes, on average. */
const EVENTS_PER_VISIT = 13.5;

/** Events of all types and platforms for fifty projects, about as many as asked for. */
export function mixedTraffic(events: number): HourTraffic {
  const projects = Array.from({ length: MIXED_PROJECTS }, (_, place) => benchProject(place, HOUR_START_MS));
  const visits = Math.ceil(events / MIXED_PROJECTS / EVENTS_PER_VISIT);
  return { projects, requests: mixedRequests(projects, visits) };
}

function* mixedRequests(projects: readonly Project[], visits: number): Generator<PostedRequest> {
  const from = hourOf(HOUR_START_MS);
  for (const [place, { ai }] of projects.entries()) {
    const lines = makeSampleDay({ day: { from, until: addHours(from, 24) }, visits, seed: place + 1 });
    for (const [platform, events] of groupByPlatform(lines)) {
      for (let first = 0; first < events.length; first += EVENTS_PER_BODY) {
        const body = Buffer.from(JSON.stringify(events.slice(first, first + EVENTS_PER_BODY)));
        yield { path: `/v3/${ai}/${platform}/other?stm=${HOUR_START_MS}`, body };
      }
    }
  }
}

/** Takes off what an import says beside an event; a collector hears it from the request. */
function groupByPlatform(lines: readonly string[]): ReadonlyMap<string, readonly unknown[]> {
  const events = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  const named = events.map(({ platform, sendTime: _, ip: __, userAgent: ___, ...event }) => ({ platform, event }));
  const groups = Map.groupBy(named, ({ platform }) => String(platform));
  return new Map([...groups].map(([platform, each]) => [platform, each.map(({ event }) => event)]));
}
