/**
 * The server of a soak as a process of its own: the real system, with a clock that runs faster. Its log goes to standard error.
 *
 * Started by soak-server.ts with its configuration as argument; ends with its parent.
 */
import { EXPORT_LEASE_MS } from '../../src/exports/task-runner.ts';
import { openLogger } from '../../src/observability/logger.ts';
import { openServer } from '../../src/system.ts';
import { testServerConfig } from '../helpers/test-server.ts';
import { ScaledClock, type ScaledTime } from './scaled-clock.ts';

export type SoakServerArguments = {
  readonly data: string;
  readonly time: ScaledTime;
  readonly port: number;
  readonly collectors: number;
};

/** Small, so that segments are sorted and packages cut while an hour of the soak runs. */
const SEGMENT_BYTES = 16 * 1024 * 1024;
const PACKAGE_BYTES = 256 * 1024;
const EXPORT_THREADS = 2;

const { data, time, port, collectors } = JSON.parse(process.argv[2] ?? '') as SoakServerArguments;
process.env.SOAK_TIME = JSON.stringify(time); // for collector processes
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
const server = await openServer({
  ...testServerConfig(data, new ScaledClock(time)),
  logger: openLogger('info'),
  listen: { host: '127.0.0.1', port },
  collectors,
  collectorEntry: new URL('./soak-collector-entry.ts', import.meta.url),
  segmentBytes: SEGMENT_BYTES,
  packageBytes: PACKAGE_BYTES,
  exportThreads: EXPORT_THREADS,
  exportLeaseMs: EXPORT_LEASE_MS * time.scale, // in real time what it is: its heartbeats come in real time
});
process.once('SIGTERM', () => {
  void server.close().then(() => process.disconnect());
});
process.send?.('ready');
