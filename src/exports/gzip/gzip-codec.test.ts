import assert from 'node:assert/strict';
import { copyFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { crc32, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ConfigurationError } from '../../errors/app-error.ts';
import { FINISH_MAX_BYTES, largestChunkBytes, maxCompressedBytes } from './compressed-size.ts';
import type { GzipCodec } from './gzip-codec.ts';
import { openIsaLCodec } from './isa-l-codec.ts';
import { loadIsaL } from './isa-l-library.ts';
import { openGzipCodec } from './open-gzip-codec.ts';
import { openZlibCodec } from './zlib-codec.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';

const isaL = await loadIsaL();
const codecs: { name: string; codec: GzipCodec | undefined }[] = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((level) => ({ name: `zlib level ${level}`, codec: openZlibCodec(level) })),
  ...([1, 2, 3] as const).map((level) => ({
    name: `ISA-L level ${level}`,
    codec: isaL.status === 'loaded' ? openIsaLCodec(isaL.library, level) : undefined,
  })),
];
/** The levels of a codec share their code: the random chunks are for all of them together as many as for one before. */
const RUNS = 12;

for (const { name, codec } of codecs) {
  describe(`${name} codec`, { skip: codec === undefined && isaL.status === 'refused' ? isaL.reason : false }, () => {
    test('gives back any data in any chunks, each flushed and within its bound', async () => {
      const holds = fc.asyncProperty(recipes, async (chunkRecipes) => {
        const chunks = chunkRecipes.map(makeChunk);
        const { parts, whole } = await compress(codec!, chunks);
        assert.ok(gunzipSync(whole).equals(Buffer.concat(chunks)), 'not what was put in');
        parts.forEach((part, index) => {
          const bound = index < chunks.length ? maxCompressedBytes(chunks[index]!.length) : FINISH_MAX_BYTES;
          assert.ok(part.length <= bound, `${part.length} bytes of ${chunks[index]?.length ?? 'the end'}`);
        });
      });
      await fc.assert(holds, { numRuns: RUNS });
    });

    test('lets every byte be read as soon as its chunk is written', async () => {
      const chunks = [csvLike(100_000, 1), makeNoise(50_000, 2), csvLike(3, 3), makeNoise(1, 4)];
      const { parts } = await compress(codec!, chunks);
      for (let count = 1; count <= chunks.length; count += 1) {
        const readable = gunzipSync(Buffer.concat(parts.slice(0, count)), { finishFlush: 2 });
        assert.deepEqual(readable, Buffer.concat(chunks.slice(0, count)));
      }
    });

    test('writes one member, without a time or an operating system', async () => {
      const chunks = [csvLike(300_000, 1), csvLike(300_000, 2)];
      const { whole } = await compress(codec!, chunks);
      assert.equal(whole.subarray(0, 10).toString('hex'), '1f8b08000000000000ff');
      assert.equal(whole.readUInt32LE(whole.length - 8), crc32(Buffer.concat(chunks)));
      assert.equal(whole.readUInt32LE(whole.length - 4), 600_000);
    });

    test('gives the same bytes for the same chunks', async () => {
      const chunks = [csvLike(70_000, 1), makeNoise(3, 1), csvLike(200_000, 5)];
      const first = await compress(codec!, chunks);
      // Elsewhere in memory, at another alignment; small arrays lie on the JavaScript heap at first.
      const moved = chunks.map((chunk) => Uint8Array.from([0, ...chunk]).subarray(1));
      assert.deepEqual(await compress(codec!, moved), first);
    });

    test('finds repetition across chunks', async () => {
      const chunk = makeNoise(4000, 1);
      const { parts } = await compress(codec!, [chunk, chunk]);
      assert.ok(parts[1]!.length < 1000, `${parts[1]!.length} bytes`);
    });

    test('writes an empty stream, and nothing for an empty chunk', async () => {
      const { parts, whole } = await compress(codec!, [Buffer.alloc(0), Buffer.alloc(0)]);
      assert.deepEqual(
        parts.map((part) => part.length > 0),
        [false, false, true],
      );
      assert.equal(gunzipSync(whole).length, 0);
    });

    test('keeps many streams apart', async () => {
      const inputs = Array.from({ length: 12 }, (_, seed) => [
        csvLike(90_000, seed),
        makeNoise(20_000, seed),
        csvLike(9, seed),
      ]);
      const outputs = await Promise.all(inputs.map((chunks) => compress(codec!, chunks)));
      outputs.forEach(({ whole }, index) => assert.deepEqual(gunzipSync(whole), Buffer.concat(inputs[index]!)));
    });
  });
}

describe('largestChunkBytes', () => {
  test('is a chunk that leaves the finished stream within the room, and nearly the largest', () => {
    for (let room = 0; room < 200_000; room += 1 + Math.floor(room / 50)) {
      const chunk = largestChunkBytes(room);
      if (chunk > 0) assert.ok(maxCompressedBytes(chunk) + FINISH_MAX_BYTES <= room, `${room}`);
      assert.ok(maxCompressedBytes(chunk + 8) + FINISH_MAX_BYTES > room, `${room}`);
    }
  });
});

