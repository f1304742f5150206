/**
 * The server as a process of its own, for tests that kill it: the real system, with a clock that the parent sets by message.
 *
 * Started by server-process.ts with the configuration as its argument; ends with its parent.
 */
import { openServer, type ServerConfig } from '../../src/system.ts';
import { FakeClock } from './fake-clock.ts';
import { testServerConfig } from './test-server.ts';

export type EntryArguments = { readonly data: string; readonly nowMs: number; readonly changes: Partial<ServerConfig> };

const { data, nowMs, changes } = JSON.parse(process.argv[2] ?? '') as EntryArguments;
const clock = new FakeClock(nowMs);
const server = await openServer({ ...testServerConfig(data, clock), ...changes });
process.on('message', (message: { readonly nowMs: number }) => {
  clock.set(message.nowMs);
  process.send?.({ nowMs: message.nowMs });
});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.once('SIGTERM', () => {
  void server.close().then(() => process.disconnect());
});
process.send?.({ port: server.port });
