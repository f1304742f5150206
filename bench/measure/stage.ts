/** What a run has started and made; it is ended and removed in reverse, also when the run is broken off. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Close = () => unknown;

export class Stage {
  readonly #closers: Close[] = [];

  /** Adds what ends something; whoever ends it earlier calls what this returns. */
  add(close: Close): () => Promise<void> {
    let isClosed = false;
    const once = async (): Promise<void> => {
      if (isClosed) return;
      isClosed = true;
      await close();
    };
    this.#closers.push(once);
    return once;
  }

  /** Makes a folder that is removed at the end. */
  async folder(name: string): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), `tidegate-bench-${name}-`));
    this.add(() => rm(path, { recursive: true, force: true }));
    return path;
  }

  /** Ends everything, the last first. Goes on after a failure, and throws the first at the end. */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (let close = this.#closers.pop(); close; close = this.#closers.pop()) {
      try {
        await close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