describe('openGzipCodec', () => {
  test('takes zlib when told to', async () => {
    const { codec, reason } = await openGzipCodec({ choice: 'zlib' });
    assert.match(codec.name, /^zlib \S+ level 1$/);
    assert.equal(reason, 'zlib was asked for');
  });

  test('takes ISA-L when it is there', { skip: isaL.status === 'refused' ? isaL.reason : false }, async () => {
    const { codec, reason } = await openGzipCodec({ choice: 'auto' });
    assert.match(codec.name, /^isa-l 2\.3[01]\S* level 1$/);
    assert.match(reason, /^ISA-L was found at \//);
  });

  test('takes the level that was asked for, zlib above what ISA-L has, and none beyond gzip', async () => {
    for (const level of [1, 2, 3]) {
      const { codec } = await openGzipCodec({ choice: 'auto', level });
      assert.match(codec.name, new RegExp(`^(isa-l|zlib) \\S+ level ${level}$`));
    }
    for (const choice of ['auto', 'isa-l', 'zlib'] as const) {
      const { codec } = await openGzipCodec({ choice, level: 6 });
      assert.match(codec.name, /^zlib \S+ level 6$/);
    }
    for (const level of [0, 10, 1.5, NaN])
      await assert.rejects(openGzipCodec({ choice: 'auto', level }), ConfigurationError);
  });

  test('compresses better on a higher level', async () => {
    const chunks = [csvLike(400_000, 1), csvLike(400_000, 7)];
    const bytesOf = async (codec: GzipCodec): Promise<number> => (await compress(codec, chunks)).whole.length;
    assert.ok((await bytesOf(openZlibCodec(9))) < (await bytesOf(openZlibCodec(1))));
    if (isaL.status !== 'loaded') return;
    assert.ok((await bytesOf(openIsaLCodec(isaL.library, 3))) < (await bytesOf(openIsaLCodec(isaL.library, 1))));
  });

  test('falls back to zlib and says why, or refuses when ISA-L was insisted on', async (t) => {
    for (const { name, path, reason } of await unusableLibraries(t)) {
      const opened = await openGzipCodec({ choice: 'auto', isaLPaths: [path] });
      assert.match(opened.codec.name, /^zlib /, name);
      assert.match(opened.reason, reason, name);
      await assert.rejects(openGzipCodec({ choice: 'isa-l', isaLPaths: [path] }), (error) => {
        assert.ok(error instanceof ConfigurationError, name);
        assert.match(error.message, reason, name);
        return true;
      });
    }
  });
});

async function unusableLibraries(t: TestContext): Promise<{ name: string; path: string; reason: RegExp }[]> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return [{ name: 'other machine', path: '/', reason: /is used on linux x64 only/ }];
  }
  const folder = await temporaryFolder(t);
  const untested = join(folder, 'libisal.so.2.0.99');
  if (isaL.status === 'loaded') await copyFile(isaL.library.path, untested);
  else await writeFile(untested, '');
  await symlink(untested, join(folder, 'libisal.so.2'));
  await writeFile(join(folder, 'libisal.so.2.0.30'), 'not a library');
  return [
    { name: 'absent', path: join(folder, 'no-such-file'), reason: /is not installed/ },
    { name: 'untested', path: join(folder, 'libisal.so.2'), reason: /libisal\.so\.2\.0\.99 is no version/ },
    { name: 'broken', path: join(folder, 'libisal.so.2.0.30'), reason: /cannot be loaded/ },
  ];
}

async function compress(
  codec: GzipCodec,
  chunks: readonly Uint8Array[],
): Promise<{ parts: Uint8Array[]; whole: Buffer }> {
  const stream = codec.open();
  const parts: Uint8Array[] = [];
  for (const chunk of chunks) parts.push(Buffer.from(await stream.write(chunk)));
  parts.push(await stream.finish());
  return { parts, whole: Buffer.concat(parts) };
}

type ChunkRecipe = { readonly kind: 'noise' | 'text' | 'run' | 'cycle'; readonly bytes: number; readonly seed: number };

/** Up to 12 chunks of 0 bytes to 600 KB, of data that compresses in every way. */
const recipes = fc.array(
  fc.record<ChunkRecipe>({
    kind: fc.constantFrom('noise', 'text', 'run', 'cycle'),
    bytes: fc.oneof(fc.nat(2000), fc.nat(70_000), fc.constantFrom(0, 1, 2, 3, 257, 32_768, 65_824, 65_825, 600_000)),
    seed: fc.nat(0xffff_ffff),
  }),
  { minLength: 1, maxLength: 12 },
);

function makeChunk({ kind, bytes, seed }: ChunkRecipe): Buffer {
  if (kind === 'text') return csvLike(bytes, seed);
  if (kind === 'run') return Buffer.alloc(bytes, seed & 255);
  const noise = makeNoise(bytes, seed);
  // A short cycle that is broken now and then makes the most matches.
  if (kind === 'cycle')
    for (let at = 9; at < bytes; at += 1) if (at % 97 > 0) noise[at] = noise[at % (1 + (seed % 9))]!;
  return noise;
}

/** Xorshift, because a failure must come again with its seed. */
function makeNoise(bytes: number, seed: number): Buffer {
  const noise = Buffer.alloc(bytes);
  let state = seed | 1;
  for (let at = 0; at < bytes; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    noise[at] = state >>> 16;
  }
  return noise;
}

function csvLike(bytes: number, seed: number): Buffer {
  const rows: string[] = [];
  for (let length = 0; length < bytes; length += rows.at(-1)!.length) {
    const count = rows.length + seed;
    rows.push(
      `u-${count % 89},clck,shop.example.test,/prod/${count % 17},${1_795_469_638_319 + count},"\u8d2d\u4e70"\n`,
    );
  }
  return Buffer.from(rows.join('')).subarray(0, bytes);
}
