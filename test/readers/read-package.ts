/**
 * Reads packages with the tools that data engineers use: Python's csv, Java's commons-csv over commons-compress, and DuckDB.
 *
 * The real tools, because a decoder of our own would share our misunderstandings. Python and Java are the machine's;
 * `missingReaders` says what is not there.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { PATIENCE_MS } from '../helpers/wait-until.ts';

/** What a reader made of a package. Only DuckDB tells null from the empty string. */
export type PackageContent = {
  readonly header: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
};

const JARS = ['/usr/share/java/commons-csv.jar', '/usr/share/java/commons-compress.jar'];
const PACKAGES = {
  python3: 'python3',
  java: 'openjdk-17-jdk-headless',
  jars: 'libcommons-csv-java libcommons-compress-java',
};
const OUTPUT_BYTES = 256 * 1024 * 1024;
const run = promisify(execFile);

/** Says which tools are absent and how to get them; undefined when all are there. */
export function missingReaders(): string | undefined {
  const absent = [
    ...(canRun('python3') ? [] : [PACKAGES.python3]),
    ...(canRun('java') ? [] : [PACKAGES.java]),
    ...(JARS.every((jar) => existsSync(jar)) ? [] : [PACKAGES.jars]),
  ];
  return absent.length === 0 ? undefined : `needs: apt-get install -y --no-install-recommends ${absent.join(' ')}`;
}

/** Reads a package with Python's gzip and csv, quote `"` and escape `\`. */
export async function readWithPython(path: string): Promise<PackageContent> {
  const script = join(import.meta.dirname, 'read_csv.py');
  const { stdout } = await run('python3', [script, path], { maxBuffer: OUTPUT_BYTES, timeout: PATIENCE_MS });
  return JSON.parse(stdout) as PackageContent;
}

/** Reads a package with commons-csv and commons-compress, which stops after the first gzip member. Takes about a second. */
export async function readWithCommonsCsv(path: string): Promise<PackageContent> {
  const source = join(import.meta.dirname, 'ReadCsv.java');
  const { stdout } = await run('java', ['-cp', JARS.join(':'), source, path], {
    maxBuffer: OUTPUT_BYTES,
    timeout: PATIENCE_MS,
  });
  return JSON.parse(stdout) as PackageContent;
}

/** Reads a package with DuckDB, as text. `allow_quoted_nulls=false` is what makes `""` an empty string and not null. */
export async function readWithDuckDb(path: string): Promise<PackageContent> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(
      `SELECT * FROM read_csv($path, delim = ',', quote = '"', escape = '\\', header = true, all_varchar = true,
         allow_quoted_nulls = false, parallel = false)`,
      { path },
    );
    return { header: reader.columnNames(), rows: reader.getRowsJS() as (string | null)[][] };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function canRun(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}
