/** `tidegate import` into an hour that rejected events alone have touched. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { HOUR_MS } from '../src/events/hour.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { runTidegate, type CommandResult } from './helpers/tidegate-command.ts';

const AI = '0123456789abcdef';

test('an import whose events were all rejected can be mended and done again, and only once', async (t) => {
  const folder = await temporaryFolder(t);
  const data = join(folder, 'data');
  const sendTime = Date.now() - 3 * HOUR_MS;
  const exportFrom = new Date(sendTime - HOUR_MS).toISOString();
  await runTidegate('project', 'create', '--data', data, '--name', 'shop', '--ai', AI, '--export-from', exportFrom);
  const importEvent = async (event: object): Promise<CommandResult> => {
    const file = join(folder, 'past.ndjson');
    await writeFile(file, `${JSON.stringify({ t: 'page', tm: sendTime, ...event, sendTime, platform: 'web' })}\n`);
    return runTidegate('import', '--data', data, '--ai', AI, '--log-level', 'warn', file);
  };

  assert.match((await importEvent({})).stdout, /1 rejected.*FINISHED/);
  const mended = await importEvent({ u: 'visitor' });
  assert.equal(mended.exitCode, 0, mended.stderr);
  assert.match(mended.stdout, /0 rejected.*FINISHED/);
  const again = await importEvent({ u: 'visitor' });
  assert.equal(again.exitCode, 1);
  assert.match(again.stderr, /holds rows already/);
});
