/** A collector process with the clock of server-process-entry.ts; else as the product's own entry. */
import { parentChannel } from '../../src/lib/process-calls.ts';
import { runCollectorProcess } from '../../src/collector-process.ts';
import { FileClock } from './file-clock.ts';

process.on('disconnect', () => process.exit(0));
runCollectorProcess(parentChannel(), new FileClock(process.env.TEST_CLOCK_FILE ?? ''));
