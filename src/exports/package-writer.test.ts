import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createGunzip, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { PackageEntry } from '../catalog/catalog.ts';
import { headerLine } from '../events/data-types.ts';
import { hourFromInteger } from '../events/hour.ts';
import { LocalPackageStore } from '../packages/local-package-store.ts';
import type { PackageSink, PackageCreator } from '../packages/package-store.ts';
import type { GzipCodec } from './gzip/gzip-codec.ts';
import { openGzipCodec } from './gzip/open-gzip-codec.ts';
import { PackageWriter } from './package-writer.ts';
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts';

const HEADER = headerLine('action_tag');
const HOUR = hourFromInteger(498_797); // 2026-11-26T05:00Z
const { codec: zlib } = await openGzipCodec({ choice: 'zlib' });
const { codec: best, reason } = await openGzipCodec({ choice: 'auto' });
const isaL = best.name.startsWith('isa-l') ? best : undefined;

for (const codec of [zlib, isaL]) {
  describe(`PackageWriter with ${codec?.name ?? 'ISA-L'}`, { skip: codec === undefined ? reason : false }, () => {
    test('holds the limit and the order for rows of any size, in any batches, with the same bytes', async () => {
      const store = new MemoryStore();
      const holds = fc.asyncProperty(rowSets, fc.nat(0xffff), async ({ seed, rowCount, maxRowBytes, limit }, cuts) => {
        const rows = makeRows({ seed, rowCount, maxRowBytes });
        const entries = await writeAll({ codec: codec!, store, limit }, rows, [rows.length]);
        const packages = await readPackages(store, entries);
        checkPackages(rows, entries, packages, limit);
        const again = await writeAll({ codec: codec!, store, limit }, rows, cutsOf(rows.length, cuts));
        assert.deepEqual(again, entries);
        store.files.clear();
      });
      await fc.assert(holds, { numRuns: 20 });
    });

    test('fills packages well', async () => {
      const store = new MemoryStore();
      const rows = makeRows({ seed: 7, rowCount: 8000, maxRowBytes: 400 });
      const entries = await writeAll({ codec: codec!, store, limit: 64 * 1024 }, rows, [rows.length]);
      assert.ok(entries.length > 5);
      for (const { bytes } of entries.slice(0, -1)) assert.ok(bytes > 63 * 1024 && bytes <= 64 * 1024, `${bytes}`);
    });

    test('gives a row that is larger than the limit a package of its own', async () => {
      const store = new MemoryStore();
      const large = makeRows({ seed: 3, rowCount: 1, maxRowBytes: 700_000, minRowBytes: 600_000 })[0]!;
      const small = makeRows({ seed: 4, rowCount: 4, maxRowBytes: 50 });
      const rows = [small[0]!, small[1]!, large, small[2]!, small[3]!];
      const entries = await writeAll({ codec: codec!, store, limit: 100_000 }, rows, [5]);
      assert.deepEqual(
        entries.map((entry) => [entry.rows, entry.bytes > 100_000]),
        [
          [2, false],
          [1, true],
          [2, false],
        ],
      );
      assert.equal((await readPackages(store, entries))[1], HEADER + String(large));
    });
  });
}

