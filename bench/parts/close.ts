/**
 * Close: from the hour's end until its packages can be downloaded, against what compressing and sorting the same rows takes.
 *
 * The hour is filled once; each round closes a copy of it, with a server that has closed a small hour before. Sorting before the
 * hour's end is done by then, as it is in a running server. The floors take the finished table as it came out of the packages;
 * those that sort take the same rows shuffled. Loading the databases is not measured, and chdb's table is merged first, both in
 * their favour.
 */
import { execFile } from 'node:child_process';
import { rm, stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ServerConfig } from '../../src/system.ts';
import { downloadTable } from '../load/download-table.ts';
import { closeHour, fillHour, startBeforeEnd } from '../load/hour-run.ts';
import { actionTraffic, mixedTraffic, type HourTraffic } from '../load/hour-traffic.ts';
import { runShell, type ProgramFigures } from '../measure/run-program.ts';
import { Stage } from '../measure/stage.ts';
import { copyData } from '../peers/tidegate.ts';
import type { TableArgument } from '../peers/table-entry.ts';
import type { PartContext, Size } from './part.ts';

type Case = { readonly rows: number; readonly traffic: 'action' | 'mixed' };
type Figures = Readonly<Record<string, number>>;
/** Where the finished and the shuffled table lie, and what the databases have loaded. */
type Tables = { readonly folder: string; readonly finished: string; readonly shuffled: string };

const CASES: Readonly<Record<Size, readonly Case[]>> = {
  full: [
    { rows: 1_000_000, traffic: 'action' },
    { rows: 5_000_000, traffic: 'action' },
    { rows: 1_000_000, traffic: 'mixed' },
  ],
  small: [
    { rows: 50_000, traffic: 'action' },
    { rows: 50_000, traffic: 'mixed' },
  ],
  quick: [{ rows: 100_000, traffic: 'action' }],
};

/** The gzip that each of ours has. */
const CODECS = { tidegate: 'isa-l', 'tidegate, zlib': 'zlib' } as const;

/** As much memory as the server is to need. */
const SORT = 'LC_ALL=C sort -t, -k1,1 -k2,2 -k7,7n -S 256M --parallel=2';

export async function measureClose(context: PartContext): Promise<void> {
  const { rows } = context;
  const cases = rows === undefined ? CASES[context.size] : [{ rows, traffic: 'action' } as const];
  for (const each of cases) await measureCase(context, each);
}

async function measureCase({ stage, recorder, size, rounds }: PartContext, asked: Case): Promise<void> {
  const own = new Stage();
  const end = stage.add(() => own.close());
  const traffic = trafficOf(asked);
  console.error(`  filling an hour with ${asked.rows} ${asked.traffic} rows …`);
  const data = await fillHour(own, traffic);
  const folder = await own.folder('tables');
  const tables = { folder, finished: join(folder, 'finished.csv'), shuffled: join(folder, 'shuffled.csv') };
  const known = { caseOf: asked, traffic, data, tables };
  let peers: Readonly<Record<string, () => Promise<Figures>>> | undefined;
  for (let round = 1; round <= rounds; round += 1) {
    for (const [contestant, gzip] of Object.entries(CODECS)) {
      if (size === 'quick' && gzip === 'zlib') continue;
      const isFirst = peers === undefined;
      const figures = await closeCopy(own, known, { gzip }, isFirst);
      recorder.add({ round, contestant, case: asked, figures });
      peers ??= await preparePeers(own, asked, tables, size);
    }
    for (const [contestant, run] of Object.entries(peers!)) {
      recorder.add({ round, contestant, case: asked, figures: await run() });
    }
  }
  await end();
}

function trafficOf({ rows, traffic }: Case): HourTraffic {
  return traffic === 'action' ? actionTraffic(rows) : mixedTraffic(rows);
}

