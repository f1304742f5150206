/**
 * The server as a process of its own, for tests that kill it: the real system, with a clock that stands in a file.
 *
 * Started by server-process.ts with the configuration as its argument; ends with its parent.
 */
import { openServer, type ServerConfig } from '../../src/system.ts';
import { FileClock } from './file-clock.ts';
import { testServerConfig } from './test-server.ts';

export type EntryArguments = {
  readonly data: string;
  readonly clockFile: string;
  readonly changes: Partial<ServerConfig>;
};

const { data, clockFile, changes } = JSON.parse(process.argv[2] ?? '') as EntryArguments;
process.env.TEST_CLOCK_FILE = clockFile; // for collector processes
const server = await openServer({
  ...testServerConfig(data, new FileClock(clockFile)),
  collectorEntry: new URL('./collector-process-entry.ts', import.meta.url),
  ...changes,
});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.once('SIGTERM', () => {
  void server.close().then(() => process.disconnect());
});
process.send?.({ port: server.port, pid: process.pid });
