/**
 * Close: from the hour's end until its packages can be downloaded, against what compressing and sorting the same rows takes.
 *
 * The hour is filled once, further for each larger case; each round closes a copy of it, with a server that has closed a small hour
 * before. Sorting before the hour's end is done by then, as it is in a running server. The peers: close-peers.ts.
 */
import { join } from 'node:path';
import type { Project } from '../../src/catalog/catalog.ts';
import type { ServerConfig } from '../../src/system.ts';
import { downloadTable } from '../load/download-table.ts';
import { closeHour, fillHour, newHourData, publishedRows, startBeforeEnd } from '../load/hour-run.ts';
import { actionTraffic, mixedTraffic } from '../load/hour-traffic.ts';
import { Stage } from '../measure/stage.ts';
import { copyData } from '../peers/tidegate.ts';
import { openClosePeers, type ClosePeer, type Figures } from './close-peers.ts';
import type { PartContext, Size } from './part.ts';

type Case = {
  readonly rows: number;
  readonly traffic: 'action' | 'mixed';
  readonly closers: readonly (keyof typeof CODECS)[];
  readonly peers: readonly ClosePeer[];
  /** Default: as many as asked for. */
  readonly mostRounds?: number;
};

/** The gzip that each of ours has. */
const CODECS = { tidegate: 'isa-l', 'tidegate, zlib': 'zlib' } as const;
const BOTH = ['tidegate', 'tidegate, zlib'] as const;
const FLOORS = ['igzip -1', 'zlib', 'pigz -1 -p2'] as const;
const ALL_PEERS = [...FLOORS, 'sort | igzip -1', 'DuckDB COPY gzip', 'chdb OUTFILE gzip'] as const;
/** What takes so long that two rounds must do. */
const SLOW_PEERS: readonly ClosePeer[] = ['DuckDB COPY gzip', 'sort | igzip -1'];
const SLOW_ROUNDS = 2;
/** Only what the hour holds counts here, not how it came in. */
const EVENTS_PER_BODY = 100;

/** Those with action rows are filled one on top of the other, so they must grow. */
const CASES: Readonly<Record<Size, readonly Case[]>> = {
  full: [
    { rows: 1_000_000, traffic: 'mixed', closers: BOTH, peers: FLOORS },
    { rows: 1_000_000, traffic: 'action', closers: BOTH, peers: FLOORS },
    { rows: 5_000_000, traffic: 'action', closers: BOTH, peers: ALL_PEERS },
    // For memory and growth.
    { rows: 20_000_000, traffic: 'action', closers: ['tidegate'], peers: [], mostRounds: 2 },
  ],
  small: [
    { rows: 50_000, traffic: 'mixed', closers: BOTH, peers: FLOORS },
    { rows: 50_000, traffic: 'action', closers: BOTH, peers: ALL_PEERS },
    { rows: 100_000, traffic: 'action', closers: ['tidegate'], peers: [] },
  ],
  quick: [{ rows: 300_000, traffic: 'action', closers: ['tidegate'], peers: ['igzip -1', 'sort | igzip -1'] }],
};

export async function measureClose(context: PartContext): Promise<void> {
  const { rows, size, stage } = context;
  const cases =
    rows === undefined ? CASES[size] : [{ rows, traffic: 'action', closers: BOTH, peers: ALL_PEERS } as const];
  for (const each of cases.filter(({ traffic }) => traffic === 'mixed')) {
    const own = new Stage();
    const end = stage.add(() => own.close());
    const { projects, requests } = mixedTraffic(each.rows);
    const data = await newHourData(own, projects);
    await fillHour(own, data, { projects, requests });
    await measureCase(context, each, data, projects);
    await end();
  }
  const { projects } = actionTraffic(0);
  const data = await newHourData(stage, projects);
  let filled = 0;
  for (const each of cases.filter(({ traffic }) => traffic === 'action')) {
    console.error(`  filling an hour, up to ${each.rows} rows …`);
    await fillHour(stage, data, actionTraffic(each.rows - filled, each.rows, EVENTS_PER_BODY));
    filled = each.rows;
    await measureCase(context, each, data, projects);
  }
}

async function measureCase(
  { stage, recorder, rounds }: PartContext,
  { rows, traffic, closers, peers: wanted, mostRounds = rounds }: Case,
  data: string,
  projects: readonly Project[],
): Promise<void> {
  const own = new Stage();
  const end = stage.add(() => own.close());
  const folder = await own.folder('tables');
  const finished = join(folder, 'finished.csv');
  let peers: ReadonlyMap<ClosePeer, () => Promise<Figures>> | undefined;
  for (let round = 1; round <= Math.min(rounds, mostRounds); round += 1) {
    const add = (contestant: string, figures: Figures): void =>
      recorder.add({ round, contestant, case: { rows, traffic }, figures });
    for (const contestant of closers) {
      const keepsTableAs = peers === undefined && wanted.length > 0 ? finished : undefined;
      const closed = await closeCopy(own, data, projects, { gzip: CODECS[contestant] }, keepsTableAs);
      if (traffic === 'action' && closed.rows !== rows) throw new Error(`${closed.rows} rows came out of ${rows}.`);
      add(contestant, { ...closed.figures, closeMicrosPerRow: (closed.figures.wallSeconds! * 1e6) / closed.rows });
      peers ??= await openClosePeers(own, { folder, finished }, wanted);
    }
    for (const [peer, run] of peers ?? []) {
      if (round <= SLOW_ROUNDS || !SLOW_PEERS.includes(peer)) add(peer, await run());
    }
  }
  await end();
}

/** Closes a copy of the filled hour, and keeps the table that came out where asked to. Gives the rows that were published. */
async function closeCopy(
  stage: Stage,
  data: string,
  projects: readonly Project[],
  changes: Partial<ServerConfig>,
  keepsTableAs?: string,
): Promise<{ readonly rows: number; readonly figures: Figures }> {
  const own = new Stage();
  const end = stage.add(() => own.close());
  const copy = await copyData(own, data);
  const server = await startBeforeEnd(own, copy, { changes });
  const { links, ...figures } = await closeHour(server, projects);
  if (keepsTableAs !== undefined) await downloadTable(links, keepsTableAs);
  await server.close();
  const rows = publishedRows(copy);
  await end();
  return { rows, figures: { ...figures, packages: links.length } };
}
