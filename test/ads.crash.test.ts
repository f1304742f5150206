/** `kill -9` under clicks and activations with several collector processes: what was answered counts, and counts once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { downloadPackage } from '../src/client/export-client.ts';
import { formatBeijingHour, hourEndMs, hourOf } from '../src/events/hour.ts';
import { gunzipSync } from 'node:zlib';
import { exportClient } from './helpers/ask-server.ts';
import { HOUR_START_MS } from './helpers/event-rows.ts';
import { parseCsv } from './helpers/parse-csv.ts';
import { childPids, newDataDirectory, startServerProcess, type ServerProcess } from './helpers/server-process.ts';
import { addLink } from './helpers/tracking-links.ts';
import { TEST_PROJECT } from './helpers/test-server.ts';
import { waitUntil } from './helpers/wait-until.ts';

const HOUR = hourOf(HOUR_START_MS);
const DEVICES = 400;
const CLIENTS = 8;

const imeiOf = (device: number): string => String(860_000_000_000_000 + device);

/** Runs `work` for every device, several at a time. */
async function forDevices(devices: readonly number[], work: (device: number) => Promise<void>): Promise<void> {
  const left = [...devices];
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      for (let device = left.pop(); device !== undefined; device = left.pop()) await work(device);
    }),
  );
}

async function readTable(server: ServerProcess, dataType: 'ads_track_click' | 'ads_track_activation') {
  if (server.clock.nowMs() < hourEndMs(HOUR)) server.clock.set(hourEndMs(HOUR));
  const client = await exportClient(server);
  const answer = await waitUntil('the hour is FINISHED', async () => {
    const asked = await client.exportWholeHour({ date: formatBeijingHour(HOUR) });
    return asked.status === 'FINISHED' && asked;
  });
  const rows: { imei: string; linkName: string | null }[] = [];
  for (const link of answer.downloadLinks[dataType]) {
    const [header = [], ...records] = parseCsv(gunzipSync(await downloadPackage(link)).toString());
    const [imei, linkName] = [header.indexOf('imei'), header.indexOf('linkName')];
    for (const record of records) rows.push({ imei: record[imei] ?? '', linkName: record[linkName] ?? null });
  }
  return rows;
}

describe('kill -9 of collector processes under clicks and activations', () => {
  it('loses no answered click, and gives each device one activation, attributed', async (t) => {
    const data = await newDataDirectory(t);
    const start = (nowMs: number) => startServerProcess(t, { data, nowMs, changes: { collectors: 2 } });
    const first = await start(HOUR_START_MS + 60_000);
    const { linkId } = await addLink({ data }, 'Link');
    const clicked = new Set<number>();
    const answered = new Set<number>();
    const all = Array.from({ length: DEVICES }, (_, device) => device);
    const clickOn = async (server: ServerProcess, device: number): Promise<void> => {
      const url = `${server.baseUrl}/l/${linkId}?imei=${imeiOf(device)}`;
      const { status } = await fetch(url, { redirect: 'manual' }).catch(() => ({ status: 0 }));
      if (status === 302) clicked.add(device);
    };
    /** Sends a device's activation twice at once, as two of its requests that met a bad net. */
    const activate = async (server: ServerProcess, device: number): Promise<void> => {
      const event = { t: 'activate', tm: 1, u: `u-${device}`, imei: imeiOf(device) };
      const url = `${server.baseUrl}/app/${TEST_PROJECT.ai}/android/ctvt`;
      const post = () => fetch(url, { method: 'POST', body: JSON.stringify([event]) }).catch(() => ({ status: 0 }));
      if ((await Promise.all([post(), post()])).some(({ status }) => status === 200)) answered.add(device);
    };

    await forDevices(all.slice(0, 100), (device) => clickOn(first, device));
    // Each of the two processes is killed in turn while the others go on; the server starts another one.
    const killing = (async () => {
      for (const pid of childPids(first.pid)) {
        await waitUntil('clicks go on', () => clicked.size > 0);
        process.kill(pid, 'SIGKILL');
        await waitUntil('another process has started', () => {
          const pids = childPids(first.pid);
          return pids.length === 2 && !pids.includes(pid);
        });
      }
    })();
    await forDevices(all.slice(100), (device) => clickOn(first, device));
    await forDevices(all.slice(0, 200), (device) => activate(first, device));
    await killing;
    await first.kill('SIGKILL');

    const second = await start(HOUR_START_MS + 120_000);
    await forDevices(all, async (device) => {
      while (!clicked.has(device)) await clickOn(second, device);
    });
    await forDevices(all, (device) => activate(second, device));
    assert.equal(answered.size, DEVICES);

    const clicks = await readTable(second, 'ads_track_click');
    for (const device of clicked)
      assert.ok(
        clicks.some(({ imei }) => imei === imeiOf(device)),
        `the click of ${device}`,
      );
    const activations = await readTable(second, 'ads_track_activation');
    assert.deepEqual(activations.map(({ imei }) => imei).sort(), all.map(imeiOf).sort());
    const early = activations
      .filter(({ linkName }) => linkName === null)
      .map(({ imei }) => Number(imei) - 860_000_000_000_000);
    // A device may have activated before its click was answered; only those that were clicked before must be attributed.
    assert.ok(
      early.every((device) => device >= 100 && device < 200),
      `unattributed: ${early.join()}`,
    );
  });
});
