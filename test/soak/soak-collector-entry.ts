/** A collector process with the clock of soak-server-entry.ts; else as the product's own entry. */
import { parentChannel } from '../../src/lib/process-calls.ts';
import { runCollectorProcess } from '../../src/collector-process.ts';
import { ScaledClock, type ScaledTime } from './scaled-clock.ts';

process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
runCollectorProcess(parentChannel(), new ScaledClock(JSON.parse(process.env.SOAK_TIME ?? '') as ScaledTime));
