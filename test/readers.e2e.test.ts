/** Values from hell, sent by HTTP, exported, downloaded, and read back by the tools of data engineers: what went in comes out. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { hourOf } from '../src/events/hour.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { EXPORT_COLUMNS, exportPackages, type DownloadedPackage } from './helpers/export-rows.ts';
import { send } from './helpers/send-events.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { startTestServer, TEST_PROJECT } from './helpers/test-server.ts';
import { missingReaders, readWithCommonsCsv, readWithDuckDb, readWithPython } from './readers/read-package.ts';

const HOUR = hourOf(HOUR_START_MS);
const PATH = `/v3/${TEST_PROJECT.ai}/web/pv`;
const TM = 1_795_472_990_000;

/** What is sent, and what is read where it is not the same. Any of them may stand in any text column. */
const TEXTS: readonly (readonly [sent: string, read?: string])[] = [
  [''],
  [' '],
  ['  leading and trailing  '],
  ['\ttabs\t'],
  ['a,b,,c,'],
  ['"'],
  ['""'],
  ['say "hi", she said'],
  ['\\'],
  ['ends in a backslash\\'],
  ['\\"'],
  ['"\\'],
  ['C:\\new\\table\\"x",\\'],
  ['\\N'],
  ['\\n is no line break'],
  ['null'],
  ['NULL'],
  ['line\nbreak'],
  ['carriage\rreturn'],
  ['both\r\n'],
  ['\r\n\r\n'],
  ['\n'],
  ['\r'],
  ['商品页，「引号」'],
  ['🍎👨‍👩‍👧 𠮷'],
  ['lone \ud83c high', 'lone \ufffd high'],
  ['lone \udf4e low', 'lone \ufffd low'],
  ['\udf4e\ud83c the wrong way round', '\ufffd\ufffd the wrong way round'],
  ['ends in half an emoji\ud83c', 'ends in half an emoji\ufffd'],
  ['NUL \0 inside', 'NUL \ufffd inside'],
  ['\0', '\ufffd'],
  ['\u0001\u0008\u001b\u007f'],
  ['\u2028 \u2029 \u0085 \u00a0'],
  ['1234567890123456789'],
  ['1e21'],
  ['-0.50'],
  ['{"a":"b","c":[1,2]}'],
  ["it's; DROP TABLE -- # %"],
  ['=cmd|calc'],
  ['x'.repeat(1000)],
  ['苹'.repeat(1000)],
  ['🍎'.repeat(1000)],
  ['"'.repeat(1000)],
  ['\\'.repeat(1000)],
  [',\n'.repeat(500)],
];

/** JSON texts of var values as they are sent, and the text that is read. */
const VARIABLES: readonly (readonly [sent: string, read: string])[] = [
  ['14', '14'],
  ['50.0', '50.0'],
  ['-1.5e300', '-1.5e300'],
  ['1e-7', '1e-7'],
  ['1e+21', '1e+21'],
  ['1234567890123456789', '1234567890123456789'],
  ['-9223372036854775808', '-9223372036854775808'],
  ['0.1234567890123456789', '0.1234567890123456789'],
  ['true', 'true'],
  ['{"deep":[1,{"er":"\\"q\\""}]}', '{"deep":[1,{"er":"\\"q\\""}]}'],
  ['[]', '[]'],
];

type Row = readonly (string | null)[];
const column = (row: Row, name: string): string | null => row[EXPORT_COLUMNS.page.indexOf(name)] ?? null;

const READERS = [
  { name: 'Python', read: readWithPython, knowsNull: false },
  { name: 'commons-csv and commons-compress', read: readWithCommonsCsv, knowsNull: false },
  { name: 'DuckDB', read: readWithDuckDb, knowsNull: true },
] as const;

