/** The log: JSON lines on standard error, so that standard output stays for what a command prints. */
import { destination, pino, type DestinationStream, type Logger } from 'pino';
import { formatBeijingHour, type Hour } from '../events/hour.ts';

/** Opens the log. Error means that a person must act; expected aborts are info. Secrets and event bodies are never logged. */
export function openLogger(level: string, output: DestinationStream = destination({ fd: 2, sync: true })): Logger {
  return pino({ level, base: null, serializers: { hour: nameHour } }, output);
}

/** Names an hour as commands and calls do, so that what a line of the log says can be asked for. */
function nameHour(hour: unknown): unknown {
  return Number.isSafeInteger(hour) ? formatBeijingHour(hour as Hour) : hour;
}
