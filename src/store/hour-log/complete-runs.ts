/**
 * Completes the records that came in without a domain: finds it among the pages of the same runs. A worker job, after the seal.
 *
 * Incomplete records lie in groups of their own, sorted by the time of their page, and pages are sorted by their time: both are
 * merged side by side, so memory holds the pages of one instant and one chunk of completed records, however many there are.
 * Where no page is found the domain stays null. The same runs give the same bytes, so a second process that does the same work
 * at once does no harm.
 */
import { join } from 'node:path';
import { columnsOf } from '../../events/data-types.ts';
import { findField } from '../../events/csv-line.ts';
import { ROW_FLAGS, type RecordKind } from '../../events/event-row.ts';
import { pageRowId, ROW_ID_BYTES } from '../../events/ids.ts';
import { RUN_SUFFIX } from './layout.ts';
import { mergeCursors } from './merge.ts';
import { decodeExtras, encodeExtras, KEY_TIME_BYTES, writeKeyTime } from './record-codec.ts';
import { openCursors, readRun, type IndexedRun, type RunCursor } from './run-reader.ts';
import { RunWriter } from './run-writer.ts';

export type CompleteRunsJob = {
  readonly runPaths: readonly string[];
  readonly folder: string;
  readonly prefix: string;
};

type Completed = {
  readonly bytes: Buffer;
  readonly flags: number;
  readonly sendTimeMs: number;
  readonly keyBytes: number;
  readonly lineBytes: number;
};

/** Completed records are sorted in chunks of this size; each chunk may become a run. */
const CHUNK_BYTES = 32 * 1024 * 1024;

/** Completes the incomplete groups of these runs. Returns the names of the runs made, which hold the completed records. */
export function completeRuns({ runPaths, folder, prefix }: CompleteRunsJob): readonly string[] {
  const runs = runPaths.map(readRun);
  const output = new CompletedRuns(folder, prefix);
  try {
    for (const { ai, kind } of incompleteGroups(runs)) {
      let chunk: Completed[] = [];
      let chunkBytes = 0;
      for (const record of complete(runs, ai, kind)) {
        chunk.push(record);
        chunkBytes += record.bytes.length;
        if (chunkBytes < CHUNK_BYTES) continue;
        output.addGroup(ai, kind, chunk);
        output.endRun();
        chunk = [];
        chunkBytes = 0;
      }
      output.addGroup(ai, kind, chunk);
    }
    output.endRun();
  } catch (error) {
    output.abort();
    throw error;
  }
  return output.names;
}

