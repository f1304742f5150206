import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import { openCursors, readRun, readRunIndex } from './run-reader.ts';
import { RunWriter } from './run-writer.ts';

const KEY = Buffer.from(`visitor\0session\0${'t'.repeat(8)}${'r'.repeat(16)}`, 'latin1');
const LINE = Buffer.from('visitor,session,1795406400000,page\n');

/** Writes a run of one record and gives its path. */
async function newRun(t: TestContext): Promise<string> {
  const path = join(await temporaryFolder(t), '0000000000-000001.run');
  const writer = new RunWriter(path);
  writer.beginGroup('ai', 'page', 'rows');
  const end = KEY.length + LINE.length;
  const bytes = Buffer.concat([KEY, LINE]);
  writer.add({ bytes, flags: 1, sendTimeMs: 1, keyStart: 0, lineStart: KEY.length, extrasStart: end, end });
  writer.finish([], null);
  return path;
}

async function flipBit(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 0x01;
  await writeFile(path, bytes);
}

function readFirstLine(path: string): string {
  const [cursor] = openCursors([readRun(path)], 'ai', 'page', 'rows');
  cursor!.next();
  const line = cursor!.block.toString('latin1', cursor!.lineStart, cursor!.extrasStart);
  cursor!.close();
  return line;
}

describe('a run', () => {
  it('gives back its record', async (t) => {
    assert.equal(readFirstLine(await newRun(t)), LINE.toString());
  });

  it('says that a record was changed by one bit', async (t) => {
    const path = await newRun(t);
    await flipBit(path, (await readFile(path)).indexOf(LINE));
    assert.throws(() => readFirstLine(path), { code: 'store_corrupt', message: /checksum of the block/ });
  });

  it('says that its index was changed by one bit', async (t) => {
    const path = await newRun(t);
    await flipBit(path, (await readFile(path)).indexOf('"rows":1') + '"rows":'.length);
    assert.throws(() => readRunIndex(path), { code: 'store_corrupt', message: /checksum of its index/ });
  });

  it('says that its end is missing', async (t) => {
    const path = await newRun(t);
    await writeFile(path, (await readFile(path)).subarray(0, (await stat(path)).size - 1));
    assert.throws(() => readRunIndex(path), { code: 'store_corrupt', message: /not that of a run/ });
  });
});
