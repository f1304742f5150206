/** Erasure by a server that is killed half way, or that goes on taking events in several processes: nothing is left, nothing is lost. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { addHours, hourEndMs, hourOf, HOUR_MS } from '../src/events/hour.ts';
import { eraseVisitors, filesWith, pollReceipt, untilErased } from './helpers/erase-visitors.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { assertExportedOnce, EventStream, exportedNames, postNames } from './helpers/event-stream.ts';
import { NO_TRACE } from './helpers/machine-faults.ts';
import { newDataDirectory, startServerProcess, type ServerProcess } from './helpers/server-process.ts';
import { TEST_PROJECT } from './helpers/test-server.ts';
import { runTidegate } from './helpers/tidegate-command.ts';
import { waitUntil } from './helpers/wait-until.ts';

const HOUR = hourOf(HOUR_START_MS);
const VICTIM = 'victim-7f3a';

/** The files of the data directory that an erasure changes. */
type ErasedFiles = { readonly data: string; readonly run: string; readonly packageFile: string };

/** Where the server dies: at the n-th call of a kind, of one thread. Each n is a server of its own. */
type CrashPoint = {
  readonly name: string;
  readonly call: string;
  /** Only calls that name this file count. strace knows the first path of a call, and no file by its descriptor. */
  readonly path?: (files: ErasedFiles) => string;
  readonly counts?: readonly number[];
  /** It need not die within the erasure: the counts are spread over its whole life, and may miss it. */
  readonly isSpread?: boolean;
};

const CRASH_POINTS: readonly CrashPoint[] = [
  { name: 'before the lock has its name', call: 'link', path: ({ data }) => join(data, 'hour-log/rewrite-1') },
  { name: 'when an old package is deleted', call: 'unlink,unlinkat', path: ({ packageFile }) => packageFile },
  { name: 'before the first or second rewritten run has its name', call: 'rename', counts: [1, 2] },
  { name: 'when an old run is deleted', call: 'unlink,unlinkat', path: ({ run }) => run },
  { name: 'in a sync of the catalog', call: 'fdatasync', counts: [4, 8, 12, 16], isSpread: true },
  { name: "when the catalog's log is cut", call: 'ftruncate', counts: [2, 3], isSpread: true },
];

describe('a server that dies while it erases', { skip: NO_TRACE }, () => {
  for (const point of CRASH_POINTS) {
    it(`${point.name}: the next one goes on, and leaves nothing of the visitor and all of the others`, async (t) => {
      let deaths = 0;
      for (const count of point.counts ?? [1]) deaths += Number(await dieAndGoOn(t, point, count));
      assert.ok(point.isSpread === true || deaths > 0, 'no server died between the request and its end');
    });
  }
});

/** Says whether the server died while it was erasing, and not before or never. */
async function dieAndGoOn(t: TestContext, { name, call, path }: CrashPoint, count: number): Promise<boolean> {
  const data = await newDataDirectory(t);
  const changes = { segmentBytes: 4 * 1024, collectors: 1 };
  const nowMs = HOUR_START_MS + HOUR_MS + 60_000;
  const names = Array.from({ length: 120 }, (_, place) => `other-${place}`);
  const first = await startServerProcess(t, { data, nowMs: HOUR_START_MS + 60_000, changes });
  for (let from = 0; from < names.length; from += 20) {
    await postVictim(first);
    assert.ok(await postNames(first.baseUrl, names.slice(from, from + 20)));
  }
  first.clock.set(nowMs);
  await exportedNames(first.baseUrl, first.clock, HOUR);
  await postVictim(first); // in the hour that is open now
  await first.kill('SIGTERM');

  // Those that hold the visitor: others are left as they are, and a folder lists its files in no order.
  const holding = await filesWith(data, VICTIM);
  const run = holding.find((path) => path.endsWith('.run'));
  const packageFile = holding.find((path) => path.endsWith('.csv.gz'));
  assert.ok(run !== undefined && packageFile !== undefined, holding.join(' '));
  const file = path?.({ data, run, packageFile });
  // With a path: at whichever call on it, since strace counts the thread's other calls too.
  const when = file === undefined ? String(count) : '1+';
  const filter = [
    ...(file === undefined ? [] : ['-P', file]),
    '-e',
    `trace=${call}`,
    '-e',
    `inject=${call}:signal=SIGKILL:when=${when}`,
  ];
  // With seccomp a signal at one call alone is often lost: strace sees the call, which returns, and the thread lives on.
  const seccomp = file === undefined ? ['--seccomp-bpf'] : [];
  const under = ['strace', '-f', ...seccomp, '-qqq', '-o', '/dev/null', ...filter] as const;
  const doomed = await startServerProcess(t, { data, nowMs, changes, under: [...under] }).catch(() => undefined);
  const asked = doomed && (await ask(doomed).catch(() => undefined));
  let hasDied = false;
  if (doomed) {
    doomed.clock.set(hourEndMs(addHours(HOUR, 1)));
    let isGone = false;
    void doomed.ended.then(() => (isGone = true));
    // A call fails a moment before the death is known.
    const untilGone = (): Promise<boolean> => waitUntil('the server that gave no answer is dead', () => isGone);
    hasDied =
      asked === undefined
        ? (await untilGone()) && file !== undefined // such a file is touched by an erasure alone: it died before its answer had come
        : await untilErased(serverOf(doomed), asked).then(() => false, untilGone);
    await doomed.kill('SIGKILL');
  }

  const last = await startServerProcess(t, { data, nowMs: hourEndMs(addHours(HOUR, 1)), changes });
  await untilErased(serverOf(last), asked ?? (await ask(last)));
  assert.deepEqual(await filesWith(data, VICTIM), [], `${name} ${count}`);
  const exported = await exportedNames(last.baseUrl, last.clock, HOUR);
  assert.deepEqual(exported.toSorted(), names.toSorted(), `${name} ${count}`);
  assert.deepEqual(await exportedNames(last.baseUrl, last.clock, addHours(HOUR, 1)), []);
  await last.kill('SIGTERM');
  const { exitCode, stdout } = await runTidegate('verify', '--data', data);
  assert.equal(exitCode, 0, stdout);
  return hasDied;
}

