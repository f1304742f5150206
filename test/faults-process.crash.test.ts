/** A process that runs out of open files, and data directories that a server cannot use. */
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { json } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { hourEndMs, hourOf } from '../src/events/hour.ts';
import { atEnd } from './helpers/at-end.ts';
import { isReady, post } from './helpers/ask-server.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertExportedOnce, exportedNames } from './helpers/event-stream.ts';
import { dataOnSmallDisk, limitOpenFiles, makeReadOnly, NO_LIMITS, NO_MOUNTS } from './helpers/machine-faults.ts';
import { newDataDirectory, startServerProcess, type ServerProcess } from './helpers/server-process.ts';
import { TEST_PROJECT } from './helpers/test-server.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';
import { runTidegate } from './helpers/tidegate-command.ts';
import { waitUntil } from './helpers/wait-until.ts';

const HOUR = hourOf(HOUR_START_MS);
/** Fewer than any server has open: nothing more can be opened. */
const NO_FILES = 8;
const ENOUGH_FILES = 4096;

describe('a process with too many open files', { skip: NO_LIMITS }, () => {
  it('refuses appends with the reason, lives, and recovers by itself', async (t) => {
    const data = await newDataDirectory(t);
    const nowMs = HOUR_START_MS + 60_000;
    const server = await startServerProcess(t, { data, nowMs, changes: { segmentBytes: 64 * 1024 } });
    const connection = openConnection(t, server);
    assert.equal((await connection.post('before')).status, 200);
    limitOpenFiles(server.pid, NO_FILES);

    const taken = new Set(['before']);
    // Goes well until the segment is full: then a new one must be opened, and a worker thread started that sorts the old one.
    const refused = await waitUntil('an append is refused', async () => {
      const name = `event-${taken.size}`;
      const answer = await connection.post(name);
      if (answer.status === 200) taken.add(name);
      return answer.status !== 200 && answer;
    });
    assert.ok(taken.size > 2, 'what needs no new file is taken');
    assert.equal(refused.status, 503);
    assert.match(refused.body.message ?? '', /could not be stored: this process has too many files open \(EMFILE\)/);
    const { status, body } = await connection.get('/readyz');
    assert.equal(status, 503);
    assert.match(JSON.stringify(body), /this process has too many files open/);
    await assert.rejects(fetch(`${server.baseUrl}/healthz`, { signal: AbortSignal.timeout(2_000) }));
    assert.equal((await connection.get('/healthz')).status, 200);

    limitOpenFiles(server.pid, ENOUGH_FILES);
    await waitUntil('the server is ready again', () => isReady(server));
    assert.equal((await post(server, ['after'])).status, 200);
    taken.add('after');
    server.clock.set(hourEndMs(HOUR));
    assertExportedOnce(taken, await exportedNames(server.baseUrl, server.clock, HOUR));
  });
});

describe('tidegate serve', () => {
  it('says in one sentence that the data directory is read-only', { skip: NO_MOUNTS }, async (t) => {
    const { data, disk } = await dataOnSmallDisk(t, { part: '', sizeBytes: 4 * 1024 * 1024 });
    makeReadOnly(disk);
    await assertRefuses(
      data,
      /^The data directory .+ cannot be used: the file system is read-only \(EROFS\)\. Check --data, and that this user can write there\.$/,
    );
  });

  it('says in one sentence that the hour log is read-only', { skip: NO_MOUNTS }, async (t) => {
    const { data, disk } = await dataOnSmallDisk(t, { part: 'hour-log', sizeBytes: 4 * 1024 * 1024 });
    makeReadOnly(disk);
    await assertRefuses(data, /^The hour log .+ cannot be used: the file system is read-only \(EROFS\)\. Check .+\.$/);
  });

  it('says in one sentence that the data directory is a file, or lies below one', async (t) => {
    const file = join(await temporaryFolder(t), 'file');
    await writeFile(file, 'no folder');
    await assertRefuses(
      file,
      /^The data directory .+ cannot be used: a file stands where a folder should be \(ENOTDIR\)\. .+\.$/,
    );
    await assertRefuses(
      join(file, 'data'),
      /^The data directory .+ a file stands where a folder should be \(ENOTDIR\)\. .+\.$/,
    );
  });

  it('says in one sentence that a newer program has written the hour log, and changes nothing', async (t) => {
    const data = await newDataDirectory(t);
    await mkdir(join(data, 'hour-log'), { recursive: true });
    await writeFile(join(data, 'hour-log', 'format.json'), '{"version":2,"firstHour":498000}\n');
    await assertRefuses(
      data,
      /^The data directory has storage format 2; this program knows up to 1\. Run the version .+\.$/,
    );
  });

  it('says in one sentence that a newer program has written the catalog', async (t) => {
    const data = await newDataDirectory(t);
    const catalog = new DatabaseSync(join(data, 'catalog.sqlite'));
    catalog.exec(`INSERT INTO migration VALUES (1000, 'of-a-later-version', 0)`);
    catalog.close();
    await assertRefuses(
      data,
      /^The catalog .+ is of version 1000, but this program knows only versions up to \d+\. Run the version .+\.$/,
    );
  });

  it('says in one sentence that a restore was not finished', async (t) => {
    const data = await newDataDirectory(t);
    await writeFile(join(data, 'restore-unfinished'), '');
    await assertRefuses(
      data,
      /^The data directory .+ is the half of a restore that did not end; run tidegate restore again\. .+\.$/,
    );
  });
});

/** Starts the real program, which must end by itself with one sentence and exit code 1, and leave the directory as it was. */
async function assertRefuses(data: string, sentence: RegExp): Promise<void> {
  const before = await readdir(data, { recursive: true }).catch(() => []);
  const { exitCode, stdout, stderr } = await runTidegate('serve', '--data', data, '--listen', '127.0.0.1:0');
  assert.equal(stdout, '');
  const lines = stderr.split('\n').filter((line) => !line.startsWith('{')); // the log
  assert.match(lines.join('\n'), /^tidegate: [^\n]+\n$/, 'one line, no stack trace');
  assert.match(lines[0]!.replace(/^tidegate: /, ''), sentence);
  assert.equal(exitCode, 1);
  assert.deepEqual(await readdir(data, { recursive: true }).catch(() => []), before);
}

type Answer = { readonly status: number; readonly body: { readonly message?: string } };

/** Opens one connection and keeps it, because a process without files cannot take another. */
function openConnection(
  context: TestContext,
  { baseUrl }: ServerProcess,
): { post(name: string): Promise<Answer>; get(path: string): Promise<Answer> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  atEnd(context, () => agent.destroy());
  const ask = (method: string, path: string, body: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const outgoing = request(`${baseUrl}${path}`, { method, agent }, (response) => {
        json(response).then(
          (parsed) => resolve({ status: response.statusCode!, body: parsed as Answer['body'] }),
          reject,
        );
      });
      outgoing.once('error', reject).end(body);
    });
  return {
    get: (path) => ask('GET', path, ''),
    post: (name) =>
      ask(
        'POST',
        `/v3/${TEST_PROJECT.ai}/web/cstm`,
        JSON.stringify([
          { t: 'cstm', tm: 1, u: 'visitor', s: 'session', d: 'shop', n: name, var: { filler: '-'.repeat(1_000) } },
        ]),
      ),
  };
}
