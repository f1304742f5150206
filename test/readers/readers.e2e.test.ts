// Packages as the export writes them, read by the tools that data engineers use: no value is lost, changed or cut short.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { csvField } from '../../src/events/csv.ts';
import { columnsOf } from '../../src/events/data-types.ts';
import { hourFromInteger } from '../../src/events/hour.ts';
import type { GzipCodec } from '../../src/exports/gzip/gzip-codec.ts';
import { openGzipCodec } from '../../src/exports/gzip/open-gzip-codec.ts';
import { PackageWriter } from '../../src/exports/package-writer.ts';
import { LocalPackageStore } from '../../src/packages/local-package-store.ts';
import { missingReaders, readWithCommonsCsv, readWithDuckDb, readWithPython } from './read-package.ts';

type Row = readonly (string | null)[];

const READERS = [
  { name: 'Python', read: readWithPython, knowsNull: false },
  { name: 'commons-csv and commons-compress', read: readWithCommonsCsv, knowsNull: false },
  { name: 'DuckDB', read: readWithDuckDb, knowsNull: true },
];

// U+FEFF is not at the start of any: @duckdb/node-api takes it off there, whatever DuckDB read.
const VALUES: Row = [
  null,
  '',
  'plain',
  ...['a,b', ',', ',,', ';', '#', "it's", 'null', 'NULL', '0', '007', '-1.50', '1e5'],
  ...[
    '"',
    '""',
    'say "now"',
    '"quoted"',
    '\\',
    '\\\\',
    'ends in \\',
    '\\"',
    '"\\',
    '\\,',
    'C:\\new\\table',
    'a\\nb',
    '\\n',
  ],
  ...['\\r\\t', '\\N', '\\0', 'a"b,c\\d\ne'],
  ...['\n', '\r', '\r\n', 'line\nline', 'line\rline', 'line\r\nline', 'ends\n', 'ends\r', '\nbegins', '\n\n'],
  ...[' ', '  lead', 'trail  ', '\t', '\ttab\t', 'in\tside', '\u00a0no-break\u00a0', '\u3000wide\u3000'],
  ...[
    '点击购买',
    '😀',
    'family 👨‍👩‍👧',
    'line\u2028para\u2029',
    'next\u0085line',
    '\u0001\u000b\u000c\u001f\u007f',
    'a\ufeffb',
  ],
  ...['{"item":"苹果","price":"50.0"}', '{"path":"C:\\\\x","say":"\\"hi\\"","text":"a\\nb"}', '{"":""}', '[]'],
  'x'.repeat(1000),
  '中'.repeat(1000),
  '"'.repeat(1000),
  '\\'.repeat(1000),
  '\n'.repeat(1000),
];

describe('packages', { skip: missingReaders() ?? false }, () => {
  const columns = columnsOf('page').map((column) => column.name);
  const rows = [...everyValueInEveryPlace(columns.length), ...randomRows(3000, columns.length)];
  const paths = new Map<string, string>();
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidegate-readers-'));
    for (const choice of ['auto', 'zlib'] as const) {
      const { codec } = await openGzipCodec({ choice });
      paths.set(codec.name, await writePackage(join(folder, choice), codec, rows));
    }
  });
  after(() => rm(folder, { recursive: true }));

  for (const { name, read, knowsNull } of READERS) {
    test(`are read by ${name}${knowsNull ? ', which tells null from the empty string' : ', null and empty alike'}`, async () => {
      for (const [codecName, path] of paths) {
        const content = await read(path);
        assert.deepEqual(content.header, columns);
        assert.equal(content.rows.length, rows.length, codecName);
        rows.forEach((row, index) => {
          assert.deepEqual(
            content.rows[index],
            knowsNull ? row : row.map((cell) => cell ?? ''),
            `row ${index}, ${codecName}`,
          );
        });
      }
    });
  }
});

async function writePackage(root: string, codec: GzipCodec, rows: readonly Row[]): Promise<string> {
  const store = await LocalPackageStore.open(root);
  const hour = hourFromInteger(498_797);
  const writer = new PackageWriter({ codec, store, ai: '0a1b2c3d4e5f6071', dataType: 'page', hour, revision: 1 });
  const lines = rows.map((row) =>
    Buffer.from(`${row.map((cell) => (cell === null ? '' : csvField(cell))).join(',')}\n`),
  );
  let end = 0;
  const lineEnds = lines.map((line) => (end += line.length));
  assert.ok(end > 1_500_000, 'several blocks, so that a reader which stops early is noticed');
  await writer.write(Buffer.concat(lines), lineEnds, 0, lines.length);
  const packages = await writer.finish();
  assert.equal(packages.length, 1);
  return join(root, packages[0]!.key);
}

/** Rows in which each value stands in the first and the last column and beside others. */
function everyValueInEveryPlace(columns: number): Row[] {
  return VALUES.map((_, row) =>
    Array.from({ length: columns }, (_, column) => VALUES[(row + column * 5) % VALUES.length]!),
  );
}

/** Short values of the characters that a CSV reader can stumble over, from a fixed seed. */
function randomRows(count: number, columns: number): Row[] {
  const alphabet = [
    ',',
    '"',
    '\\',
    '\r',
    '\n',
    ' ',
    '\t',
    'n',
    'N',
    'r',
    'a',
    '\u2028',
    '中',
    '😀',
    '{',
    '}',
    ':',
    "'",
  ];
  let state = 2463534242;
  const next = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const value = (): string | null =>
    next(12) === 0 ? null : Array.from({ length: next(24) }, () => alphabet[next(alphabet.length)]!).join('');
  return Array.from({ length: count }, () => Array.from({ length: columns }, value));
}
