/**
 * Loads the rows of an hour into DuckDB or chdb, or exports them sorted as gzip CSV, as a process of its own; or compresses a file
 * with the zlib of Node, as a program would that has nothing else to do.
 *
 * Prints one line of JSON: what the step alone took, without the start of the process or of the database.
 */
import { createReadStream, createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { ACTION_COLUMNS } from './action-rows.ts';
import { createActionTable, openChdb } from './chdb-store.ts';

export type TableArgument = {
  readonly engine: 'duckdb' | 'chdb' | 'zlib';
  readonly step: 'load' | 'export';
  /** The database's own folder, which is kept between the steps; for zlib the file that it compresses. */
  readonly folder: string;
  /** What is loaded (DuckDB: CSV, which makes a Parquet file beside it; chdb: that Parquet), or where the export is written. */
  readonly file: string;
};

const ZLIB_BLOCK_BYTES = 256 * 1024;
const ORDER = 'ORDER BY visitUserId, sessionId, "time"';
const { engine, step, folder, file } = JSON.parse(process.argv[2] ?? '') as TableArgument;

async function openStep(): Promise<() => Promise<unknown>> {
  if (engine === 'zlib') {
    const options = { highWaterMark: ZLIB_BLOCK_BYTES };
    const gzip = createGzip({ level: 1, chunkSize: ZLIB_BLOCK_BYTES });
    return () => pipeline(createReadStream(folder, options), gzip, createWriteStream(file, options));
  }
  if (engine === 'duckdb') {
    const instance = await DuckDBInstance.create(join(folder, 'action.duckdb'));
    const connection = await instance.connect();
    const statements = step === 'load' ? duckDbLoad() : [duckDbExport()];
    return async () => {
      for (const statement of statements) await connection.run(statement);
    };
  }
  const session = await openChdb(folder);
  if (step === 'export') return () => session.queryAsync(chdbExport());
  createActionTable(session);
  return async () => {
    await session.queryAsync(`INSERT INTO action SELECT * FROM file('${file}', 'Parquet')`);
    await session.queryAsync('OPTIMIZE TABLE action FINAL');
  };
}

function duckDbLoad(): string[] {
  const columns = ACTION_COLUMNS.map(({ name, isNumber }) => `'${name}': '${isNumber ? 'BIGINT' : 'VARCHAR'}'`);
  const dialect = `delim = ',', quote = '"', escape = '\\', header = false, columns = {${columns.join(', ')}}`;
  return [
    `CREATE TABLE action AS SELECT * FROM read_csv('${file}', ${dialect}, auto_detect = false)`,
    'CHECKPOINT',
    `COPY action TO '${file}.parquet' (FORMAT parquet)`,
  ];
}

function duckDbExport(): string {
  return `COPY (SELECT * FROM action ${ORDER}) TO '${file}' (FORMAT csv, COMPRESSION gzip)`;
}

function chdbExport(): string {
  return `SELECT * FROM action ${ORDER} INTO OUTFILE '${file}' TRUNCATE COMPRESSION 'gzip' LEVEL 1 FORMAT CSV`;
}

const run = await openStep();
writeFileSync('/proc/self/clear_refs', '5');
const startMs = performance.now();
const cpuBefore = process.cpuUsage();
await run();
const wallSeconds = (performance.now() - startMs) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const kilobytes = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
console.log(
  JSON.stringify({ wallSeconds, cpuSeconds: (user + system) / 1e6, peakMegabytes: Math.round(kilobytes / 1024) }),
);
process.exit(); // without the time that closing a database may take
