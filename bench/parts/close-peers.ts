/**
 * What the close is compared with: programs that compress the finished table, and others that sort the same rows and compress them.
 *
 * Those that compress take the table as it came out of the packages; those that sort take the same rows shuffled, or have loaded
 * them. Loading the databases is not measured, and chdb's table is merged first, both in their favour. None of them checks rows,
 * removes duplicates or syncs what it has written.
 */
import { execFile } from 'node:child_process';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runShell, type ProgramFigures } from '../measure/run-program.ts';
import type { Stage } from '../measure/stage.ts';
import type { TableArgument } from '../peers/table-entry.ts';

export type ClosePeer =
  'igzip -1' | 'zlib' | 'pigz -1 -p2' | 'sort | igzip -1' | 'DuckDB COPY gzip' | 'chdb OUTFILE gzip';
export type Figures = Readonly<Record<string, number>>;
/** The finished table without headers, and where its peers may write. */
export type Table = { readonly folder: string; readonly finished: string };

/** As much memory as the server is to need. */
const SORT = 'LC_ALL=C sort -t, -k1,1 -k2,2 -k7,7n -S 256M --parallel=2';

/** Makes what the peers read, and gives what runs each. */
export async function openClosePeers(
  stage: Stage,
  { folder, finished }: Table,
  wanted: readonly ClosePeer[],
): Promise<ReadonlyMap<ClosePeer, () => Promise<Figures>>> {
  const out = join(folder, 'out.csv.gz');
  const shuffled = join(folder, 'shuffled.csv');
  const measured = (run: () => Promise<ProgramFigures>) => async (): Promise<Figures> => {
    const figures = await run();
    const megabytes = (await stat(out)).size / 1e6;
    await rm(out);
    return { ...figures, megabytes };
  };
  const shell = (line: string) => measured(() => runShell(line, { stage }));
  const step = (argument: TableArgument) => measured(() => runTableStep(stage, argument));
  const database = async (name: 'duckdb' | 'chdb'): Promise<string> => {
    const own = await stage.folder(name);
    const file = name === 'duckdb' ? shuffled : `${shuffled}.parquet`;
    await runTableStep(stage, { engine: name, step: 'load', folder: own, file });
    return own;
  };
  const sorts = wanted.some((peer) => peer.includes('sort') || peer.includes('COPY') || peer.includes('OUTFILE'));
  // A program of its own: --random-source makes the order the same every time.
  if (sorts) await runShell(`shuf --random-source=<(yes) ${finished} > ${shuffled}`, { stage });
  const peers = new Map<ClosePeer, () => Promise<Figures>>();
  // In this order: what DuckDB loads it leaves as Parquet for chdb.
  for (const peer of wanted) {
    switch (peer) {
      case 'igzip -1':
        peers.set(peer, floorOf(shell(`igzip -1 -c ${finished} > ${out}`), shell(`cat ${finished} > ${out}`)));
        break;
      case 'zlib':
        peers.set(peer, step({ engine: 'zlib', step: 'export', folder: finished, file: out }));
        break;
      case 'pigz -1 -p2':
        peers.set(peer, shell(`pigz -1 -p2 -c ${finished} > ${out}`));
        break;
      case 'sort | igzip -1':
        peers.set(peer, shell(`${SORT} -T ${folder} ${shuffled} | igzip -1 -c > ${out}`));
        break;
      case 'DuckDB COPY gzip':
        peers.set(peer, step({ engine: 'duckdb', step: 'export', folder: await database('duckdb'), file: out }));
        break;
      case 'chdb OUTFILE gzip':
        peers.set(peer, step({ engine: 'chdb', step: 'export', folder: await database('chdb'), file: out }));
    }
  }
  return peers;
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
