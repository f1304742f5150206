/**
 * Finds the tags that the actions of one prepared hour lack, and writes them into runs. A worker job of a back-fill.
 *
 * Steps: the actions are walked as an export walks them, so that only those that are exported get tags → the tags that rules find
 * are sorted in chunks, each written as a run of its own → the chunks are merged beside the tags that the hour has, and what the
 * hour has not is written into the runs that are to count. The chunks are deleted → what else the hour holds of the project is read:
 * an hour that could not be exported again with its tags is to stay as it was published.
 *
 * Memory: one chunk, then a block of each run. Disk: the tags twice. Nothing counts before the back-fill is committed.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tagLineTail, tagRowId } from '../events/action-tags.ts';
import { ROW_FLAGS } from '../events/event-row.ts';
import { formatUtcHour, type Hour } from '../events/hour.ts';
import { ROW_ID_BYTES } from '../events/ids.ts';
import { compileRules } from '../rules/rule-set.ts';
import type { Rule } from '../rules/rule.ts';
import { HourLogReader } from '../store/hour-log/hour-log-reader.ts';
import { RUN_SUFFIX } from '../store/hour-log/layout.ts';
import { mergeCursors } from '../store/hour-log/merge.ts';
import { encodeExtras } from '../store/hour-log/record-codec.ts';
import { openCursors, readRun, readThrough, type RunCursor } from '../store/hour-log/run-reader.ts';
import { RunWriter, type RunRecord } from '../store/hour-log/run-writer.ts';
import { TailKeys } from '../store/hour-log/tail-keys.ts';
import { StoredAction } from './stored-action.ts';

export type TagHourJob = {
  readonly storeRoot: string;
  readonly ai: string;
  readonly hour: Hour;
  readonly rules: readonly Rule[];
  /** Where the runs go. */
  readonly folder: string;
  /** Records of a chunk, and of a run. Default: 32 MiB. */
  readonly chunkBytes?: number | undefined;
};

/** The runs made, by name, and how many tags they hold. */
export type TaggedHour = { readonly runs: readonly string[]; readonly tags: number };

export interface TagJobs {
  tagHour(job: TagHourJob): Promise<TaggedHour>;
}

/** Runs the job in the calling thread. */
export const tagJobsInPlace: TagJobs = { tagHour: (job) => Promise.try(() => tagHour(job)) };

const CHUNK_BYTES = 32 * 1024 * 1024;
/** An empty visitor and an empty session, each with its NUL: a tag's row has neither column. */
const KEY_HEAD = Buffer.alloc(2);

/** Writes the tags that an hour lacks. @throws AppError store_corrupt, or the disk's own error; then nothing of them is left */
export function tagHour(job: TagHourJob): TaggedHour {
  try {
    const tagged = writeTags(job);
    if (tagged.tags > 0) readAll(job);
    return tagged;
  } catch (error) {
    for (const name of readdirSync(job.folder))
      if (name.startsWith(`${formatUtcHour(job.hour)}-`)) rmSync(join(job.folder, name), { force: true });
    throw error;
  }
}

/** Reads every record that the hour has of the project. @throws AppError store_corrupt, format_too_new */
function readAll({ storeRoot, ai, hour }: TagHourJob): void {
  const reader = new HourLogReader(storeRoot);
  for (const { kind } of reader.counts(hour, ai).kinds) {
    const cursors = reader.sortedCursors(hour, ai, kind);
    try {
      for (const cursor of cursors) readThrough(cursor);
    } finally {
      for (const cursor of cursors) cursor.close();
    }
  }
}

function writeTags(job: TagHourJob): TaggedHour {
  const reader = new HourLogReader(job.storeRoot);
  const chunks = writeChunks(job, reader);
  if (chunks.length === 0) return { runs: [], tags: 0 };
  const known = reader.sortedCursors(job.hour, job.ai, 'action_tag');
  const found = openCursors(chunks.map(readRun), job.ai, 'action_tag', 'rows');
  const runs = new TagRuns(job, 'tags');
  try {
    for (const tag of tagsNotKnown(known, found)) runs.add(tag);
    runs.endRun();
  } catch (error) {
    runs.abort();
    throw error;
  }
  for (const chunk of chunks) rmSync(chunk);
  return { runs: runs.names, tags: runs.tags };
}

/** Writes the tags of all exported actions into sorted chunks. Returns the chunks' paths. */
function writeChunks(job: TagHourJob, reader: HourLogReader): readonly string[] {
  const { chunkBytes = CHUNK_BYTES } = job;
  const rules = compileRules(job.rules);
  const runs = new TagRuns(job, 'chunk');
  let chunk: RunRecord[] = [];
  let bytes = 0;
  const write = (): void => {
    for (const tag of chunk.sort(compareTags)) runs.add(tag);
    runs.endRun();
    chunk = [];
    bytes = 0;
  };
  try {
    for (const cursor of exportedActions(reader, job)) {
      const action = new StoredAction(cursor);
      for (const ruleId of rules.match(action)) {
        const tag = buildTag(action, ruleId, cursor.sendTimeMs);
        chunk.push(tag);
        bytes += tag.end;
      }
      if (bytes >= chunkBytes) write();
    }
    write();
  } catch (error) {
    runs.abort();
    throw error;
  }
  return runs.names.map((name) => join(job.folder, name));
}

