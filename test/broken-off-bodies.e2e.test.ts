/** Clients that leave before their answer: nothing is stored, and nobody reads of a 200 that was never given. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { readMetrics } from './helpers/read-metrics.ts';
import { startTestServer, TEST_PROJECT } from './helpers/test-server.ts';
import { waitUntil } from './helpers/wait-until.ts';

test('A body that breaks off is counted as a request without an answer', async (t) => {
  const server = await startTestServer(t);
  const socket = connect(server.port, server.host);
  await once(socket, 'connect');
  const head = `POST /v3/${TEST_PROJECT.ai}/web/cstm HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`;
  await new Promise((resolve) => socket.write(`${head}[{"t":"cstm"`, resolve));
  socket.destroy();
  const requests = /^tidegate_collector_requests_total$/;
  await waitUntil('the request is counted', async () => (await readMetrics(server, requests)).length > 0);
  assert.deepEqual(await readMetrics(server, requests), ['tidegate_collector_requests_total{status="none"} 1']);
});
