/**
 * Writes a run, group by group and in order. Synchronous: used in worker threads only.
 *
 * The run gets its name when `finish` has synced it, so a run that can be seen is whole. Memory: one block.
 */
import { closeSync, fdatasyncSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { randomBytes } from 'node:crypto';
import { crc32 } from '../../lib/crc32.ts';
import { ROW_FLAGS, type RecordKind } from '../../events/event-row.ts';
import type { ErasedCount, ReceiptCount } from '../hour-store.ts';
import { viewOf } from '../../lib/key-bytes.ts';
import {
  BLOCK_BYTES,
  BLOCK_HEADER_BYTES,
  RUN_MAGIC,
  RUN_RECORD_HEADER_BYTES,
  type RunGroup,
  type RunGroupPart,
  type RunIndex,
} from './run-format.ts';

/** One record to write: where its parts lie in `bytes`. The line holds its send time already. */
export type RunRecord = {
  readonly bytes: Buffer;
  readonly flags: number;
  readonly sendTimeMs: number;
  readonly keyStart: number;
  readonly lineStart: number;
  readonly extrasStart: number;
  readonly end: number;
};

/**
 * How much is written between two syncs. A file system that keeps data in order (ext4) lets the sync of an append wait for all that
 * other files have to write at that moment: of a whole run those were 50 ms.
 */
const SYNC_EVERY_BYTES = 1024 * 1024;

export class RunWriter {
  readonly #path: string;
  readonly #temporary: string;
  readonly #fd: number;
  readonly #groups: RunGroup[] = [];
  #group:
    { ai: string; kind: RecordKind; part: RunGroupPart; offset: number; rows: number; events: number } | undefined;
  #block = Buffer.allocUnsafeSlow(2 * BLOCK_BYTES);
  #view = viewOf(this.#block);
  #blockBytes = BLOCK_HEADER_BYTES;
  #offset = 0;
  #syncedBytes = 0;
  #isClosed = false;
  readonly #syncs: boolean;

  /** With `syncs` false the run does not outlive a loss of power: for runs that are read back and deleted at once. */
  constructor(path: string, { syncs = true }: { readonly syncs?: boolean } = {}) {
    this.#path = path;
    this.#syncs = syncs;
    this.#temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    this.#fd = openSync(this.#temporary, 'wx', 0o600);
    try {
      this.#push(Buffer.from(RUN_MAGIC, 'latin1'));
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  /** Begins the next group. Each group may come once only. */
  beginGroup(ai: string, kind: RecordKind, part: RunGroupPart): void {
    this.#endGroup();
    this.#group = { ai, kind, part, offset: this.#offset, rows: 0, events: 0 };
  }

  /** Adds a record to the group; the caller keeps the order. */
  add(record: RunRecord): void {
    const group = this.#group!;
    const payload = record.end - record.keyStart;
    const needed = RUN_RECORD_HEADER_BYTES + payload;
    if (this.#blockBytes + needed > BLOCK_BYTES && this.#blockBytes > BLOCK_HEADER_BYTES) this.#endBlock();
    if (this.#blockBytes + needed > this.#block.length) {
      this.#block = Buffer.allocUnsafeSlow(this.#blockBytes + needed);
      this.#view = viewOf(this.#block);
    }
    const view = this.#view;
    const at = this.#blockBytes;
    view.setUint32(at, needed - 4, true);
    view.setUint16(at + 4, record.flags, true);
    view.setUint16(at + 6, record.lineStart - record.keyStart, true);
    view.setUint32(at + 8, record.extrasStart - record.lineStart, true);
    view.setFloat64(at + 12, record.sendTimeMs, true);
    record.bytes.copy(this.#block, at + RUN_RECORD_HEADER_BYTES, record.keyStart, record.end);
    this.#blockBytes = at + needed;
    group.rows += 1;
    if (record.flags & ROW_FLAGS.firstOfEvent) group.events += 1;
  }

  /** Writes the index, makes the run durable and gives it its name. */
  finish(receipts: readonly ReceiptCount[], source: RunIndex['source'], erased: readonly ErasedCount[] = []): void {
    this.#endGroup();
    const index: RunIndex = {
      version: 1,
      groups: this.#groups,
      receipts,
      source,
      ...(erased.length > 0 && { erased }),
    };
    const json = Buffer.from(JSON.stringify(index));
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(json.length, 0);
    trailer.writeUInt32LE(crc32(json), 4);
    this.#push(json);
    this.#push(trailer);
    this.#push(Buffer.from(RUN_MAGIC, 'latin1'));
    if (this.#syncs) fsyncSync(this.#fd);
    this.#close();
    renameSync(this.#temporary, this.#path);
    if (!this.#syncs) return;
    syncFolderSync(dirname(this.#path));
  }

  /** Forgets the run after an error. */
  abort(): void {
    this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#fd);
  }

  #endGroup(): void {
    const group = this.#group;
    if (!group) return;
    this.#endBlock();
    if (group.rows > 0) this.#groups.push({ ...group, bytes: this.#offset - group.offset });
    this.#group = undefined;
  }

  #endBlock(): void {
    if (this.#blockBytes === BLOCK_HEADER_BYTES) return;
    const block = this.#block.subarray(0, this.#blockBytes);
    block.writeUInt32LE(this.#blockBytes - BLOCK_HEADER_BYTES, 0);
    block.writeUInt32LE(crc32(block.subarray(BLOCK_HEADER_BYTES)), 4);
    this.#push(block);
    this.#blockBytes = BLOCK_HEADER_BYTES;
  }

  #push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at);
    this.#offset += bytes.length;
    if (!this.#syncs || this.#offset - this.#syncedBytes < SYNC_EVERY_BYTES) return;
    fdatasyncSync(this.#fd);
    this.#syncedBytes = this.#offset;
  }
}

function syncFolderSync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