function incompleteGroups(runs: readonly IndexedRun[]): readonly { readonly ai: string; readonly kind: RecordKind }[] {
  const groups = new Map<string, { readonly ai: string; readonly kind: RecordKind }>();
  for (const { index } of runs) {
    for (const { ai, kind, part } of index.groups) if (part === 'incomplete') groups.set(`${ai} ${kind}`, { ai, kind });
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

function* complete(runs: readonly IndexedRun[], ai: string, kind: RecordKind): Generator<Completed> {
  const domainPlace = columnsOf(kind as 'custom_event').findIndex((column) => column.name === 'domain');
  const pages = new PageJoin(openCursors(runs, ai, 'page', 'rows'));
  try {
    for (const cursor of mergeCursors(openCursors(runs, ai, kind, 'incomplete'))) {
      const {
        pid = '',
        tm = '0',
        ...extras
      } = decodeExtras(cursor.block.subarray(cursor.extrasStart, cursor.recordEnd));
      const domain = pages.findDomain(cursor, pageRowId(pid));
      yield build(cursor, domainPlace, domain, Number(tm), encodeExtras(extras));
    }
  } finally {
    pages.close();
  }
}

/** Builds the completed record: the page's domain in its line, its own time in its key. */
function build(
  cursor: RunCursor,
  domainPlace: number,
  domain: Buffer | undefined,
  timeMs: number,
  extras: Buffer,
): Completed {
  const { block, keyStart, lineStart, extrasStart } = cursor;
  const key = Buffer.from(block.subarray(keyStart, lineStart));
  writeKeyTime(key, timeMs, key.length - ROW_ID_BYTES - KEY_TIME_BYTES);
  const at = findField(block, lineStart, extrasStart, domainPlace)?.start ?? extrasStart;
  const line = Buffer.concat([
    block.subarray(lineStart, at),
    domain ?? Buffer.alloc(0),
    block.subarray(at, extrasStart),
  ]);
  return {
    bytes: Buffer.concat([key, line, extras]),
    flags: cursor.flags & ~ROW_FLAGS.incomplete,
    sendTimeMs: cursor.sendTimeMs,
    keyBytes: key.length,
    lineBytes: line.length,
  };
}

const PAGE_DOMAIN_PLACE = columnsOf('page').findIndex((column) => column.name === 'domain');

/** The pages, walked once beside the incomplete records: holds the pages of one visitor, session and time. */
class PageJoin {
  readonly #pages: Generator<RunCursor>;
  #page: RunCursor | undefined;
  /** Key without row id of the pages held, and their domains as CSV fields by row id in hex. */
  #heldKey = Buffer.alloc(0);
  #held = new Map<string, Buffer>();

  constructor(cursors: readonly RunCursor[]) {
    this.#pages = mergeCursors(cursors);
    this.#advance();
  }

  /** Finds the domain field of the page with this row id, for the record that the cursor stands on; records come in order. */
  findDomain(record: RunCursor, rowId: Buffer): Buffer | undefined {
    const key = record.block.subarray(record.keyStart, record.lineStart - ROW_ID_BYTES);
    if (!key.equals(this.#heldKey)) this.#hold(key);
    return this.#held.get(rowId.toString('hex'));
  }

  close(): void {
    this.#pages.return(undefined);
  }

  #hold(key: Buffer): void {
    this.#heldKey = Buffer.from(key);
    this.#held = new Map();
    while (this.#page) {
      const { block, keyStart, lineStart, extrasStart } = this.#page;
      const order = block.compare(key, 0, key.length, keyStart, lineStart - ROW_ID_BYTES);
      if (order > 0) return;
      if (order === 0) {
        const field = findField(block, lineStart, extrasStart, PAGE_DOMAIN_PLACE);
        const rowId = block.toString('hex', lineStart - ROW_ID_BYTES, lineStart);
        if (field && field.end > field.start)
          this.#held.set(rowId, Buffer.from(block.subarray(field.start, field.end)));
      }
      this.#advance();
    }
  }

  #advance(): void {
    const next = this.#pages.next();
    this.#page = next.done ? undefined : next.value;
  }
}

/** Writes chunks of completed records into runs; one run may hold the groups of many projects. */
class CompletedRuns {
  readonly names: string[] = [];
  readonly #folder: string;
  readonly #prefix: string;
  #writer: RunWriter | undefined;

  constructor(folder: string, prefix: string) {
    this.#folder = folder;
    this.#prefix = prefix;
  }

  addGroup(ai: string, kind: RecordKind, records: Completed[]): void {
    if (records.length === 0) return;
    this.#writer ??= this.#begin();
    this.#writer.beginGroup(ai, kind, 'rows');
    records.sort((a, b) => a.bytes.compare(b.bytes, 0, b.keyBytes, 0, a.keyBytes) || a.sendTimeMs - b.sendTimeMs);
    for (const { bytes, flags, sendTimeMs, keyBytes, lineBytes } of records) {
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
  }

  endRun(): void {
    this.#writer?.finish([], null);
    this.#writer = undefined;
  }

  abort(): void {
    this.#writer?.abort();
  }

  #begin(): RunWriter {
    const name = `${this.#prefix}-${String(this.names.length + 1).padStart(6, '0')}${RUN_SUFFIX}`;
    this.names.push(name);
    return new RunWriter(join(this.#folder, name));
  }
}
