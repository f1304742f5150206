/** A clock that several processes share and a test sets: the time stands in a file. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Clock } from '../../src/lib/clock.ts';

export class FileClock implements Clock {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  nowMs(): number {
    return Number(readFileSync(this.#path, 'latin1'));
  }

  /** Sets the time for every process at once. */
  set(nowMs: number): void {
    writeFileSync(`${this.#path}.new`, String(nowMs));
    renameSync(`${this.#path}.new`, this.#path);
  }
}
