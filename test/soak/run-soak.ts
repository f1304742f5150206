/**
 * A soak: clients send to a real server whose hours are short, while it is killed again and again; then every acknowledged event is
 * looked for in the exports.
 *
 * Steps: make a data directory → start → load, kills and the watch over the hours side by side → no more load and kills → wait for
 * the last hour → download and check everything → verify and ledgers → stop. The clock of the server runs faster and is never
 * set; it begins so that the load ends shortly before an hour does.
 */
import { once } from 'node:events';
import { statfs } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { openDataCatalog } from '../../src/catalog/data-catalog.ts';
import { ExportClient, getToken } from '../../src/client/export-client.ts';
import { formatBeijingHour, hourOf, hourStartMs, HOUR_MS } from '../../src/events/hour.ts';
import { waitFor } from '../../src/lib/clock.ts';
import { HOUR_START_MS } from '../helpers/event-rows.ts';
import { TEST_PROJECT } from '../helpers/test-server.ts';
import { checkExports, checkLedgers, verifyData } from './check-exports.ts';
import { EventAccount } from './event-account.ts';
import { HourWatch } from './hour-watch.ts';
import { KillLoop } from './kill-loop.ts';
import { ScaledClock, type ScaledTime } from './scaled-clock.ts';
import { SoakLoad } from './soak-load.ts';
import { patienceOf, scaleOf, type SoakOptions } from './soak-options.ts';
import type { SoakFindings } from './soak-report.ts';
import { SoakServer } from './soak-server.ts';

/** Between the end of the load and the end of its last hour: for requests that are still sent again, and for a start. */
const SLACK_MS = 5_000;
const PROGRESS_EVERY_MS = 60_000;
/** On disk, segments, runs and packages of an event together, with room to spare. */
const BYTES_PER_EVENT = 1_500;

/** Runs a soak in this folder. @throws Error when it cannot be brought to its end */
export async function runSoak(
  options: SoakOptions,
  folder: string,
  print: (line: string) => void,
): Promise<SoakFindings> {
  await requireRoom(folder, options);
  const data = join(folder, 'data');
  const time = beginTime(options);
  const clock = new ScaledClock(time);
  const first = hourOf(clock.nowMs());
  const catalog = await openDataCatalog(data, clock);
  await catalog.projects.create({
    ...TEST_PROJECT,
    createdAtMs: hourStartMs(first),
    exportEnabledAtMs: hourStartMs(first),
  });
  await catalog.close();
  const { collectors } = options;
  const server = new SoakServer({ data, time, port: await choosePort(), collectors }, join(folder, 'server.log'));
  const ending = new AbortController();
  try {
    await server.start();
    const client = await openClient(server.baseUrl, clock);
    const account = new EventAccount(options.clients);
    const begunAtMs = performance.now();
    const say = (line: string): void =>
      print(`${String(Math.round((performance.now() - begunAtMs) / 1000)).padStart(5)} s  ${line}`);
    const load = new SoakLoad({ ...options, baseUrl: server.baseUrl, account, clock });
    const kills = new KillLoop({
      ...options,
      server,
      clock,
      onKilled: (kind, recoveryMs) => say(`killed: ${kind}; all run again after ${(recoveryMs / 1000).toFixed(1)} s`),
    });
    const watch = new HourWatch({
      client,
      clock,
      onFinished: ({ hour, waitedMs, digests }) =>
        say(
          `hour ${formatBeijingHour(hour)} FINISHED ${(waitedMs / 1000).toFixed(1)} s after its end, ${digests.length} packages`,
        ),
    });
    const progress = setInterval(
      () => say(`${load.acknowledged.toLocaleString('en-US')} events acknowledged`),
      PROGRESS_EVERY_MS,
    );
    const loadEnd = new AbortController();
    const watching = watch.run(first, ending.signal);
    const killing = kills.run(loadEnd.signal);
    try {
      const loadMs = options.minutes * 60_000;
      await Promise.race([
        waitFor(loadMs, ending.signal),
        failureOf(load.ended),
        failureOf(watching),
        failureOf(killing),
      ]);
    } finally {
      loadEnd.abort();
      clearInterval(progress);
    }
    const loadSeconds = (performance.now() - begunAtMs) / 1000;
    await Promise.all([load.stop(), killing]);
    watch.endWith(hourOf(clock.nowMs()));
    say('the load has ended; waiting for the last hour');
    await watching;

    say('checking every row');
    const { packages, rows, faults } = await checkExports(client, watch.finished, account);
    const ledgers = await checkLedgers(
      data,
      watch.finished.map(({ hour }) => hour),
    );
    await server.stop();
    return {
      options,
      loadSeconds,
      account: account.summary(),
      load: load.counts,
      kills: kills.counts,
      failedStarts: server.failedStarts,
      waitedMs: watch.finished.map(({ waitedMs }) => waitedMs),
      packages,
      rows,
      ledger: ledgers.sums,
      ledgerFaults: ledgers.faults,
      verifyFaults: await verifyData(data),
      faults,
    };
  } finally {
    ending.abort();
    server.end();
  }
}

/** Never resolves; rejects when this does. */
function failureOf(running: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => void running.catch(reject));
}

async function requireRoom(folder: string, { minutes, eventsPerSecond }: SoakOptions): Promise<void> {
  const neededBytes = minutes * 60 * eventsPerSecond * BYTES_PER_EVENT;
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= neededBytes) return;
  throw new Error(`${folder} has ${bavail * bsize} bytes of free space; this soak may need ${neededBytes}`);
}

/** Has the clock begin so that the load ends a little before an hour ends. */
function beginTime(options: SoakOptions): ScaledTime {
  const scale = scaleOf(options);
  const { giveUpMs, answerMs } = patienceOf(options);
  const spanMs = (options.minutes * 60_000 + giveUpMs + answerMs + SLACK_MS) * scale;
  const startMs = HOUR_START_MS + Math.ceil(spanMs / HOUR_MS) * HOUR_MS - spanMs;
  return { begunAtMs: Date.now(), startMs, scale };
}

/** Finds a port that is free; the server takes the same one after each kill. */
async function choosePort(): Promise<number> {
  const server = createServer().listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server has one
  server.close();
  await once(server, 'close');
  return port;
}

async function openClient(baseUrl: string, clock: ScaledClock): Promise<ExportClient> {
  const { ai, uid, clientId, secret } = TEST_PROJECT;
  const token = await getToken({ baseUrl, clientId, secret, project: uid, ai, clock });
  return new ExportClient({ baseUrl, clientId, token, ai });
}
