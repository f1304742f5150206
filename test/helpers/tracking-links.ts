/** Makes tracking links as an operator does, and reads what the store keeps of clicks. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { DataType } from '../../src/events/data-types.ts';
import type { Hour } from '../../src/events/hour.ts';
import { HourLogReader } from '../../src/store/hour-log/hour-log-reader.ts';
import { decodeExtras } from '../../src/store/hour-log/record-codec.ts';
import { openCursors, readRun } from '../../src/store/hour-log/run-reader.ts';
import { TEST_PROJECT } from './test-server.ts';
import { runTidegate } from './tidegate-command.ts';

export type AddedLink = {
  readonly linkId: string;
  readonly trackingUrl: string;
  readonly campaignId: string | null;
  readonly channelId: string | null;
};

/** Adds a link to the test project with `tidegate link add`. */
export async function addLink(
  { data, ai = TEST_PROJECT.ai }: { readonly data: string; readonly ai?: string },
  name: string,
  words: readonly string[] = ['--target', 'https://shop.example.com/app'],
): Promise<AddedLink> {
  const added = await runTidegate('link', 'add', '--data', data, '--ai', ai, '--name', name, ...words, '--json');
  assert.equal(added.exitCode, 0, added.stderr);
  return JSON.parse(added.stdout) as AddedLink;
}

/** Reads what is kept beside the rows of a prepared hour. */
export function readExtras(data: string, hour: Hour, dataType: DataType): readonly Record<string, string>[] {
  const runs = new HourLogReader(join(data, 'hour-log')).runPaths(hour).map(readRun);
  const extras: Record<string, string>[] = [];
  for (const cursor of openCursors(runs, TEST_PROJECT.ai, dataType, 'rows')) {
    while (cursor.next()) extras.push(decodeExtras(cursor.block.subarray(cursor.extrasStart, cursor.recordEnd)));
  }
  return extras;
}
