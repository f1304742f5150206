/**
 * Sends bytes of a package as an answer's body: one chunk is on its way to the client while the next is read.
 *
 * Bare writes instead of streams, and chunks that are used again: a stream in between and a fresh chunk for every 256 KiB took
 * three quarters of the time. Chunks of 1 MiB were no faster, chunks of 64 KiB a third slower.
 *
 * Memory: two chunks a download, one for what fits into one, and MAX_IDLE_CHUNKS kept for the next. A chunk comes back only when
 * the kernel has taken all of it; those of a download that failed are left to the garbage collector.
 */
import type { ServerResponse } from 'node:http';
import { AppError } from '../errors/app-error.ts';
import type { SentPackage } from '../packages/recent-packages.ts';

const CHUNK_BYTES = 256 * 1024;
const MAX_IDLE_CHUNKS = 16;

export class PackageSender {
  readonly #idleChunks: Buffer[] = [];

  /**
   * Sends bytes [from, until) and ends the answer, whose head is written. Says `left` when the client went away first.
   * @throws AppError store_corrupt when the package ends too early; whatever reading it throws
   */
  async send(
    answer: ServerResponse,
    { opened, from, until }: { readonly opened: SentPackage; readonly from: number; readonly until: number },
  ): Promise<'sent' | 'left'> {
    const left = Promise.withResolvers<'left'>();
    answer.once('close', () => left.resolve('left'));
    if (answer.closed || answer.destroyed) return 'left';
    const chunks = until - from > CHUNK_BYTES ? [this.#takeChunk(), this.#takeChunk()] : [this.#takeChunk()];
    let at = from;
    let reading = readChunk(opened, chunks[0]!, { from, until });
    for (let turn = 0; ; turn += 1) {
      const bytes = await Promise.race([reading, left.promise]);
      if (bytes === 'left') return 'left';
      at += bytes.length;
      const isLast = at === until;
      if (!isLast) {
        reading = readChunk(opened, chunks[(turn + 1) % chunks.length]!, { from: at, until });
        reading.catch(() => undefined); // it is looked at after this chunk is gone, or not at all
      }
      const outcome = await Promise.race([handOver(answer, bytes, isLast), left.promise]);
      if (outcome === 'left') return 'left';
      if (isLast) break;
    }
    for (const chunk of chunks) if (this.#idleChunks.length < MAX_IDLE_CHUNKS) this.#idleChunks.push(chunk);
    return 'sent';
  }

  #takeChunk(): Buffer {
    return this.#idleChunks.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
  }
}

async function readChunk(
  opened: SentPackage,
  chunk: Buffer,
  { from, until }: { readonly from: number; readonly until: number },
): Promise<Buffer> {
  const wanted = chunk.subarray(0, Math.min(CHUNK_BYTES, until - from));
  const bytesRead = await opened.read(wanted, from);
  if (bytesRead > 0 && bytesRead <= wanted.length) return wanted.subarray(0, bytesRead);
  throw new AppError('store_corrupt', `A package gives ${bytesRead} bytes instead of ${wanted.length}.`);
}

/** Hands bytes to the kernel; ends the answer with the last. A socket fails because its client is gone. */
function handOver(answer: ServerResponse, bytes: Buffer, isLast: boolean): Promise<'taken' | 'left'> {
  return new Promise((resolve) => {
    const done = (error?: Error | null): void => resolve(error ? 'left' : 'taken');
    if (isLast) answer.end(bytes, done);
    else answer.write(bytes, done);
  });
}
