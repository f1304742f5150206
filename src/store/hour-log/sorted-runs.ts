/**
 * Sorts any number of records into runs, in chunks of bounded size: each full chunk is sorted and ends a run. Whoever reads the
 * runs merges them. Synchronous: used in worker threads only.
 *
 * A run may hold the groups of many projects, a group of each at most. Memory: one chunk.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordKind } from '../../events/event-row.ts';
import { RUN_SUFFIX } from './layout.ts';
import { RunWriter } from './run-writer.ts';

/** A record to be sorted: key, line and extras one after the other. The line has its send time already. */
export type SortableRecord = {
  readonly bytes: Buffer;
  readonly flags: number;
  readonly sendTimeMs: number;
  readonly keyBytes: number;
  readonly lineBytes: number;
};

export type SortedRunsOptions = {
  readonly folder: string;
  /** Runs are named by this and a number. */
  readonly prefix: string;
  /** Temporary runs have names that count for nothing, and are not synced. */
  readonly isTemporary?: boolean;
};

const CHUNK_BYTES = 32 * 1024 * 1024;
/** What a record costs in memory beside its bytes, roughly. */
const RECORD_OVERHEAD_BYTES = 200;

export class SortedRuns {
  readonly names: string[] = [];
  readonly #options: SortedRunsOptions;
  #writer: RunWriter | undefined;
  #group: { readonly ai: string; readonly kind: RecordKind } | undefined;
  #chunk: SortableRecord[] = [];
  #chunkBytes = 0;

  constructor(options: SortedRunsOptions) {
    this.#options = options;
  }

  get paths(): readonly string[] {
    return this.names.map((name) => join(this.#options.folder, name));
  }

  /** Begins the records of a project and kind; each pair comes once only. */
  beginGroup(ai: string, kind: RecordKind): void {
    this.#writeChunk();
    this.#group = { ai, kind };
  }

  /** Adds a record to the group, in any order. */
  add(record: SortableRecord): void {
    this.#chunk.push(record);
    this.#chunkBytes += record.bytes.length + RECORD_OVERHEAD_BYTES;
    if (this.#chunkBytes >= CHUNK_BYTES) this.#endRun();
  }

  /** Makes all runs whole, and durable unless they are temporary. */
  finish(): void {
    this.#endRun();
  }

  /** Forgets the run at hand after an error. */
  abort(): void {
    this.#writer?.abort();
  }

  /** Deletes the runs, and forgets the one at hand. */
  remove(): void {
    this.abort();
    for (const path of this.paths) rmSync(path, { force: true });
  }

  #endRun(): void {
    this.#writeChunk();
    this.#writer?.finish([], null);
    this.#writer = undefined;
  }

  #writeChunk(): void {
    if (!this.#group || this.#chunk.length === 0) return;
    this.#writer ??= this.#begin();
    this.#writer.beginGroup(this.#group.ai, this.#group.kind, 'rows');
    this.#chunk.sort((a, b) => a.bytes.compare(b.bytes, 0, b.keyBytes, 0, a.keyBytes) || a.sendTimeMs - b.sendTimeMs);
    for (const { bytes, flags, sendTimeMs, keyBytes, lineBytes } of this.#chunk) {
      this.#writer.add({
        bytes,
        flags,
        sendTimeMs,
        keyStart: 0,
        lineStart: keyBytes,
        extrasStart: keyBytes + lineBytes,
        end: bytes.length,
      });
    }
    this.#chunk = [];
    this.#chunkBytes = 0;
  }

  #begin(): RunWriter {
    const { folder, prefix, isTemporary = false } = this.#options;
    const number = String(this.names.length + 1).padStart(6, '0');
    const name = `${prefix}-${number}${RUN_SUFFIX}${isTemporary ? '.tmp' : ''}`;
    this.names.push(name);
    return new RunWriter(join(folder, name), { syncs: !isTemporary });
  }
}
