/**
 * An hour whose files were damaged on disk: it is in ERROR with a message that names the damage, holds up no other hour, and is
 * exported by `tidegate export retry` once the file is whole again.
 */
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { addHours, formatBeijingHour } from '../src/events/hour.ts';
import { endStatus } from './helpers/hour-status.ts';
import { exportRows } from './helpers/export-rows.ts';
import { readMetrics } from './helpers/read-metrics.ts';
import { startRecentServer, type RecentServer } from './helpers/recent-server.ts';
import { dropRecord, flipByte, hourFiles } from './helpers/run-files.ts';
import { sendEvents } from './helpers/send-events.ts';
import { runTidegate } from './helpers/tidegate-command.ts';
import { waitUntil } from './helpers/wait-until.ts';

type Event = Readonly<Record<string, unknown>>;

const page = (u: string): Event => ({ t: 'page', u, s: 's', tm: 1_795_472_990_000, d: 'shop.example.test', p: '/' });

/** Where the first record of a run's first block begins: behind the magic and the block's header. */
const FIRST_RECORD = 16;

function send(server: RecentServer, names: readonly string[]): Promise<unknown> {
  return sendEvents(server, `/v3/${server.project.ai}/web/pv`, names.map(page));
}

/** A server whose first hour has three pages in a run that is sorted already, and one in a segment. */
async function startWithRun(t: TestContext): Promise<{ server: RecentServer; runPath: string }> {
  const server = await startRecentServer(t, { segmentBytes: 1 });
  await send(server, ['one', 'two', 'three']);
  await send(server, ['four']);
  const runPath = await waitUntil('the first segment is sorted', async () => {
    const [first] = await hourFiles(server.data, server.hour, '.run');
    return first;
  });
  return { server, runPath };
}

function retry({ data, project }: RecentServer, hour: number | string, ...more: readonly string[]) {
  return runTidegate('export', 'retry', '--data', data, '--ai', project.ai, '--hour', String(hour), ...more);
}

test('an hour with a damaged run', async (t) => {
  const { server, runPath } = await startWithRun(t);
  const { hour } = server;
  const date = formatBeijingHour(hour);
  const restore = await flipByte(runPath, FIRST_RECORD + 30);
  server.endHour(hour);

  await t.test('is in ERROR with a message that names the file and the place', async () => {
    const { status, errorMsg } = await endStatus(server, hour);
    assert.equal(status, 'ERROR');
    assert.match(
      errorMsg,
      /failed for good: The run \d{12}\/[0-9a-f]{10}-000001\.run is damaged: the checksum of the block at byte 8 does not fit\./,
    );
    assert.doesNotMatch(errorMsg, new RegExp(server.data));
  });

  await t.test('holds up none of the hours behind it', async () => {
    for (const later of [1, 2]) {
      await send(server, [`later ${later}`]);
      server.endHour(addHours(hour, later));
      assert.equal((await endStatus(server, addHours(hour, later))).status, 'FINISHED');
    }
    const rows = await exportRows(server, addHours(hour, 2));
    assert.deepEqual(
      rows.page.map((row) => row.visitUserId),
      ['later 2'],
    );
    assert.equal((await endStatus(server, hour)).status, 'ERROR');
  });

  await t.test('is in ERROR again when it is retried with the damage still there', async () => {
    server.catchUp();
    const { exitCode, stdout, stderr } = await retry(server, date, '--wait');
    assert.equal(exitCode, 1, stderr);
    assert.match(stdout, /was in ERROR: The run .* is damaged/);
    assert.match(stderr, new RegExp(`Hour ${date} \\(Beijing time\\) is in ERROR again: The run .* is damaged`));
  });

  await t.test('is exported by a retry once the file is whole again, with all its rows', async () => {
    await restore();
    server.catchUp();
    const { exitCode, stdout, stderr } = await retry(server, date, '--wait');
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, new RegExp(`Hour ${date} \\(Beijing time\\) is FINISHED: revision 1, 1 packages\\.`));
    const rows = await exportRows(server, hour);
    assert.deepEqual(rows.page.map((row) => row.visitUserId).toSorted(), ['four', 'one', 'three', 'two']);
  });

  await t.test('is not retried any more, nor is any hour that does not exist', async () => {
    const cases: readonly [hour: string, why: RegExp][] = [
      [date, /is FINISHED with revision 1; another export would publish the same rows/],
      [formatBeijingHour(addHours(hour, -1)), /ended before export was enabled/],
      [formatBeijingHour(addHours(hour, 24)), /has not ended yet/],
      [formatBeijingHour(addHours(hour, -24 * 40)), /ended before export was enabled/],
    ];
    for (const [asked, why] of cases) {
      const { exitCode, stderr } = await retry(server, asked);
      assert.equal(exitCode, 1);
      assert.match(stderr, why);
    }
    const unreadable = await retry(server, `${date}00`);
    assert.equal(unreadable.exitCode, 2);
    assert.match(unreadable.stderr, /--hour: "\d{12}" is no hour/);
  });
});

test('an hour with a run whose index is damaged is in ERROR, and the hour that needs its last keys is not', async (t) => {
  const { server, runPath } = await startWithRun(t);
  await flipByte(runPath, (await stat(runPath)).size - 20);
  server.endHour(server.hour);
  const { status, errorMsg } = await endStatus(server, server.hour);
  assert.equal(status, 'ERROR');
  assert.match(errorMsg, /checksum of its index/);
  await send(server, ['later']);
  const next = addHours(server.hour, 1);
  server.endHour(next);
  assert.equal((await endStatus(server, next)).status, 'FINISHED');
  const rows = await exportRows(server, next);
  assert.deepEqual(
    rows.page.map((row) => row.visitUserId),
    ['later'],
  );
});

test('an hour from whose run a record is missing', async (t) => {
  const { server, runPath } = await startWithRun(t);
  const restore = await dropRecord(runPath, 'page');
  server.endHour(server.hour);
  const date = formatBeijingHour(server.hour);

  await t.test('is in ERROR with a message that says which numbers differ', async () => {
    const { status, errorMsg } = await endStatus(server, server.hour);
    assert.equal(status, 'ERROR');
    assert.equal(
      errorMsg,
      `The export of hour ${date} (Beijing time) failed for good: The hour's ledger does not balance: ` +
        'page: 4 events received, but 3 accepted + 0 rejected + 0 ignored; page: 4 rows made, but 3 exported + 0 duplicates.',
    );
  });

  await t.test('has no manifest and no packages', async () => {
    const { ai } = server.project;
    const { exitCode, stdout, stderr } = await runTidegate('ledger', '--data', server.data, '--ai', ai, '--hour', date);
    assert.equal(exitCode, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /is in ERROR: The hour's ledger does not balance: page: 4 events received/);
  });

  await t.test('is counted in the metrics', async () => {
    assert.deepEqual(await readMetrics(server, /ledger/), ['tidegate_export_ledger_unbalanced_total 1']);
  });

  await t.test('is exported by a retry once the record is there again', async () => {
    await restore();
    server.catchUp();
    const { exitCode, stdout } = await retry(server, date);
    assert.equal(exitCode, 0);
    assert.match(stdout, /is tried now if a server runs on this data directory, else when one starts/);
    const rows = await exportRows(server, server.hour);
    assert.equal(rows.page.length, 4);
  });
});
