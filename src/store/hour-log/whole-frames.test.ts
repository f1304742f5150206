import assert from 'node:assert/strict';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { HOUR_START_MS } from '../../../test/helpers/event-rows.ts';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts';
import { hourOf } from '../../events/hour.ts';
import { crc32 } from '../../lib/crc32.ts';
import { buildFrameHeader } from './record-codec.ts';
import { buildSegmentHeader, SEGMENT_HEADER_BYTES } from './segment.ts';
import { measureWholeFrames, type WholeFrames } from './whole-frames.ts';

const HOUR = hourOf(HOUR_START_MS);

function frameOf(bytes: number): Buffer {
  const body = Buffer.alloc(bytes, 7);
  return Buffer.concat([buildFrameHeader([body], 1, HOUR_START_MS, crc32), body]);
}

async function measure(t: TestContext, bytes: Buffer): Promise<WholeFrames> {
  const path = join(await temporaryFolder(t), '0000000000-000001.seg');
  await writeFile(path, bytes);
  await using handle = await open(path, 'r');
  return await measureWholeFrames(handle, path, HOUR);
}

describe('measureWholeFrames', () => {
  // Frames begin and end anywhere in the pieces of a mebibyte in which the file is read, and one is larger than two of them.
  const frames = [100, 700_000, 400_000, 1_048_500, 1, 3_000_000, 20, 1_000_000].map(frameOf);
  const segment = Buffer.concat([buildSegmentHeader(HOUR), ...frames]);
  const lastFrame = segment.length - frames.at(-1)!.length;

  it('counts whole frames of all sizes', async (t) => {
    assert.deepEqual(await measure(t, segment), { bytes: segment.length, isDamaged: false });
  });

  it('cuts a torn tail, wherever it is torn', async (t) => {
    for (const torn of [1, 7, 8, 19, 20, 21, 500_000, 1_000_019])
      assert.deepEqual(await measure(t, segment.subarray(0, lastFrame + torn)), { bytes: lastFrame, isDamaged: false });
  });

  it('tells damage from a torn tail by the whole frames behind it', async (t) => {
    const start = SEGMENT_HEADER_BYTES + frames[0]!.length;
    for (const at of [start, start + 4, start + 10, start + 699_000]) {
      const damaged = Buffer.from(segment);
      damaged[at]! ^= 0x01;
      assert.deepEqual(await measure(t, damaged), { bytes: start, isDamaged: true });
    }
  });

  it('counts nothing of a file that is empty, cut short or no segment', async (t) => {
    assert.deepEqual(await measure(t, Buffer.alloc(0)), { bytes: 0, isDamaged: false });
    assert.deepEqual(await measure(t, segment.subarray(0, 15)), { bytes: 0, isDamaged: false });
    assert.deepEqual(await measure(t, segment.subarray(0, 16)), { bytes: 16, isDamaged: false });
    assert.deepEqual(await measure(t, Buffer.alloc(4_000)), { bytes: 0, isDamaged: false });
  });
});
