// The built server as a process of its own, with a clock that the benchmark sets ahead. Plain JavaScript over dist/, so that
// what is measured is what is installed, without the memory of Node's TypeScript support. Its options are the program's defaults,
// without the limits that would be measured instead of it.
import { SERVER_OPTIONS, serverConfigOf } from '../dist/commands/server-config.js';
import { parseOptions } from '../dist/config/parse-options.js';
import { openServer } from '../dist/system.js';

const { data, aheadMs = 0, changes } = JSON.parse(process.argv[2] ?? '{}');
const args = [
  ...['--data', data, '--listen', '127.0.0.1:0', '--log-level', 'error'],
  ...['--call-limit', '0', '--ingest-limit-bytes', '0'],
];
const { values } = parseOptions(args, {}, { options: SERVER_OPTIONS, required: [], takesPositionals: false });
let offsetMs = aheadMs;
const server = await openServer({
  ...serverConfigOf(values),
  clock: { nowMs: () => Date.now() + offsetMs },
  ...changes,
});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.on('SIGTERM', () => server.close().then(() => process.kill(process.pid, 'SIGKILL')));
process.on('message', (message) => {
  offsetMs = message.aheadMs;
});
process.send({ port: server.port, pid: process.pid });