describe('PackageWriter', () => {
  test('makes no package without rows', async () => {
    const store = new MemoryStore();
    assert.deepEqual(await writeAll({ codec: best, store }, [], [0]), []);
    assert.equal(store.files.size, 0);
  });

  test('says of each package what a reader can check', async () => {
    const store = new MemoryStore();
    const [entry] = await writeAll({ codec: best, store }, [Buffer.from('1,wa:0:1,ab\n'), Buffer.from('2,,ab\n')], [2]);
    const file = store.files.get(entry!.key)!;
    const csv = `${HEADER}1,wa:0:1,ab\n2,,ab\n`;
    assert.deepEqual(entry, {
      dataType: 'action_tag',
      part: 0,
      name: entry!.key.split('/').at(-1),
      key: entry!.key,
      rows: 2,
      bytes: file.length,
      md5: createHash('md5').update(file).digest('hex'),
      sha256: createHash('sha256').update(file).digest('hex'),
      csvSha256: createHash('sha256').update(csv).digest('hex'),
    });
    assert.match(
      entry.key,
      /^0a1b2c3d4e5f6071\/202611260500\/r2\/action_tag\/part-00000-[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}-c000\.csv\.gz$/,
    );
  });

  test('names packages by project, hour, revision and codec, and counts the parts', async () => {
    const store = new MemoryStore();
    const rows = makeRows({ seed: 1, rowCount: 200, maxRowBytes: 100, minRowBytes: 60 });
    const parts = await writeAll({ codec: best, store, limit: 2000 }, rows, [200]);
    assert.ok(parts.length > 2);
    assert.deepEqual(
      parts.map((entry) => entry.name.replace(/^part-(\d{5}).*/, '$1')),
      parts.map((_, part) => String(part).padStart(5, '0')),
    );
    assert.equal(new Set(parts.map((entry) => entry.name.slice(10))).size, 1);
    const nameOf = async (changed: Partial<Setup>): Promise<string> =>
      (await writeAll({ codec: best, store, ...changed }, rows, [200]))[0]!.name;
    const renamed: GzipCodec = { name: 'another', open: () => best.open() };
    const names = await Promise.all([nameOf({}), nameOf({}), nameOf({ revision: 3 }), nameOf({ codec: renamed })]);
    assert.equal(names[0], names[1]);
    assert.equal(new Set(names).size, 3);
  });

  test('gives the same CSV on every codec', { skip: isaL === undefined ? reason : false }, async () => {
    const store = new MemoryStore();
    const rows = makeRows({ seed: 9, rowCount: 5000, maxRowBytes: 300 });
    const [byZlib] = await writeAll({ codec: zlib, store }, rows, [5000]);
    const [byIsaL] = await writeAll({ codec: isaL!, store }, rows, [5000]);
    assert.equal(byIsaL!.csvSha256, byZlib!.csvSha256);
    assert.notEqual(byIsaL!.name, byZlib!.name);
  });

  test('forgets an unfinished package on abort, and keeps finished ones', async (t) => {
    const { store, folder } = await openLocalStore(t);
    const writer = new PackageWriter({ ...SET, codec: best, store, maxPackageBytes: 2000 });
    const rows = makeRows({ seed: 1, rowCount: 200, maxRowBytes: 100, minRowBytes: 60 });
    await writer.write(Buffer.concat(rows), endsOf(rows), 0, 200);
    await writer.abort();
    await writer.abort();
    await assert.rejects(writer.write(rows[0]!, [rows[0]!.length], 0, 1), /is closed/);
    await assert.rejects(writer.finish(), /is closed/);
    const files = await filesIn(folder);
    assert.ok(files.length > 0);
    for (const file of files) assert.match(file, /^part-/);
  });

  test('leaves no temporary file after an error of the store, and throws that error', async (t) => {
    const { store, folder } = await openLocalStore(t);
    const rows = makeRows({ seed: 1, rowCount: 2000, maxRowBytes: 2000 });
    for (const failAt of ['create', 'write', 'finish'] as const) {
      const writer = new PackageWriter({ ...SET, codec: best, store: failing(store, failAt) });
      await assert.rejects(
        async () => {
          await writer.write(Buffer.concat(rows), endsOf(rows), 0, 2000);
          await writer.finish();
        },
        { message: `no ${failAt} today` },
      );
      assert.deepEqual(await filesIn(folder), [], failAt);
      await assert.rejects(writer.finish(), /is closed/);
    }
  });
});

const SET = { ai: '0a1b2c3d4e5f6071', dataType: 'action_tag', hour: HOUR, revision: 2 } as const;
type Setup = { codec: GzipCodec; store: PackageCreator; limit?: number; revision?: number };

/** Writes rows in batches that end at these rows, with some of each batch left for a second call. */
async function writeAll(
  setup: Setup,
  rows: readonly Buffer[],
  cuts: readonly number[],
): Promise<readonly PackageEntry[]> {
  const writer = new PackageWriter({
    ...SET,
    codec: setup.codec,
    store: setup.store,
    revision: setup.revision ?? 2,
    ...(setup.limit === undefined ? {} : { maxPackageBytes: setup.limit }),
  });
  let from = 0;
  for (const until of cuts) {
    const batch = rows.slice(from, until);
    const lines = Buffer.concat(batch);
    const middle = Math.floor(batch.length / 2);
    await writer.write(lines, Uint32Array.from(endsOf(batch)), 0, middle);
    await writer.write(lines, endsOf(batch), middle, batch.length);
    lines.fill(0); // the batch is the caller's again
    from = until;
  }
  return writer.finish();
}

