/**
 * Calls between a process and its child over Node's IPC channel: each side answers calls by name and may call the other.
 *
 * Arguments and results are JSON. A call rejects when the other side throws, or when the channel closes before the answer. A
 * message that is no call of ours is left to others.
 */
/** One end of an IPC channel; see `parentChannel` for a child's. */
export interface CallChannel {
  /** Never throws and never emits an error: a channel that closed says so by 'disconnect'. */
  send(message: object): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  once(event: 'disconnect', listener: () => void): unknown;
}

type CallMessage = { readonly tidegateCall: number; readonly name: string; readonly argument: unknown };
type AnswerMessage = { readonly tidegateAnswer: number; readonly result?: unknown; readonly fault?: string };

export type CallHandlers = Readonly<Record<string, (argument: never) => unknown>>;

export class ProcessCalls {
  readonly #channel: CallChannel;
  readonly #handlers: CallHandlers;
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #calls = 0;
  #isClosed = false;

  constructor(channel: CallChannel, handlers: CallHandlers) {
    this.#channel = channel;
    this.#handlers = handlers;
    channel.on('message', (message) => this.#receive(message));
    channel.once('disconnect', () => {
      this.#isClosed = true;
      for (const { reject } of this.#waiting.values()) reject(closed());
      this.#waiting.clear();
    });
  }

  /** Calls the other side and resolves with what it returns. */
  call(name: string, argument: unknown): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#calls += 1;
      this.#waiting.set(this.#calls, { resolve, reject });
      this.#send({ tidegateCall: this.#calls, name, argument } satisfies CallMessage);
    });
  }

  #receive(message: unknown): void {
    if (typeof message !== 'object' || message === null) return;
    if ('tidegateCall' in message) void this.#answer(message as CallMessage);
    if ('tidegateAnswer' in message) this.#settle(message as AnswerMessage);
  }

  async #answer({ tidegateCall, name, argument }: CallMessage): Promise<void> {
    let answer: AnswerMessage;
    try {
      const handler = this.#handlers[name];
      if (!handler) throw new Error(`there is no call ${name}`);
      answer = { tidegateAnswer: tidegateCall, result: await handler(argument as never) };
    } catch (error) {
      answer = { tidegateAnswer: tidegateCall, fault: error instanceof Error ? error.message : String(error) };
    }
    this.#send(answer);
  }

  #settle({ tidegateAnswer, result, fault }: AnswerMessage): void {
    const waiting = this.#waiting.get(tidegateAnswer);
    this.#waiting.delete(tidegateAnswer);
    if (fault === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(fault));
  }

  #send(message: object): void {
    if (!this.#isClosed) this.#channel.send(message);
  }
}

/** The channel from this process to the one that forked it. */
export function parentChannel(): CallChannel {
  return {
    send: (message) => void process.send?.(message, undefined, undefined, () => undefined), // with a callback it emits no error
    on: (event, listener) => process.on(event, listener),
    once: (event, listener) => process.once(event, listener),
  };
}

function closed(): Error {
  return new Error('The other process has gone.');
}
