/**
 * Lets each project make so many calls a second, and makes the calls beyond that wait their turn.
 *
 * Old scripts ask ten types in a row and read no status code, so a call is refused only when its turn is more than ten seconds
 * away. The window slides: in no span of one second do more calls begin than the project's limit says. Calls wait in order of arrival; one
 * whose client has hung up leaves the line, and those behind it move up.
 *
 * Memory: `callsPerSecond` numbers for each project that has called (only calls with a token come here, so no stranger can make
 * entries), and `callsPerSecond` × `maxWaitMs` / 1000 waiting calls for each project.
 */
import { performance } from 'node:perf_hooks';

const WINDOW_MS = 1000;

/** What became of a call that asked for its turn. */
export type Turn =
  | { readonly status: 'admitted' }
  | { readonly status: 'refused'; readonly retryAfterSeconds: number }
  /** The caller's signal was aborted while it waited. */
  | { readonly status: 'left' };

type Line = {
  /** When the calls of the last second began, oldest first; at most `callsPerSecond`. */
  readonly starts: number[];
  /** Called in order of arrival when a call's turn has come. */
  readonly waiting: Set<() => void>;
  timer: NodeJS.Timeout | undefined;
  /** Reads the project's limit, which may change while calls wait; never 0. */
  readonly limit: () => number;
};

/** Gives calls their turn. Several server processes share one limit through the process that started them. */
export interface CallTurns {
  /** Waits for this call's turn; a caller that goes away meanwhile says so by its signal. */
  take(ai: string, signal: AbortSignal): Promise<Turn>;
}

export class CallLimit implements CallTurns {
  readonly #callsPerSecondOf: (ai: string) => number;
  readonly #maxWaitMs: number;
  readonly #monotonicMs: () => number;
  readonly #lines = new Map<string, Line>();

  constructor(options: {
    /** The same for every project, or what each may; 0 means no limit. */
    readonly callsPerSecond: number | ((ai: string) => number);
    /** Default: 10 s. */
    readonly maxWaitMs?: number;
    /** A clock that is never stepped, in milliseconds. Default: the process's. */
    readonly monotonicMs?: () => number;
  }) {
    const { callsPerSecond } = options;
    this.#callsPerSecondOf = typeof callsPerSecond === 'number' ? () => callsPerSecond : callsPerSecond;
    this.#maxWaitMs = options.maxWaitMs ?? 10_000;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
  }

  /** Waits for a project's next turn. Never throws; resolves `left` when the signal is aborted first. */
  async take(ai: string, signal: AbortSignal): Promise<Turn> {
    if (signal.aborted) return { status: 'left' };
    if (this.#callsPerSecondOf(ai) === 0) return { status: 'admitted' };
    const line = this.#lineOf(ai);
    this.#admitDue(line);
    if (line.starts.length < line.limit()) {
      line.starts.push(this.#monotonicMs());
      return { status: 'admitted' };
    }
    if (this.#waitOfNextMs(line) > this.#maxWaitMs) {
      return { status: 'refused', retryAfterSeconds: Math.ceil(line.waiting.size / line.limit()) || 1 };
    }
    return this.#wait(line, signal);
  }

  #lineOf(ai: string): Line {
    let line = this.#lines.get(ai);
    if (!line) {
      line = { starts: [], waiting: new Set(), timer: undefined, limit: () => this.#callsPerSecondOf(ai) || Infinity };
      this.#lines.set(ai, line);
    }
    return line;
  }

  #wait(line: Line, signal: AbortSignal): Promise<Turn> {
    return new Promise((resolve) => {
      const leave = (): void => {
        line.waiting.delete(admit);
        this.#setTimer(line);
        resolve({ status: 'left' });
      };
      const admit = (): void => {
        signal.removeEventListener('abort', leave);
        resolve({ status: 'admitted' });
      };
      signal.addEventListener('abort', leave, { once: true });
      line.waiting.add(admit);
      this.#setTimer(line);
    });
  }

  /** Lets those begin whose turn has come; afterwards the line is full or nobody waits. */
  #admitDue(line: Line): void {
    const now = this.#monotonicMs();
    while (line.starts.length > 0 && now - line.starts[0]! >= WINDOW_MS) line.starts.shift();
    for (const admit of line.waiting) {
      if (line.starts.length >= line.limit()) break;
      line.waiting.delete(admit);
      line.starts.push(now);
      admit();
    }
    this.#setTimer(line);
  }

  /** How long a call at the end of a full line would wait. */
  #waitOfNextMs(line: Line): number {
    const limit = line.limit();
    const rounds = Math.floor(line.waiting.size / limit) + 1;
    const before = line.starts[line.waiting.size % limit]!; // the line is full
    return before + rounds * WINDOW_MS - this.#monotonicMs();
  }

  /** Keeps a timer running exactly while somebody waits. */
  #setTimer(line: Line): void {
    if (line.waiting.size === 0) {
      clearTimeout(line.timer);
      line.timer = undefined;
    } else if (line.timer === undefined) {
      const waitMs = Math.max(1, Math.ceil(line.starts[0]! + WINDOW_MS - this.#monotonicMs()));
      line.timer = setTimeout(() => {
        line.timer = undefined;
        this.#admitDue(line);
      }, waitMs);
    }
  }
}