function checkPackages(
  rows: readonly Buffer[],
  entries: readonly PackageEntry[],
  packages: readonly string[],
  limit: number,
): void {
  assert.equal(packages.map((csv) => csv.slice(HEADER.length)).join(''), rows.join(''), 'all rows, in order');
  entries.forEach((entry, part) => {
    const csv = packages[part]!;
    assert.ok(csv.startsWith(HEADER));
    assert.ok(entry.rows > 0);
    assert.equal(csv.split('\n').length - 2, entry.rows);
    assert.ok(entry.bytes <= limit || entry.rows === 1, `${entry.bytes} bytes where ${limit} is the limit`);
  });
}

const rowSets = fc.record({
  seed: fc.nat(0xffff),
  rowCount: fc.integer({ min: 1, max: 300 }),
  maxRowBytes: fc.constantFrom(3, 40, 300, 1000, 6000),
  limit: fc.oneof(fc.integer({ min: 512, max: 65_536 }), fc.constantFrom(512, 65_536, 8_000_000)),
});

/** Rows of random sizes; half of the bytes repeat, half are noise. */
function makeRows(recipe: { seed: number; rowCount: number; maxRowBytes: number; minRowBytes?: number }): Buffer[] {
  const { seed, rowCount, maxRowBytes, minRowBytes = 2 } = recipe;
  let state = seed | 1;
  const next = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  return Array.from({ length: rowCount }, (_, row) => {
    const line = Buffer.alloc(minRowBytes + next(maxRowBytes - minRowBytes + 1), 45);
    if (row % 7 < 6)
      for (let at = 0; at < line.length; at += 1) line[at] = at % 16 < 8 ? 97 + next(26) : 65 + (at % 16);
    line[line.length - 1] = 10;
    return line;
  });
}

function endsOf(rows: readonly Buffer[]): number[] {
  let end = 0;
  return rows.map((row) => (end += row.length));
}

/** Ends of batches of 0 to 60 rows. */
function cutsOf(rowCount: number, seed: number): number[] {
  const cuts: number[] = [];
  for (let at = 0; at < rowCount; cuts.push(at)) at = Math.min(rowCount, at + ((seed + cuts.length * 31) % 61));
  return cuts;
}

/** Unpacks each package, and makes sure that it is one gzip member with nothing behind it. */
async function readPackages(store: MemoryStore, entries: readonly PackageEntry[]): Promise<string[]> {
  return Promise.all(
    entries.map(async ({ key }) => {
      const file = store.files.get(key)!;
      const gunzip = createGunzip();
      const bytes = await new Promise<number>((resolve, reject) => {
        gunzip
          .on('error', reject)
          .on('end', () => resolve(gunzip.bytesWritten))
          .resume()
          .end(file);
      });
      assert.equal(bytes, file.length);
      return gunzipSync(file).toString();
    }),
  );
}

/** A store that fails at one kind of call. */
function failing(store: PackageCreator, failAt: 'create' | 'write' | 'finish'): PackageCreator {
  const fail = (): never => {
    throw new Error(`no ${failAt} today`);
  };
  return {
    create: async (key) => {
      if (failAt === 'create') fail();
      const sink = await store.create(key);
      return {
        write: async (bytes) => (failAt === 'write' ? fail() : sink.write(bytes)),
        finish: async () => (failAt === 'finish' ? fail() : sink.finish()),
        abort: () => sink.abort(),
      };
    },
  };
}

/** Packages in memory: on disk, the thousands of small ones here would be thousands of fsyncs. */
class MemoryStore implements PackageCreator {
  readonly files = new Map<string, Buffer>();

  create(key: string): Promise<PackageSink> {
    const parts: Buffer[] = [];
    return Promise.resolve({
      write: (bytes) => Promise.resolve(void parts.push(Buffer.from(bytes))),
      finish: () => Promise.resolve(void this.files.set(key, Buffer.concat(parts))),
      abort: () => Promise.resolve(),
    });
  }
}

async function openLocalStore(t: TestContext): Promise<{ store: LocalPackageStore; folder: string }> {
  const folder = await temporaryFolder(t);
  return { store: await LocalPackageStore.open(folder), folder };
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}
