/** What the threads of worker-pool.test.ts can do. */
import { readFileSync } from 'node:fs';

/** Gives the nice value of the thread that runs this: the 19th field of its stat, the 17th behind its name. */
export function niceOfThread(): number {
  const stat = readFileSync('/proc/thread-self/stat', 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
}

/** Reads a pipe to its end, in one call that cannot be ended. */
export function readPipe(path: string): string {
  return readFileSync(path, 'utf8');
}
