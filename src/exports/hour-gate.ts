/**
 * Lets one piece of work at a time into one project's hour, within this process: an export reads it, an erasure changes it.
 *
 * Between processes the tasks' leases do this: an erasure makes the task of its hour pending again, so an export that began before
 * publishes nothing.
 */
import type { Hour } from '../events/hour.ts';

export class HourGate {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs the work when all that came before it for the same hour has ended, well or not. */
  run<Result>(ai: string, hour: Hour, work: () => Promise<Result>): Promise<Result> {
    const name = `${ai} ${hour}`;
    const before = this.#last.get(name) ?? Promise.resolve();
    const running = before.then(work, work);
    this.#last.set(name, running);
    const leave = (): void => {
      if (this.#last.get(name) === running) this.#last.delete(name);
    };
    running.then(leave, leave);
    return running;
  }
}
