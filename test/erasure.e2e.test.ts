/** Erasure: what a visitor left is nowhere under the data directory, and everybody else's rows are where they were. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { downloadPackage, ExportClient, getToken } from '../src/client/export-client.ts';
import { addHours, formatBeijingHour, hourEndMs, hourOf, HOUR_MS } from '../src/events/hour.ts';
import type { ReceiptDocument } from '../src/http/erasure-routes.ts';
import { exportRows, readRejected } from './helpers/export-rows.ts';
import { send, sendEvents } from './helpers/send-events.ts';
import { startTestServer, type TestServer } from './helpers/test-server.ts';
import { waitUntil } from './helpers/wait-until.ts';

const VICTIM = 'victim-7f3a';

describe('erasure', () => {
  it('removes a visitor', async (t) => {
    const server = await startTestServer(t);
    const hour = hourOf(server.clock.nowMs());
    await post(server, VICTIM);
    await post(server, `${VICTIM}-2`);
    server.clock.set(hourEndMs(hour));
    const before = await exportRows(server, hour);
    assert.equal(before.page.length, 2);
    server.clock.set(hourEndMs(hour) + 1000);
    const receipt = await erase(server, [VICTIM]);
    const done = await waitUntil('done', async () => {
      const polled = await poll(server, receipt.receiptId);
      return polled.status === 'done' && polled;
    });
    console.log(JSON.stringify(done, null, 1));
    console.log(await findBytes(server.data, VICTIM));
    const after = await exportRows(server, hour);
    assert.equal(after.page.length, 1);
  });
});

async function findBytes(folder: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path);
    const plain = path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
    if (plain.includes(text)) found.push(`${path}: ${plain.toString('latin1', plain.indexOf(text) - 5, plain.indexOf(text) + 40)}`);
  }
  return found;
}

async function post(server: TestServer, u: string): Promise<void> {
  const tm = server.clock.nowMs();
  const common = { u, s: 's-1', d: 'shop.example', p: '/', tm };
  await sendEvents(server, `/v3/${server.project.ai}/web/pv`, [
    { t: 'vst', ...common },
    { t: 'page', ...common },
    { t: 'clck', ...common, ptm: tm, e: [{ x: '/div', tm }, { x: '/a', tm }] },
    { t: 'cstm', u, s: 's-1', p: '/', tm, ptm: tm - 5, n: 'buy' },
    { t: 'cstm', u },
  ]);
}

async function erase(server: TestServer, ids: readonly string[]): Promise<ReceiptDocument> {
  const { ai, secret, clientId } = server.project;
  const auth = createHmac('sha256', secret).update(`projectId=${ai}&visitUserId=${ids.join(',')}`).digest('hex');
  const answer = await send(server, {
    path: `/${ai}/deleteVisitor?auth=${auth}`,
    headers: { 'Access-Token': clientId, 'Content-Type': 'application/json' },
    body: JSON.stringify({ visitUserId: ids }),
  });
  assert.equal(answer.status, 202, answer.text);
  return JSON.parse(answer.text) as ReceiptDocument;
}

async function poll(server: TestServer, receiptId: string): Promise<ReceiptDocument> {
  const { ai, secret, clientId } = server.project;
  const auth = createHmac('sha256', secret).update(`projectId=${ai}&receiptId=${receiptId}`).digest('hex');
  const answer = await send(server, {
    method: 'GET',
    path: `/${ai}/deleteVisitor?receiptId=${receiptId}&auth=${auth}`,
    headers: { 'Access-Token': clientId },
  });
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text) as ReceiptDocument;
}
