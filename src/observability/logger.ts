/** The log: JSON lines on standard error, so that standard output stays for what a command prints. */
import { destination, pino, type Logger } from 'pino';

/** Opens the log. Error means that a person must act; expected aborts are info. Secrets and event bodies are never logged. */
export function openLogger(level: string): Logger {
  return pino({ level, base: null }, destination({ fd: 2, sync: true }));
}
