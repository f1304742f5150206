/** A clock that several processes share and a test sets: the time stands in a file. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Clock } from '../../src/lib/clock.ts';
import { isSystemError } from '../../src/lib/system-error.ts';

export class FileClock implements Clock {
  readonly #path: string;
  #lastMs = 0;

  constructor(path: string) {
    this.#path = path;
  }

  nowMs(): number {
    try {
      this.#lastMs = Number(readFileSync(this.#path, 'latin1'));
    } catch (error) {
      if (!isSystemError(error, 'EMFILE')) throw error; // a real clock needs no file
    }
    return this.#lastMs;
  }

  /** Sets the time for every process at once. */
  set(nowMs: number): void {
    writeFileSync(`${this.#path}.new`, String(nowMs));
    renameSync(`${this.#path}.new`, this.#path);
  }
}
