import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import { indexedRun } from './run-indexes.ts';
import { RunWriter } from './run-writer.ts';

/** Writes a run whose index names this project. */
function writeRun(path: string, ai: string): void {
  const writer = new RunWriter(path);
  writer.finish([{ ai, line: 'page', received: 1, ignored: 0, rows: 1 }], null);
}

async function newRun(t: TestContext): Promise<string> {
  const path = join(await temporaryFolder(t), '0000000000-000001.run');
  writeRun(path, 'a');
  return path;
}

describe('indexedRun', () => {
  it('reads an index once as long as its file is the same', async (t) => {
    const path = await newRun(t);
    assert.equal(indexedRun(path), indexedRun(path));
  });

  it('reads it again when another run has its name', async (t) => {
    const path = await newRun(t);
    assert.equal(indexedRun(path).index.receipts[0]!.ai, 'a');
    writeRun(path, 'b'); // of the same size
    assert.equal(indexedRun(path).index.receipts[0]!.ai, 'b');
  });

  it('finds damage that came after it was read, and that it is gone', async (t) => {
    const path = await newRun(t);
    indexedRun(path);
    const bytes = await readFile(path);
    bytes[bytes.indexOf('"receipts"') + 3]! ^= 0x01;
    await writeFile(path, bytes);
    assert.throws(() => indexedRun(path), { code: 'store_corrupt', message: /checksum of its index/ });
    await rm(path);
    assert.throws(() => indexedRun(path), { code: 'store_corrupt', message: /is missing/ });
  });
});
