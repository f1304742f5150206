/**
 * The click index as the event loop uses it: every call runs in a thread of its own, so that neither a sync nor a look-up that
 * reads the disk holds up a request.
 *
 * Clicks of requests that arrive together are added in one transaction, with one sync; while it runs, the next ones gather, bounded
 * by MAX_WAITING. The thread starts with the first call and dies with this process: what was answered is durable. A thread that has died
 * fails the calls it had and is started again by the next.
 */
import { Worker } from 'node:worker_threads';
import { AppError } from '../errors/app-error.ts';
import type { ActivationClaim, ClaimAnswer, ForgottenKey, IndexedClick } from './click-index-file.ts';
import type { ClickIndexCall, ClickIndexReply, ClickIndexSettings } from './click-index-thread.ts';

type WaitingClick = {
  readonly click: IndexedClick;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};
type RunningCall = { readonly resolve: (result: unknown) => void; readonly reject: (error: unknown) => void };

/** Its name in the data directory. */
export const CLICK_INDEX_FILE = 'ads.sqlite';

/** Clicks that may wait for their transaction, some 300 bytes each. */
const MAX_WAITING = 20_000;
const MAX_GROUP = 1_000;
const RETRY_AFTER_SECONDS = 5;

export class ClickIndex {
  readonly #settings: ClickIndexSettings;
  readonly #running = new Map<number, RunningCall>();
  readonly #waiting: WaitingClick[] = [];
  #thread: Worker | undefined;
  #pump: Promise<void> | undefined;
  #lastId = 0;
  #isClosed = false;

  /** Nothing is opened before the first call. */
  constructor(settings: ClickIndexSettings) {
    this.#settings = settings;
  }

  /** Says whether so many clicks wait that no more should be taken. */
  get isFull(): boolean {
    return this.#waiting.length >= MAX_WAITING;
  }

  /** Adds a click whose row is durable; durable itself when this returns. @throws AppError overloaded, store_unavailable, store_corrupt */
  add(click: IndexedClick): Promise<void> {
    if (this.isFull)
      return Promise.reject(new AppError('overloaded', 'Too many clicks wait.', { retryAfterSeconds: 1 }));
    const added = new Promise<void>((resolve, reject) => this.#waiting.push({ click, resolve, reject }));
    this.#pump ??= this.#addWaiting();
    return added;
  }

  /** Decides about activations; see `ClickIndexFile.claim`. */
  claim(claims: readonly ActivationClaim[], nowMs: number): Promise<ClaimAnswer> {
    return this.#call('claim', [claims, nowMs]) as Promise<ClaimAnswer>;
  }

  /** Says that the rows of these claims are durable. */
  async confirm(claims: readonly ActivationClaim[]): Promise<void> {
    await this.#call('confirm', [claims]);
  }

  /** Takes claims back whose rows were not written. */
  async release(claims: readonly ActivationClaim[]): Promise<void> {
    await this.#call('release', [claims]);
  }

  /** Forgets what is kept under these keys. */
  async forget(keys: readonly ForgottenKey[]): Promise<void> {
    await this.#call('forget', [keys]);
  }

  /** Leaves no byte of what was forgotten in the log; false when it is to be tried again. */
  wipe(): Promise<boolean> {
    return this.#call('wipe', []) as Promise<boolean>;
  }

  /** Deletes what is older than this. */
  async deleteBefore(limitMs: number): Promise<void> {
    await this.#call('deleteBefore', [limitMs]);
  }

  /** Finishes running calls and ends the thread. Later calls are refused. */
  async close(): Promise<void> {
    await this.#pump;
    this.#isClosed = true;
    const thread = this.#thread;
    if (!thread) return;
    const ended = new Promise((resolve) => thread.once('exit', resolve));
    thread.postMessage('close'); // read after all calls before it
    await ended;
  }

  async #addWaiting(): Promise<void> {
    await new Promise(setImmediate); // one turn of the event loop, so that clicks that arrived together are added together
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, MAX_GROUP);
      try {
        await this.#call('addClicks', [group.map(({ click }) => click)]);
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    // At once, and not when this promise is looked at: a click that is added in between would wait for ever.
    this.#pump = undefined;
  }

  #call<Name extends ClickIndexCall['name']>(
    name: Name,
    args: Extract<ClickIndexCall, { readonly name: Name }>['args'],
  ): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(unavailable('it is closed'));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#running.set(id, { resolve, reject });
      (this.#thread ??= this.#startThread()).postMessage({ id, name, args });
    });
  }

  #startThread(): Worker {
    const file = new URL(`./click-index-thread.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
    const thread = new Worker(file, { workerData: this.#settings });
    let fault: unknown;
    thread.on('message', (reply: ClickIndexReply) => {
      const call = this.#running.get(reply.id);
      this.#running.delete(reply.id);
      if ('error' in reply) call?.reject(errorOf(reply.error));
      else call?.resolve(reply.result);
    });
    thread.on('error', (error: unknown) => {
      fault = error;
    });
    thread.on('exit', () => {
      this.#thread = undefined;
      for (const { reject } of this.#running.values()) reject(unavailable('its thread ended', fault));
      this.#running.clear();
    });
    return thread;
  }
}

function errorOf({ code, message }: Extract<ClickIndexReply, { readonly error: object }>['error']): AppError {
  return new AppError(code, message, code === 'store_unavailable' ? { retryAfterSeconds: RETRY_AFTER_SECONDS } : {});
}

function unavailable(why: string, cause?: unknown): AppError {
  const options = { cause, retryAfterSeconds: RETRY_AFTER_SECONDS };
  return new AppError('store_unavailable', `The click index cannot be used: ${why}.`, options);
}
