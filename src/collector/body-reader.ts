/**
 * Reads request bodies, bounded: each body, all bodies held at once, and all of one project.
 *
 * Only bytes that have arrived count, so a client that announces much and sends nothing holds nothing. A body that is refused is
 * thrown away as it comes, so that the client reads the answer instead of a broken connection.
 */
import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors/app-error.ts';

export type BodyReaderOptions = {
  readonly maxBodyBytes: number;
  /** Bytes of all bodies held at once. One project may hold a quarter of it. */
  readonly maxHeldBytes: number;
};

/** A body, which counts as held until `release` is called. */
export type HeldBody = { readonly bytes: Buffer; readonly release: () => void };

/** What is thrown away of a refused body before the connection is cut. */
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024;

export class BodyReader {
  readonly #options: BodyReaderOptions;
  #heldBytes = 0;
  readonly #heldByProject = new Map<string, number>();

  constructor(options: BodyReaderOptions) {
    this.#options = options;
  }

  /** Reads a body whole. @throws AppError too_large, overloaded, bad_request (the client broke off) */
  async read(request: IncomingMessage, ai: string): Promise<HeldBody> {
    const { maxBodyBytes } = this.#options;
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > maxBodyBytes) {
      discard(request);
      throw tooLarge(maxBodyBytes);
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    const release = (): void => {
      this.#hold(ai, -bytes);
      bytes = 0;
    };
    try {
      await readChunks(request, (chunk) => {
        chunks.push(chunk);
        bytes += chunk.length;
        this.#hold(ai, chunk.length);
        if (bytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
        if (this.#isOverfull(ai))
          throw new AppError('overloaded', 'The server holds as many bytes as it may.', { retryAfterSeconds: 1 });
      });
      return { bytes: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes), release };
    } catch (error) {
      release();
      if (!(error instanceof AppError)) throw new AppError('bad_request', 'The body broke off.', { cause: error });
      discard(request);
      throw error;
    }
  }

  #isOverfull(ai: string): boolean {
    const { maxHeldBytes } = this.#options;
    return this.#heldBytes > maxHeldBytes || this.#heldByProject.get(ai)! > maxHeldBytes / 4;
  }

  #hold(ai: string, bytes: number): void {
    this.#heldBytes += bytes;
    const held = (this.#heldByProject.get(ai) ?? 0) + bytes;
    if (held === 0) this.#heldByProject.delete(ai);
    else this.#heldByProject.set(ai, held);
  }
}

/**
 * Reads a body to its end; rejects when it breaks off, or with what `take` throws. By events, because an iterator costs several times
 * as much; they are not taken off a request that has ended, which costs something too and it has no more of them.
 */
function readChunks(request: IncomingMessage, take: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      request.off('data', onData);
      request.pause(); // the rest is not read before somebody decides what becomes of it
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      try {
        take(chunk);
      } catch (error) {
        fail(error as Error);
      }
    };
    const onClose = (): void => {
      if (!request.readableEnded) fail(new Error('The connection was closed.'));
    };
    request.on('data', onData).on('end', resolve).on('close', onClose).on('error', fail);
  });
}

/** Throws the rest of a body away as it comes, up to a bound. */
function discard(request: IncomingMessage): void {
  let discarded = 0;
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > MAX_DISCARDED_BYTES) request.destroy();
  });
  request.resume();
}

function tooLarge(maxBodyBytes: number): AppError {
  return new AppError('too_large', `The body is larger than the ${maxBodyBytes} bytes that are taken.`);
}