/** Closes a copy of the filled hour; the first time it keeps the table that came out, and checks its rows. */
async function closeCopy(
  stage: Stage,
  known: { readonly caseOf: Case; readonly traffic: HourTraffic; readonly data: string; readonly tables: Tables },
  changes: Partial<ServerConfig>,
  keepsTable: boolean,
): Promise<Figures> {
  const own = new Stage();
  const end = stage.add(() => own.close());
  const copy = await copyData(own, known.data);
  const server = await startBeforeEnd(own, copy, { changes });
  const { links, ...figures } = await closeHour(server, known.traffic.projects);
  if (keepsTable) {
    const rows = await downloadTable(links, known.tables.finished);
    const { caseOf } = known;
    if (caseOf.traffic === 'action' && rows !== caseOf.rows)
      throw new Error(`${rows} rows came out of ${caseOf.rows}.`);
  }
  await end();
  return { ...figures, packages: links.length };
}

/** Makes the peers' inputs, and gives what to run for each. */
async function preparePeers(
  stage: Stage,
  { traffic }: Case,
  { folder, finished, shuffled }: Tables,
  size: Size,
): Promise<Readonly<Record<string, () => Promise<Figures>>>> {
  const out = join(folder, 'out.csv.gz');
  const shell = (line: string) => async (): Promise<Figures> => {
    const figures = await runShell(line, { stage });
    await rm(out, { force: true });
    return { ...figures };
  };
  const floors = {
    'igzip -1': floorOf(shell(`igzip -1 -c ${finished} > ${out}`), shell(`cat ${finished} > ${out}`)),
    ...(size !== 'quick' && {
      'zlib (pigz -1 -p1)': shell(`pigz -1 -p1 -c ${finished} > ${out}`),
      'gzip -1': shell(`gzip -1 -c ${finished} > ${out}`),
      [`pigz -1 -p${cpus().length}`]: shell(`pigz -1 -p${cpus().length} -c ${finished} > ${out}`),
    }),
  };
  // The mix is many tables in one, which the others would have to tell apart first.
  if (traffic === 'mixed') return floors;
  // A program of its own: --random-source makes the order the same every time.
  await runShell(`shuf --random-source=<(yes) ${finished} > ${shuffled}`, { stage });
  const sorted = { ...floors, 'sort | igzip -1': shell(`${SORT} -T ${folder} ${shuffled} | igzip -1 -c > ${out}`) };
  if (size === 'quick') return sorted;
  const databases = { duckdb: await stage.folder('duckdb'), chdb: await stage.folder('chdb') };
  await runTableStep(stage, { database: 'duckdb', step: 'load', folder: databases.duckdb, file: shuffled });
  await runTableStep(stage, { database: 'chdb', step: 'load', folder: databases.chdb, file: `${shuffled}.parquet` });
  const exporting = (database: 'duckdb' | 'chdb') => async (): Promise<Figures> => {
    const step = { database, step: 'export', folder: databases[database], file: out } as const;
    const figures = await runTableStep(stage, step);
    const megabytes = (await stat(out)).size / 1e6;
    await rm(out);
    return { ...figures, megabytes };
  };
  return { ...sorted, 'DuckDB COPY gzip': exporting('duckdb'), 'chdb OUTFILE gzip': exporting('chdb') };
}

/** The least that a close could take: compressing, and reading and writing the same bytes once. */
function floorOf(compress: () => Promise<Figures>, copy: () => Promise<Figures>): () => Promise<Figures> {
  return async () => {
    const compressed = await compress();
    const copied = await copy();
    return { ...compressed, floorSeconds: compressed.wallSeconds! + copied.wallSeconds! };
  };
}

async function runTableStep(stage: Stage, argument: TableArgument): Promise<ProgramFigures> {
  const entry = join(import.meta.dirname, '..', 'peers', 'table-entry.ts');
  const running = promisify(execFile)(process.execPath, [entry, JSON.stringify(argument)]);
  const end = stage.add(() => running.child.kill('SIGKILL'));
  const { stdout } = await running;
  await end();
  return JSON.parse(stdout) as ProgramFigures;
}
