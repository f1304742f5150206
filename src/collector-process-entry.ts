/** Entry of a collector process; started by collector-processes.ts and by nothing else. */
import { systemClock } from './lib/clock.ts';
import { parentChannel } from './lib/process-calls.ts';
import { runCollectorProcess } from './collector-process.ts';

// Ctrl-C reaches the whole group of processes; stopping in order is the parent's.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
runCollectorProcess(parentChannel(), systemClock);