function serverOf({ baseUrl }: ServerProcess) {
  return { baseUrl, project: TEST_PROJECT };
}

/** Asks for the erasure; gives the receipt's id. */
async function ask(server: ServerProcess): Promise<string> {
  return (await eraseVisitors(serverOf(server), [VICTIM])).receiptId;
}

describe('an erasure behind a server that died', () => {
  it("takes server events of the visitor's login user in an hour that nobody had prepared", async (t) => {
    const data = await newDataDirectory(t);
    const changes = { collectors: 1 };
    const first = await startServerProcess(t, { data, nowMs: HOUR_START_MS + 60_000, changes });
    await post(first, 'web/pv', { t: 'page', u: VICTIM, s: 's', d: 'shop', p: '/', tm: 5, cs1: 'login-of-victim' });
    await first.kill('SIGKILL');
    const second = await startServerProcess(t, { data, nowMs: hourEndMs(HOUR) + 10, changes });
    await post(second, 's2s/cstm', { t: 'cstm', tm: 6, n: 'paid', cs1: 'login-of-victim' });
    await second.kill('SIGKILL');
    // The system's clock is behind both hours, which are sealed by the command.
    const erase = ['erase', '--data', data, '--ai', TEST_PROJECT.ai, '--visitor', VICTIM, '--wait'] as const;
    const erased = await runTidegate(...erase);
    assert.equal(erased.exitCode, 0, erased.stderr);
    assert.deepEqual(await filesWith(data, 'login-of-victim'), []);
  });
});

async function post({ baseUrl }: ServerProcess, path: string, event: object): Promise<void> {
  const url = `${baseUrl}/v3/${TEST_PROJECT.ai}/${path}`;
  const response = await fetch(url, { method: 'POST', body: JSON.stringify([event]) });
  assert.equal(response.status, 200);
}

async function postVictim({ baseUrl }: ServerProcess, n = 'gone'): Promise<void> {
  const response = await fetch(`${baseUrl}/v3/${TEST_PROJECT.ai}/web/cstm`, {
    method: 'POST',
    body: JSON.stringify([
      { t: 'cstm', tm: 1, u: VICTIM, s: 's', d: 'd', n },
      { t: 'cstm', u: VICTIM },
    ]),
  });
  assert.equal(response.status, 200);
}

describe('erasures beside collectors that go on', () => {
  it('take the visitor out of every hour, and not one event of the others', async (t) => {
    const data = await newDataDirectory(t);
    const server = await startServerProcess(t, {
      data,
      nowMs: HOUR_START_MS + 60_000,
      changes: { collectors: 2, segmentBytes: 64 * 1024 },
    });
    const stream = new EventStream(t, {
      baseUrl: () => server.baseUrl,
      clients: 4,
      eventsPerRequest: 5,
      pauseMs: 5,
      prefix: 'e',
      resends: true,
    });
    const receipts: string[] = [];
    for (let place = 0; place < 3; place += 1) {
      await postVictim(server);
      await stream.reach(stream.acknowledged.size + 300);
      server.clock.set(server.clock.nowMs() + 1_000);
      receipts.push(await ask(server));
      await stream.reach(stream.acknowledged.size + 300);
      server.clock.set(hourEndMs(addHours(HOUR, place)) + 60_000);
    }
    await stream.stop();
    server.clock.set(hourEndMs(addHours(HOUR, 3)));
    const names: string[] = [];
    for (let place = 0; place < 4; place += 1)
      names.push(...(await exportedNames(server.baseUrl, server.clock, addHours(HOUR, place))));
    await waitUntil('all erasures are done', async () => {
      const polled = await Promise.all(receipts.map((id) => pollReceipt(serverOf(server), id)));
      return polled.every(({ status }) => status === 'done');
    });
    assert.deepEqual(await filesWith(data, VICTIM), []);
    assertExportedOnce(stream.acknowledged, names);
  });
});