test('values from hell', { skip: missingReaders() ?? false }, async (t) => {
  const server = await startTestServer(t);
  const events = TEXTS.map(([text], place) => ({
    t: 'page',
    u: `u-${String(place).padStart(3, '0')}`,
    s: 's',
    tm: TM,
    p: text,
    q: TEXTS[(place + 1) % TEXTS.length]![0],
    tl: TEXTS[(place + 7) % TEXTS.length]![0],
    var: { value: text, ...(text === '' ? {} : { [text.slice(0, 25)]: 'as key' }) },
    ...(place % 2 === 0 ? {} : { rf: null }),
  }));
  const variables = VARIABLES.map(([, read], place) => ({
    t: 'page',
    u: `v-${String(place).padStart(3, '0')}`,
    s: 's',
    tm: TM,
    p: read,
  }));
  const json = [
    ...events.map((event) => JSON.stringify(event)),
    ...variables.map((event, place) => `${JSON.stringify(event).slice(0, -1)},"var":{"v":${VARIABLES[place]![0]}}}`),
  ];
  const answer = await send(server, { path: PATH, body: `[${json.join(',')}]` });
  assert.equal(answer.text, `{"accepted":${json.length},"rejected":0,"ignored":0}`);
  const packages = await exportPackages(server, HOUR);
  assert.equal(packages.page.length, 1);
  const path = await savePackage(t, packages.page[0]!);

  for (const { name, read, knowsNull } of READERS) {
    await t.test(`are read by ${name} as they went in`, async () => {
      const { header, rows } = await read(path);
      assert.deepEqual(header, EXPORT_COLUMNS.page);
      assert.equal(rows.length, TEXTS.length + VARIABLES.length);
      const readAs = ([sent, instead]: readonly [string, string?]): string => instead ?? sent;
      TEXTS.forEach((text, place) => {
        const row = rows[place]!;
        assert.equal(column(row, 'page'), readAs(text), `page of ${JSON.stringify(text[0])}`);
        assert.equal(column(row, 'queryParameters'), readAs(TEXTS[(place + 1) % TEXTS.length]!));
        assert.equal(column(row, 'title'), readAs(TEXTS[(place + 7) % TEXTS.length]!));
        assert.equal(column(row, 'referrer'), knowsNull ? null : '');
        const map = JSON.parse(column(row, 'appVariable')!) as Record<string, string>;
        assert.equal(map.value, readAs(text));
        if (text[0] !== '') assert.equal(Object.values(map)[1], 'as key');
      });
      VARIABLES.forEach(([, text], place) => {
        assert.deepEqual(JSON.parse(column(rows[TEXTS.length + place]!, 'appVariable')!), { v: text });
      });
    });
  }
});

test('an hour of several packages', { skip: missingReaders() ?? false }, async (t) => {
  const packageBytes = 8 * 1024;
  const server = await startTestServer(t, { packageBytes });
  const names: string[] = [];
  for (let request = 0; request < 20; request += 1) {
    const events = Array.from({ length: 50 }, (_, place) => {
      const number = request * 50 + place;
      const name = String((number * 7919) % 1000).padStart(4, '0');
      names.push(name);
      const noise = Array.from({ length: 12 }, (__, at) => Math.imul(number * 12 + at + 1, 2_654_435_761).toString(36));
      return { t: 'page', u: `u-${name}`, s: 's', tm: TM, p: `line\n${noise.join(',"')}` };
    });
    const answer = await send(server, { path: PATH, body: JSON.stringify(events) });
    assert.equal(answer.status, 200);
  }
  const { page: packages } = await exportPackages(server, HOUR); // checks each package's header

  await t.test('is cut between rows into packages of at most the size that was set', () => {
    assert.ok(packages.length >= 5, `${packages.length} packages`);
    for (const { gzip } of packages) assert.ok(gzip.length <= packageBytes, `${gzip.length} bytes`);
    // A package that could have held another row of this size was not cut early.
    for (const { gzip } of packages.slice(0, -1)) assert.ok(gzip.length > packageBytes / 2, `${gzip.length} bytes`);
  });
  await t.test('has every row once, in order across the packages', () => {
    const visitors = packages.flatMap(({ rows }) => rows.map((row) => row.visitUserId));
    assert.deepEqual(visitors, names.map((name) => `u-${name}`).sort());
  });
  for (const { name, read } of READERS) {
    await t.test(`is read by ${name}, each package alone`, async () => {
      for (const one of [packages[1]!, packages.at(-1)!]) {
        const { header, rows } = await read(await savePackage(t, one));
        assert.deepEqual(header, EXPORT_COLUMNS.page);
        assert.deepEqual(
          rows.map((row) => [column(row, 'visitUserId'), column(row, 'page')]),
          one.rows.map((row) => [row.visitUserId, row.page]),
        );
      }
    });
  }
});

/** Puts a package where a reader finds it, under the name it would have. */
async function savePackage(context: TestContext, { gzip }: DownloadedPackage): Promise<string> {
  const path = join(await temporaryFolder(context), 'part-00000.csv.gz');
  await writeFile(path, gzip);
  return path;
}