/** Walks the actions that an export of the hour holds: of equal ones the first, and none that the hour before published. */
function* exportedActions(reader: HourLogReader, { hour, ai }: TagHourJob): Generator<RunCursor> {
  const before = Buffer.alloc(ROW_ID_BYTES);
  let isFirst = true;
  for (const cursor of mergeCursors(reader.sortedCursors(hour, ai, 'action'))) {
    const { block, lineStart, flags } = cursor;
    const isRepeated = !isFirst && before.compare(block, lineStart - ROW_ID_BYTES, lineStart) === 0;
    if (isRepeated) continue;
    isFirst = false;
    block.copy(before, 0, lineStart - ROW_ID_BYTES, lineStart);
    if ((flags & ROW_FLAGS.published) === 0) yield cursor;
  }
}

/** Merges both and gives the found tags whose row id is not among the known ones, each once. */
function* tagsNotKnown(known: readonly RunCursor[], found: readonly RunCursor[]): Generator<RunRecord> {
  const isKnown = new Set(known);
  let rowId = Buffer.alloc(0);
  let pending: RunRecord | undefined;
  let hasKnown = false;
  for (const cursor of mergeCursors([...known, ...found])) {
    const { block, lineStart } = cursor;
    if (rowId.length === 0 || rowId.compare(block, lineStart - ROW_ID_BYTES, lineStart) !== 0) {
      if (pending && !hasKnown) yield pending;
      pending = undefined;
      hasKnown = false;
      rowId = Buffer.from(block.subarray(lineStart - ROW_ID_BYTES, lineStart));
    }
    if (isKnown.has(cursor)) hasKnown = true;
    else pending ??= copyOf(cursor);
  }
  if (pending && !hasKnown) yield pending;
}

function buildTag(action: StoredAction, ruleId: string, sendTimeMs: number): RunRecord {
  const key = Buffer.concat([KEY_HEAD, action.keyTime, tagRowId(action.rowId, ruleId)]);
  const line = Buffer.from(`${sendTimeMs}${tagLineTail(action.actionRequestId, ruleId)}`);
  const bytes = Buffer.concat([key, line, encodeExtras({ u: action.visitor })]);
  const extrasStart = key.length + line.length;
  return { bytes, flags: 0, sendTimeMs, keyStart: 0, lineStart: key.length, extrasStart, end: bytes.length };
}

function copyOf({ block, flags, sendTimeMs, keyStart, lineStart, extrasStart, recordEnd }: RunCursor): RunRecord {
  return {
    bytes: Buffer.from(block.subarray(keyStart, recordEnd)),
    flags,
    sendTimeMs,
    keyStart: 0,
    lineStart: lineStart - keyStart,
    extrasStart: extrasStart - keyStart,
    end: recordEnd - keyStart,
  };
}

function compareTags(a: RunRecord, b: RunRecord): number {
  return a.bytes.compare(b.bytes, 0, b.lineStart, 0, a.lineStart) || a.sendTimeMs - b.sendTimeMs;
}

/** Writes sorted tags into runs, each of a bounded size, with their tail and their line of the ledger. */
class TagRuns {
  readonly names: string[] = [];
  tags = 0;
  readonly #job: TagHourJob;
  readonly #word: string;
  #writer: RunWriter | undefined;
  #tail: TailKeys | undefined;
  #tagsOfRun = 0;
  #bytes = 0;

  /** `word` stands in the runs' names. */
  constructor(job: TagHourJob, word: string) {
    this.#job = job;
    this.#word = word;
  }

  add(tag: RunRecord): void {
    const { ai, hour, chunkBytes = CHUNK_BYTES } = this.#job;
    this.#writer ??= this.#begin();
    this.#writer.add(tag);
    (this.#tail ??= new TailKeys(hour)).add(ai, 'action_tag', tag);
    this.#tagsOfRun += 1;
    this.#bytes += tag.end;
    if (this.#bytes >= chunkBytes) this.endRun();
  }

  endRun(): void {
    if (!this.#writer) return;
    const { ai } = this.#job;
    this.#tail?.writeTo(this.#writer);
    this.#writer.finish([{ ai, line: 'action_tag', received: 0, ignored: 0, rows: this.#tagsOfRun }], null);
    this.tags += this.#tagsOfRun;
    this.#writer = undefined;
    this.#tail = undefined;
    this.#tagsOfRun = 0;
    this.#bytes = 0;
  }

  abort(): void {
    this.#writer?.abort();
  }

  #begin(): RunWriter {
    const { folder, hour, ai } = this.#job;
    const number = String(this.names.length + 1).padStart(6, '0');
    const name = `${formatUtcHour(hour)}-${this.#word}-${number}${RUN_SUFFIX}`;
    this.names.push(name);
    const writer = new RunWriter(join(folder, name));
    writer.beginGroup(ai, 'action_tag', 'rows');
    return writer;
  }
}
