import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { parseCsv } from '../../../test/helpers/parse-csv.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import type { PackageEntry } from '../../catalog/catalog.ts';
import { csvField } from '../../events/csv.ts';
import type { DataType } from '../../events/data-types.ts';
import { hourFromInteger } from '../../events/hour.ts';
import type { LegacyTable } from '../../events/legacy-tables.ts';
import { LocalPackageStore } from '../../packages/local-package-store.ts';
import { openGzipCodec } from '../gzip/open-gzip-codec.ts';
import { makeLegacyHour, type MakeLegacyHourOptions } from './make-legacy-hour.ts';

type Row = Readonly<Record<string, string | null>>;

function readColumns(name: string): Readonly<Record<string, readonly string[]>> {
  const path = new URL(`../../../test/data/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, readonly string[]>>;
}

/** The columns of both versions as their documents have them. */
const COLUMNS = readColumns('export-columns');
const LEGACY_COLUMNS = readColumns('legacy-columns');
const HOUR = hourFromInteger(500_000);
const START_MS = 500_000 * 3_600_000;

const NASTY = [
  null,
  '',
  'plain',
  'a,b',
  '"',
  '""',
  '\\',
  '\\"',
  '"\\',
  '\\n',
  'ends in \\',
  'line\nline',
  'line\r\nline',
  '\n',
  ' blank ',
  '\ttab',
  '苹果, 红 😀',
  'null',
  "it's",
  '\u2028',
];

/** What `var` may hold, as 2.0 writes it. `attribute` of these is told in `attributeOf`. */
const MAPS: readonly (Readonly<Record<string, string>> | null)[] = [
  null,
  { price: '50.0' },
  { 'a"b': 'say "hi"', 'c\\d': 'x\\y', e: 'line\nline', 'k,1': ',' },
  { '': '', 苹果: '😀', ' b ': ' ' },
  { _userId: 'not the visitor', _userid: 'another name', a: '1', _cs1: '2', __proto: '3' },
  { _eventTime: '5' },
  Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`name ${index}`, `value "${index}" \\`])),
  { _note: '_userId', note: '"_userId":"x"', b: '{"_cs1":"y"}' },
];
const NUMBERS = new Set(['time', 'pageTime', 'index']);
const DOUBLES = new Set(['latitude', 'longitude', 'eventNumber']);
/** In the order of the store; those with a session are one visitor's. */
const VISITORS = [null, '', 'u,3', 'u-1', 'u-1', 'u-1', 'u-2', '苹'];
const SESSIONS: Readonly<Record<number, string>> = { 4: 's-1', 5: 's-2' };

/** Rows of a data type in the order of the 2.0 export, with send times that are in another. */
function rowsOf(dataType: DataType, count: number): readonly Row[] {
  return Array.from({ length: count }, (_, place) => {
    const row: Record<string, string | null> = {};
    for (const [column, name] of COLUMNS[dataType]!.entries()) {
      const number = (place * 7 + column * 3) % NASTY.length;
      row[name] = NASTY[number]!;
      if (NUMBERS.has(name)) row[name] = number === 0 ? null : String(1_000 * place - number);
      if (DOUBLES.has(name)) row[name] = number === 0 ? null : `${number}.5`;
      if (name === 'sendTime' || name === 'eventTime') row[name] = String(START_MS + ((place * 37) % 50));
      if (name.endsWith('Variable')) {
        const map = MAPS[place % MAPS.length] ?? null;
        row[name] = map && JSON.stringify(map);
      }
    }
    const visitor = Math.floor((place * VISITORS.length) / count);
    if ('visitUserId' in row) row.visitUserId = VISITORS[visitor]!;
    // Null and the empty string are one session to the store, so that they may come mixed.
    if ('sessionId' in row) row.sessionId = SESSIONS[visitor] ?? [null, ''][place % 2]!;
    return row;
  });
}

/** The rows of the 1.0 tables, told once more by hand. */
const LEGACY_ROW: Readonly<Record<LegacyTable, { readonly dataType: DataType; readonly of: (row: Row) => Row }>> = {
  visit: {
    dataType: 'visit',
    of: (r) => ({
      ...{
        userId: r.visitUserId!,
        sessionId: r.sessionId!,
        sendTime: r.sendTime!,
        eventTime: r.time!,
        eventType: 'vst',
      },
      ...{
        ip: r.ip!,
        countryName: null,
        region: null,
        city: null,
        domain: r.domain!,
        path: r.page!,
        refer: r.referrer!,
      },
      ...{ userAgent: r.userAgent!, appVersion: r.clientVersion!, model: r.deviceModel!, manufacturer: r.deviceBrand! },
      ...{ channel: r.channel!, language: r.language!, osVersion: r.operatingSystemVersion! },
      resolution: r.screenWidth && r.screenHeight ? `${r.screenWidth} * ${r.screenHeight}` : null,
      ...{ platform: r.platform!, id: r.vstRequestId!, query: r.queryParameters!, lat: r.latitude!, lng: r.longitude! },
    }),
  },
  page: {
    dataType: 'page',
    of: (r) => ({
      ...{ userId: r.visitUserId!, sessionId: r.sessionId!, sendTime: r.sendTime!, eventTime: r.time! },
      ...{ eventType: 'page', domain: r.domain!, path: r.page!, query: r.queryParameters!, refer: r.referrer! },
      ...{ title: r.title!, platform: r.platform!, cs1: r.loginUserId!, cs2: r.customerAttributes2! },
      ...{ cs3: r.customerAttributes3!, cs4: r.customerAttributes4!, cs5: r.customerAttributes5! },
      ...{ cs6: r.customerAttributes6!, cs7: r.customerAttributes7!, cs8: r.customerAttributes8! },
      ...{
        cs9: r.customerAttributes9!,
        cs10: r.customerAttributes10!,
        id: r.pageRequestId!,
        visit_id: r.vstRequestId!,
      },
      ...{ pagegroup: r.pageGroup!, ps1: r.pageAttributes1!, ps2: r.pageAttributes2!, ps3: r.pageAttributes3! },
      ...{ ps4: r.pageAttributes4!, ps5: r.pageAttributes5!, ps6: r.pageAttributes6!, ps7: r.pageAttributes7! },
      ...{ ps8: r.pageAttributes8!, ps9: r.pageAttributes9!, ps10: r.pageAttributes10! },
    }),
  },
  action: {
    dataType: 'action',
    of: (r) => ({
      ...{ userId: r.visitUserId!, sessionId: r.sessionId!, sendTime: r.sendTime!, eventTime: r.time! },
      ...{ eventType: r.requestType!, eventValue: r.requestValue!, domain: r.domain!, path: r.page!, href: r.href! },
      ...{ page_id: r.pageRequestId!, action_id: r.actionRequestId!, index: r.index!, info: r.info! },
    }),
  },
  action_tag: {
    dataType: 'action_tag',
    of: (r) => ({ sendTime: r.sendTime!, action_id: r.actionRequestId!, rule_id: r.ruleId! }),
  },
  custom_attr: {
    dataType: 'custom_event',
    of: (r) => ({ sendTime: r.sendTime!, eventname: r.eventName!, attribute: attributeOf(r) }),
  },
  ads_track_activation: {
    dataType: 'ads_track_activation',
    of: (r) => ({
      ...{ userId: r.visitUserId!, idfa: r.idfa!, imei: r.imei!, uuid: r.uuid!, androidid: r.androidId!, ip: r.ip! },
      ...{
        useragent: r.userAgent!,
        platform: r.platform!,
        osversion: r.operatingSystemVersion!,
        sendTime: r.sendTime!,
      },
      ...{ link_id: r.linkId!, campaign_id: r.campaignId!, channel_id: r.channelId!, link_name: r.linkName! },
      ...{ campaign_name: r.campaignName!, channel_name: r.channelName! },
    }),
  },
  ads_track_click: {
    dataType: 'ads_track_click',
    of: (r) => ({
      ...{ idfa: r.idfa!, imei: r.imei!, uuid: r.uuid!, androidid: r.androidId!, ip: r.ip!, useragent: r.userAgent! },
      ...{ platform: r.platform!, eventTime: r.eventTime!, link_id: r.linkId!, campaign_id: r.campaignId! },
      ...{
        channel_id: r.channelId!,
        link_name: r.linkName!,
        campaign_name: r.campaignName!,
        channel_name: r.channelName!,
      },
    }),
  },
};

/** `attribute`: the seven names first, then the event's own variables that have none of them. */
function attributeOf(r: Row): string {
  const own = { _userId: r.visitUserId, _sessionId: r.sessionId, _eventTime: r.time === null ? null : Number(r.time) };
  const rest = { _domain: r.domain, _path: r.page, _query: r.queryParameters, _cs1: r.loginUserId };
  const variables = JSON.parse(r.eventVariable ?? '{}') as Record<string, string>;
  return JSON.stringify({ ...variables, ...own, ...rest }, [
    ...Object.keys({ ...own, ...rest }),
    ...Object.keys(variables).filter((name) => !(name in own) && !(name in rest)),
  ]);
}

/** The rows of a 1.0 table in its order. */
function expectedRows(table: LegacyTable, rows: readonly Row[]): readonly (readonly (string | null)[])[] {
  const sorted = rows.toSorted((a, b) => {
    const [one, other] = [a, b].map((row) => Buffer.from(`${row.visitUserId ?? ''}\0${row.sessionId ?? ''}`));
    const sentAt = (row: Row): number => Number(row.sendTime ?? row.eventTime);
    return one!.compare(other!) || sentAt(a) - sentAt(b);
  });
  return sorted.map((row) => {
    const legacy = LEGACY_ROW[table].of(row);
    assert.deepEqual(Object.keys(legacy), LEGACY_COLUMNS[table]);
    return Object.values(legacy);
  });
}

type Hour = { readonly options: MakeLegacyHourOptions; readonly store: LocalPackageStore; readonly folder: string };

/** An hour whose 2.0 packages hold these rows, so many in each package. */
async function openHour(
  t: TestContext,
  rows: Partial<Record<DataType, readonly Row[]>>,
  { packageRows = 1_000_000, extraColumns = [] as readonly string[] } = {},
): Promise<Hour> {
  const folder = await temporaryFolder(t);
  const store = await LocalPackageStore.open(folder);
  const sources: PackageEntry[] = [];
  for (const [dataType, all] of Object.entries(rows) as [DataType, readonly Row[]][]) {
    const columns = [...COLUMNS[dataType]!, ...extraColumns];
    for (let part = 0; part * packageRows < all.length; part += 1) {
      const some = all.slice(part * packageRows, (part + 1) * packageRows);
      const lines = some.map((row) => columns.map((name) => fieldOf(row[name] ?? null)).join(','));
      const csv = [columns.join(','), ...lines, ''].join('\n');
      const name = `part-${part}`;
      const key = `source/${dataType}/${name}`;
      const sink = await store.create(key);
      const gzip = gzipSync(csv);
      await sink.write(gzip);
      await sink.finish();
      const csvSha256 = createHash('sha256').update(csv).digest('hex');
      const sums = { bytes: gzip.length, md5: '', sha256: '', csvSha256 };
      sources.push({ dataType, part, name, key, rows: some.length, ...sums });
    }
  }
  const { codec } = await openGzipCodec({ choice: 'zlib' });
  const facts = { ai: 'ai', hour: HOUR, revision: 1, maxPackageBytes: 64 * 1024 * 1024, spillFolder: folder };
  return { options: { store, codec, sources, ...facts }, store, folder };
}

function fieldOf(value: string | null): string {
  return value === null ? '' : csvField(value);
}

/** Makes the 1.0 packages, and gives what each holds. */
async function make({ options, store }: Hour, changes: Partial<MakeLegacyHourOptions> = {}) {
  const made = await makeLegacyHour({ ...options, ...changes });
  return Promise.all(
    made.map(async (entry) => {
      const opened = (await store.open(entry.key))!;
      const gzip = await buffer(opened.stream({ from: 0, until: opened.bytes }));
      const csv = gunzipSync(gzip);
      const hash = (algorithm: string, bytes: Buffer): string => createHash(algorithm).update(bytes).digest('hex');
      assert.deepEqual(
        [entry.bytes, entry.md5, entry.sha256, entry.csvSha256],
        [gzip.length, hash('md5', gzip), hash('sha256', gzip), hash('sha256', csv)],
      );
      const [header, ...rows] = parseCsv(csv.toString());
      assert.deepEqual(header, LEGACY_COLUMNS[entry.dataType]);
      assert.equal(entry.rows, rows.length);
      return { ...entry, rows };
    }),
  );
}

const TABLES = Object.keys(LEGACY_ROW) as LegacyTable[];

describe('makeLegacyHour', () => {
  for (const table of TABLES) {
    it(`shows every row of 2.0 in the columns of 1.0, by visitor, session and send time: ${table}`, async (t) => {
      const { dataType } = LEGACY_ROW[table];
      const rows = rowsOf(dataType, 160);
      const expected = expectedRows(table, rows);
      const hour = await openHour(t, { [dataType]: rows }, { packageRows: 33 });
      const [made, ...more] = await make(hour);
      assert.deepEqual([made?.dataType, made?.part, more.length], [table, 0, 0]);
      assert.deepEqual(made?.rows, expected);
      // Where every group is larger than the memory.
      const [spilled] = await make(hour, { sortBytes: 2_000 });
      assert.deepEqual(spilled?.rows, expected);
      assert.equal(spilled.csvSha256, made.csvSha256);
    });
  }

  it('makes packages of all seven tables, none of the types that 1.0 does not have, and none without rows', async (t) => {
    const types = TABLES.map((table) => LEGACY_ROW[table].dataType);
    const rows = Object.fromEntries(
      [...types, 'pvar' as const, 'evar' as const].map((type) => [type, rowsOf(type, 3)]),
    );
    const made = await make(await openHour(t, { ...rows, action: [] }));
    assert.deepEqual(
      made.map(({ dataType }) => dataType),
      TABLES.filter((table) => table !== 'action'),
    );
    for (const { dataType, key } of made) assert.match(key, new RegExp(`^ai/\\d{12}/v1/r1/${dataType}/part-00000-`));
  });

  it('cuts packages at their size, each with a header, and makes the same again', async (t) => {
    const rows = rowsOf('page', 800);
    const hour = await openHour(t, { page: rows });
    const made = await make(hour, { maxPackageBytes: 3_000 });
    assert.ok(made.length > 2, `${made.length} packages`);
    assert.ok(made.every(({ bytes }) => bytes <= 3_000));
    assert.deepEqual(
      made.flatMap((entry) => entry.rows),
      expectedRows('page', rows),
    );
    assert.deepEqual(await make(hour, { maxPackageBytes: 3_000 }), made);
  });

  it('takes no notice of columns that 2.0 has behind the documented ones', async (t) => {
    const rows = rowsOf('ads_track_click', 5).map((row) => ({ ...row, OAID: 'o', clickUrl: 'https://x/?a=1' }));
    const hour = await openHour(t, { ads_track_click: rows }, { extraColumns: ['OAID', 'clickUrl'] });
    assert.deepEqual((await make(hour))[0]?.rows, expectedRows('ads_track_click', rows));
  });

  it('leaves no file of the sorting behind', async (t) => {
    const hour = await openHour(t, { action: rowsOf('action', 100) });
    await make(hour, { sortBytes: 500 });
    assert.deepEqual((await readdir(hour.folder)).sort(), ['ai', 'source']);
  });

  it('refuses a source that is not what its manifest says', async (t) => {
    const hour = await openHour(t, { action: rowsOf('action', 10) });
    const [source] = hour.options.sources;
    const faulty = (changes: Partial<PackageEntry>): Promise<unknown> =>
      make(hour, { sources: [{ ...source!, ...changes }] });
    await assert.rejects(faulty({ csvSha256: '0'.repeat(64) }), { code: 'store_corrupt', message: /is not what/ });
    await assert.rejects(faulty({ rows: 9 }), { code: 'store_corrupt', message: /10 whole rows instead of 9/ });
    await assert.rejects(faulty({ key: 'nowhere' }), { code: 'store_corrupt', message: /not in the package store/ });
    const damaged = await hour.store.create('damaged');
    await damaged.write(Buffer.from('not gzip'));
    await damaged.finish();
    await assert.rejects(faulty({ key: 'damaged' }), { code: 'store_corrupt', message: /cannot be unpacked/ });
    await assert.rejects(faulty({ dataType: 'visit' }), { code: 'store_corrupt', message: /has no column/ });
  });
});
