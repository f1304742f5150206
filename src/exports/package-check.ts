/**
 * Checks a package file against what a manifest says of it: first the file as it lies there, then, when that is right, the CSV in
 * it.
 *
 * Reads the file twice, because a damaged file should be told by its checksums and not by what gunzip makes of it. Memory: the
 * streams' own buffers.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { PublicPackage } from '../catalog/manifest-schema.ts';
import type { PackageSettings } from '../catalog/project-settings.ts';
import { CsvRowCounter } from '../events/csv-row-counter.ts';
import { headerLine, isDataType } from '../events/data-types.ts';
import { exportedColumnsOf } from '../events/extended-columns.ts';

/** What a package's manifest says of how it was made; without it the form of its CSV is not checked. */
export type CheckedSettings = Pick<PackageSettings, 'extendedColumns' | 'lineBreaks'>;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Opens the file from its beginning; called once for each reading. */
export type OpenFile = () => Promise<Readable>;

/** What is said of a package that its file can be checked against. */
export type PackageFacts = Pick<PublicPackage, 'rows' | 'bytes' | 'md5' | 'sha256' | 'csvSha256'> & {
  /** A data type, or a table of the 1.0 API. */
  readonly dataType: string;
};

/** Finds what is wrong with a package; each entry is a part of a sentence. None when it is whole. @throws what reading throws */
export async function findPackageFaults(
  openFile: OpenFile,
  expected: PackageFacts,
  settings?: CheckedSettings,
): Promise<readonly string[]> {
  const faults = await findFileFaults(openFile, expected);
  return faults.length > 0 ? faults : findCsvFaults(openFile, expected, settings);
}

async function findFileFaults(openFile: OpenFile, expected: PackageFacts): Promise<readonly string[]> {
  const md5 = createHash('md5');
  const sha256 = createHash('sha256');
  let bytes = 0;
  for await (const chunk of (await openFile()) as AsyncIterable<Buffer>) {
    md5.update(chunk);
    sha256.update(chunk);
    bytes += chunk.length;
  }
  return differences([
    ['it has', bytes, expected.bytes, 'bytes'],
    ['its MD5 is', md5.digest('hex'), expected.md5],
    ['its SHA-256 is', sha256.digest('hex'), expected.sha256],
  ]);
}

async function findCsvFaults(
  openFile: OpenFile,
  expected: PackageFacts,
  settings: CheckedSettings | undefined,
): Promise<readonly string[]> {
  const csvSha256 = createHash('sha256');
  const counter = new CsvRowCounter();
  const { dataType } = expected;
  const header =
    settings && isDataType(dataType)
      ? Buffer.from(headerLine(dataType, exportedColumnsOf(dataType, settings.extendedColumns)))
      : undefined;
  const isBlanked = settings?.lineBreaks === 'blank';
  let head = Buffer.alloc(0);
  let breaks = 0;
  try {
    await pipeline(await openFile(), createGunzip(), async (csv: AsyncIterable<Buffer>) => {
      for await (const chunk of csv) {
        csvSha256.update(chunk);
        counter.add(chunk);
        if (header && head.length < header.length)
          head = Buffer.concat([head, chunk.subarray(0, header.length - head.length)]);
        if (isBlanked) breaks += countOf(chunk, LINE_FEED) + countOf(chunk, CARRIAGE_RETURN);
      }
    });
  } catch (error) {
    if (!isGzipError(error)) throw error;
    return [`it cannot be unpacked (${error.message})`];
  }
  return [
    ...differences([
      ['the SHA-256 of its CSV is', csvSha256.digest('hex'), expected.csvSha256],
      ['it has', counter.rows - 1, expected.rows, 'rows'],
    ]),
    ...(counter.isWhole ? [] : ['its last row is not whole']),
    ...(!header || head.equals(header) ? [] : ['its header line is another']),
    ...(isBlanked && breaks !== counter.rows ? ['it has line breaks inside values'] : []),
  ];
}

function countOf(bytes: Buffer, byte: number): number {
  let count = 0;
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) count += 1;
  return count;
}

type Comparison = readonly [what: string, found: string | number, expected: string | number, unit?: string];

function differences(comparisons: readonly Comparison[]): readonly string[] {
  return comparisons
    .filter(([, found, expected]) => found !== expected)
    .map(([what, found, expected, unit]) => `${what} ${found}${unit ? ` ${unit}` : ''} instead of ${expected}`);
}

/** Says whether data could not be unpacked: zlib's own errors have codes of their own: Z_DATA_ERROR, Z_BUF_ERROR, … */
export function isGzipError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}
