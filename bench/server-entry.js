// The built server as a process of its own, with a clock that the benchmark sets ahead. Plain JavaScript over dist/, so that
// what is measured is what is installed, without the memory of Node's TypeScript support.
import { pino } from 'pino';
import { openServer } from '../dist/system.js';

const { data, aheadMs = 0, changes } = JSON.parse(process.argv[2] ?? '{}');
let offsetMs = aheadMs;
const server = await openServer({
  data,
  clock: { nowMs: () => Date.now() + offsetMs },
  logger: pino({ level: 'error' }),
  listen: { host: '127.0.0.1', port: 0 },
  collectors: 1,
  packageBytes: 64 * 1024 * 1024,
  gzip: 'auto',
  exportThreads: 0,
  exportAttempts: 8,
  segmentBytes: 64 * 1024 * 1024,
  syncs: true,
  retentionDays: 15,
  callsPerSecond: 0,
  ingestLimitBytesPerSecond: 0,
  maxBodyBytes: 8 * 1024 * 1024,
  maxDecodedBytes: 64 * 1024 * 1024,
  maxHeldBytes: 256 * 1024 * 1024,
  trustedProxies: [],
  ...changes,
});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.on('SIGTERM', () => server.close().then(() => process.kill(process.pid, 'SIGKILL')));
process.on('message', (message) => {
  offsetMs = message.aheadMs;
});
process.send({ port: server.port, pid: process.pid });
