/** Entry of a collector process; started by collector-processes.ts and by nothing else. */
import { systemClock } from './lib/clock.ts';
import { parentChannel } from './lib/process-calls.ts';
import { runCollectorProcess } from './collector-process.ts';

// Ctrl-C reaches the whole group of processes, and systemd sends SIGTERM to each; stopping in order is the parent's.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => undefined);
// By SIGKILL, because an orderly exit waits for a disk that hangs. Nothing that was acknowledged is lost by it.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
runCollectorProcess(parentChannel(), systemClock);
