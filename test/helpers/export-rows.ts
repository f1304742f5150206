/**
 * What a data engineer gets of an hour: ends the hour by the clock, polls the API, downloads every package and reads it.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { downloadPackage, ExportClient, getToken } from '../../src/client/export-client.ts';
import { DATA_TYPES, type DataType } from '../../src/events/data-types.ts';
import { formatBeijingHour, hourEndMs, type Hour } from '../../src/events/hour.ts';
import { HourLogReader } from '../../src/store/hour-log/hour-log-reader.ts';
import { parseCsv } from './parse-csv.ts';
import type { TestServer } from './test-server.ts';
import { waitUntil } from './wait-until.ts';

/** The columns of every data type in export order, from the documents and not from src/. */
export const EXPORT_COLUMNS = JSON.parse(
  readFileSync(new URL('../data/export-columns.json', import.meta.url), 'utf8'),
) as Readonly<Record<DataType, readonly string[]>>;

/** One row, by column name. */
export type TableRow = Readonly<Record<string, string | null>>;

/** The rows of all ten data types, in the order of the packages. */
export type Tables = Readonly<Record<DataType, readonly TableRow[]>>;

/** A package as it was downloaded. */
export type DownloadedPackage = { readonly gzip: Buffer; readonly csv: string; readonly rows: readonly TableRow[] };

/** Ends the hour and gives its rows by data type. Fails when a header is not as documented. */
export async function exportRows(server: TestServer, hour: Hour): Promise<Tables> {
  const packages = await exportPackages(server, hour);
  const tables: Partial<Record<DataType, readonly TableRow[]>> = {};
  for (const dataType of DATA_TYPES) tables[dataType] = packages[dataType].flatMap(({ rows }) => rows);
  return tables as Tables;
}

/** Ends the hour and gives its packages by data type. */
export async function exportPackages(
  server: TestServer,
  hour: Hour,
): Promise<Readonly<Record<DataType, readonly DownloadedPackage[]>>> {
  if (server.clock.nowMs() < hourEndMs(hour)) server.clock.set(hourEndMs(hour));
  const { baseUrl, clock, project } = server;
  const { ai, uid, clientId, secret } = project;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  const client = new ExportClient({ baseUrl, clientId, token, ai });
  const answer = await waitUntil(`the hour ${formatBeijingHour(hour)} is FINISHED`, async () => {
    const asked = await client.exportWholeHour({ date: formatBeijingHour(hour) });
    assert.notEqual(asked.status, 'ERROR', asked.errorMsg);
    return asked.status === 'FINISHED' && asked;
  });
  assert.deepEqual(Object.keys(answer.downloadLinks).sort(), Object.keys(EXPORT_COLUMNS).sort());
  const packages: Partial<Record<DataType, DownloadedPackage[]>> = {};
  for (const dataType of DATA_TYPES) {
    packages[dataType] = [];
    for (const link of answer.downloadLinks[dataType]) {
      packages[dataType].push(readPackage(dataType, await downloadPackage(link)));
    }
  }
  return packages as Record<DataType, DownloadedPackage[]>;
}

/** Reads a package. Fails when its header is not as documented. */
export function readPackage(dataType: DataType, gzip: Buffer): DownloadedPackage {
  const csv = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(gunzipSync(gzip));
  const [header, ...records] = parseCsv(csv);
  assert.deepEqual(header, EXPORT_COLUMNS[dataType], `the header of ${dataType}`);
  const rows = records.map((record) => {
    assert.equal(record.length, header.length, `fields of ${record.join()}`);
    return Object.fromEntries(header.map((name, place) => [name ?? '', record[place] ?? null]));
  });
  return { gzip, csv, rows };
}

/** A rejected event as the store keeps it. */
export type RejectedEvent = {
  readonly sendTime: number;
  readonly reason: string;
  readonly line: string;
  readonly platform: string;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly event?: unknown;
  readonly eventHead?: string;
};

/** Reads the rejected events of an hour that was exported, in order of arrival. */
export function readRejected({ data, project }: TestServer, hour: Hour): readonly RejectedEvent[] {
  const reader = new HourLogReader(join(data, 'hour-log'));
  const rejected: RejectedEvent[] = [];
  for (const { lines } of reader.readSorted(hour, project.ai, 'rejected')) {
    for (const line of lines.toString().trimEnd().split('\n')) rejected.push(JSON.parse(line) as RejectedEvent);
  }
  return rejected;
}

/** What a column should hold: a text, null, or a shape. */
export type ExpectedValue = string | null | RegExp;

/** Compares a row column by column. Columns that are not named must be null. */
export function assertRow(
  row: TableRow | undefined,
  dataType: DataType,
  expected: Readonly<Record<string, ExpectedValue>>,
): void {
  assert.ok(row, `there is a row of ${dataType}`);
  const unknown = Object.keys(expected).filter((name) => !EXPORT_COLUMNS[dataType].includes(name));
  assert.deepEqual(unknown, [], `columns that ${dataType} does not have`);
  for (const name of EXPORT_COLUMNS[dataType]) {
    const value = expected[name] ?? null;
    if (value instanceof RegExp) assert.match(row[name] ?? '', value, `${dataType}.${name}`);
    else assert.equal(row[name], value, `${dataType}.${name}`);
  }
}

/** Finds the one row with these values; fails when there is none or more than one. */
export function onlyRow(rows: readonly TableRow[], values: TableRow): TableRow {
  const found = rows.filter((row) => Object.entries(values).every(([name, value]) => row[name] === value));
  assert.equal(found.length, 1, `one row with ${JSON.stringify(values)}`);
  return found[0]!;
}
