/**
 * Gives server events, which came in without a visitor, visitor and session of the last page with the same login user in the four
 * hours before. A worker job, after the seal and only for projects that sent server events.
 *
 * Steps, for each project: walk the hour's server events and sort them by login user and send time → walk the pages of the hour and
 * of the four before, and sort those of these login users in the same way → merge both: the last page that was passed is the one.
 * Sorting is done in temporary runs, so memory holds one chunk, a block of each run and the filter of login users, however many
 * there are and however many events one of them has.
 *
 * Invariants:
 * L1 The answer is a fact of the stored rows: it does not depend on how they lie in runs. Of pages with the same send time the one
 *    with the later time counts, then the one with the greater row id.
 * L2 Copies of an event get the same visitor and session, those of the first: else they would be no neighbours any more.
 * L3 An event that the hour before stored in its last ten minutes stays without a visitor, where that hour's tail has its key: so
 *    the two are neighbours, and it is dropped.
 *
 * What cannot be read of the hours before is done without and reported; damage of the hour itself is an error.
 */
import { findField } from '../../events/csv-line.ts';
import { columnsOf, type DataType } from '../../events/data-types.ts';
import { ROW_FLAGS } from '../../events/event-row.ts';
import { HOUR_MS } from '../../events/hour.ts';
import { ROW_ID_BYTES } from '../../events/ids.ts';
import { isSystemError } from '../../lib/system-error.ts';
import { isServerEvent } from './complete-runs.ts';
import { isLastingDamage } from './lasting-damage.ts';
import { LoginFilter } from './login-filter.ts';
import { mergeCursors } from './merge.ts';
import { decodeExtras, encodeExtras, KEY_TIME_BYTES, readKeyTime, writeKeyTime } from './record-codec.ts';
import { openCursors, readRun, readThrough, type IndexedRun, type RunCursor } from './run-reader.ts';
import { SortedRuns, type SortableRecord } from './sorted-runs.ts';

export type LinkServerEventsJob = {
  /** The hour's own runs. */
  readonly runPaths: readonly string[];
  /** The runs of the four hours before, whose pages count too. */
  readonly earlierRunPaths: readonly string[];
  /** Those of the hour before, whose tails tell which events are resends. */
  readonly tailRunPaths: readonly string[];
  readonly projects: readonly string[];
  readonly folder: string;
  readonly prefix: string;
};

export type LinkedRuns = {
  /** Names of the runs that hold the server events now. */
  readonly runs: readonly string[];
  /** What of the hours before could not be read, a sentence each. */
  readonly faults: readonly string[];
};

/** How long before an event the page of its login user may lie. */
export const LINK_HOURS = 4;
const LINK_MS = LINK_HOURS * HOUR_MS;

/** What is being merged is either. A page that came in the same millisecond as the event counts, so it is passed first. */
const PAGE = 0;
const EVENT = 1;
/**
 * The sort key of both: login user, NUL, send time, PAGE or EVENT, time, row id. A login user holds no NUL, so that none runs on
 * into what follows. An event's own time is not part of it, and is 0.
 */
const SORT_TAIL_BYTES = 1 + KEY_TIME_BYTES + 1 + KEY_TIME_BYTES + ROW_ID_BYTES;
/** What a row's key ends with: time and row id. */
const KEY_TAIL_BYTES = KEY_TIME_BYTES + ROW_ID_BYTES;

/** Links the server events of these projects. @throws AppError store_corrupt, format_too_new for the hour's own runs */
export function linkServerEvents(job: LinkServerEventsJob): LinkedRuns {
  const faults = new Set<string>();
  const output = new SortedRuns(job);
  try {
    for (const ai of job.projects) new ProjectLinker(job, ai, output, faults).link();
    output.finish();
  } catch (error) {
    output.abort();
    throw error;
  }
  return { runs: output.names, faults: [...faults] };
}

class ProjectLinker {
  readonly #ai: string;
  readonly #output: SortedRuns;
  readonly #faults: Set<string>;
  readonly #runs: readonly IndexedRun[];
  readonly #earlier: readonly IndexedRun[];
  readonly #tails: readonly IndexedRun[];
  readonly #events: SortedRuns;
  readonly #pages: SortedRuns;
  readonly #filter: LoginFilter;
  /** Between which send times a page may be the one of some event. */
  #fromMs = Infinity;
  #untilMs = -Infinity;

  constructor(job: LinkServerEventsJob, ai: string, output: SortedRuns, faults: Set<string>) {
    this.#ai = ai;
    this.#output = output;
    this.#faults = faults;
    this.#runs = job.runPaths.map(readRun);
    this.#earlier = job.earlierRunPaths.flatMap((path) => this.#tolerate(() => [readRun(path)], []));
    this.#tails = job.tailRunPaths.flatMap((path) => this.#tolerate(() => [readRun(path)], []));
    this.#events = new SortedRuns({ ...job, prefix: `${job.prefix}-events`, isTemporary: true });
    this.#pages = new SortedRuns({ ...job, prefix: `${job.prefix}-pages`, isTemporary: true });
    const groups = this.#runs.flatMap(({ index }) => index.groups);
    const mine = groups.filter(
      (group) => group.ai === ai && group.kind === 'custom_event' && group.part === 'incomplete',
    );
    this.#filter = new LoginFilter(mine.reduce((sum, { rows }) => sum + rows, 0));
  }

  link(): void {
    this.#output.beginGroup(this.#ai, 'custom_event');
    try {
      this.#sortEvents();
      this.#sortPages();
      this.#merge();
    } finally {
      this.#events.remove();
      this.#pages.remove();
    }
  }

  /** Sorts the events, each by the send time of its first copy. Resends across the hour's start are done with here. */
  #sortEvents(): void {
    this.#events.beginGroup(this.#ai, 'custom_event');
    let key = Buffer.alloc(0);
    let isPublished = false;
    let firstSendTimeMs = 0;
    const own = openCursors(this.#runs, this.#ai, 'custom_event', 'incomplete');
    for (const cursor of mergeCursors([...this.#openTails(), ...own])) {
      if (!isServerEvent(cursor)) break; // they come first
      const { block, keyStart, lineStart, flags, sendTimeMs } = cursor;
      if (block.compare(key, 0, key.length, keyStart, lineStart) !== 0) {
        key = Buffer.from(block.subarray(keyStart, lineStart));
        isPublished = (flags & ROW_FLAGS.published) !== 0;
        firstSendTimeMs = sendTimeMs;
      }
      if (flags & ROW_FLAGS.published) continue;
      const event = readEvent(cursor);
      if (isPublished) this.#output.add(completedEvent(event, undefined));
      else this.#addEvent(event, firstSendTimeMs);
    }
    this.#events.finish();
  }

  #addEvent(event: ServerEvent, firstSendTimeMs: number): void {
    const { login, key, line, extras, flags, sendTimeMs } = event;
    this.#filter.add(login, 0, login.length);
    this.#fromMs = Math.min(this.#fromMs, firstSendTimeMs - LINK_MS);
    this.#untilMs = Math.max(this.#untilMs, firstSendTimeMs + 1);
    const sortKey = sortKeyOf(login, firstSendTimeMs, EVENT);
    key.copy(sortKey, sortKey.length - ROW_ID_BYTES, key.length - ROW_ID_BYTES);
    const keyBytes = Buffer.alloc(2);
    keyBytes.writeUInt16LE(key.length);
    this.#events.add({
      bytes: Buffer.concat([sortKey, line, keyBytes, key, extras]),
      flags,
      sendTimeMs,
      keyBytes: sortKey.length,
      lineBytes: line.length,
    });
  }

  /** Opens the tails of the hour before, each looked through first, so that one that is damaged is left out whole. */
  #openTails(): readonly RunCursor[] {
    return this.#tails.flatMap((run) =>
      this.#tolerate(() => {
        for (const cursor of openCursors([run], this.#ai, 'custom_event', 'tail')) readThrough(cursor);
        return openCursors([run], this.#ai, 'custom_event', 'tail');
      }, []),
    );
  }

  #sortPages(): void {
    this.#pages.beginGroup(this.#ai, 'page');
    if (this.#fromMs < this.#untilMs) {
      for (const run of this.#earlier) this.#tolerate(() => this.#takePages(run), undefined);
      for (const run of this.#runs) this.#takePages(run);
    }
    this.#pages.finish();
  }

  #takePages(run: IndexedRun): void {
    for (const cursor of openCursors([run], this.#ai, 'page', 'rows')) {
      try {
        while (cursor.next()) this.#takePage(cursor);
      } finally {
        cursor.close();
      }
    }
  }

  /** Takes a page if its login user may be that of an event. Nearly all pages are passed over here, without a copy. */
  #takePage(cursor: RunCursor): void {
    const { block, keyStart, lineStart, extrasStart, recordEnd, sendTimeMs } = cursor;
    if (sendTimeMs < this.#fromMs || sendTimeMs >= this.#untilMs) return;
    const field = findField(block, lineStart, extrasStart, PAGE_LOGIN_PLACE);
    if (!field || field.start === field.end) return;
    let sortKey: Buffer;
    if (extrasStart === recordEnd) {
      if (!this.#filter.mayHave(block, field.start, field.end)) return;
      sortKey = sortKeyOf(block.subarray(field.start, field.end), sendTimeMs, PAGE);
    } else {
      const login = loginOf(cursor, field);
      if (!this.#filter.mayHave(login, 0, login.length)) return;
      sortKey = sortKeyOf(login, sendTimeMs, PAGE);
    }
    block.copy(sortKey, sortKey.length - KEY_TAIL_BYTES, lineStart - KEY_TAIL_BYTES, lineStart);
    const fieldsEnd = findField(block, lineStart, extrasStart, SESSION_PLACE)?.end ?? lineStart;
    const bytes = Buffer.concat([
      sortKey,
      block.subarray(lineStart, fieldsEnd),
      block.subarray(keyStart, lineStart - KEY_TAIL_BYTES),
    ]);
    this.#pages.add({ bytes, flags: 0, sendTimeMs, keyBytes: sortKey.length, lineBytes: fieldsEnd - lineStart });
  }

  /** Walks pages and events side by side, and gives each event the last page of its login user. */
  #merge(): void {
    const open = (sorted: SortedRuns, kind: DataType): readonly RunCursor[] =>
      openCursors(sorted.paths.map(readRun), this.#ai, kind, 'rows');
    let login = Buffer.alloc(0);
    let page: LastPage | undefined;
    for (const cursor of mergeCursors([...open(this.#pages, 'page'), ...open(this.#events, 'custom_event')])) {
      const { block, keyStart, lineStart, extrasStart, recordEnd, sendTimeMs, flags } = cursor;
      const loginEnd = lineStart - SORT_TAIL_BYTES;
      if (block.compare(login, 0, login.length, keyStart, loginEnd) !== 0) {
        login = Buffer.from(block.subarray(keyStart, loginEnd));
        page = undefined;
      }
      if (block[loginEnd + 1 + KEY_TIME_BYTES] === PAGE) {
        page = {
          sendTimeMs,
          fields: Buffer.from(block.subarray(lineStart, extrasStart)),
          keyHead: Buffer.from(block.subarray(extrasStart, recordEnd)),
        };
        continue;
      }
      const eventMs = readKeyTime(block, loginEnd + 1);
      const keyEnd = extrasStart + 2 + block.readUInt16LE(extrasStart);
      const event: ServerEvent = {
        login,
        key: block.subarray(extrasStart + 2, keyEnd),
        line: block.subarray(lineStart, extrasStart),
        extras: block.subarray(keyEnd, recordEnd),
        flags,
        sendTimeMs,
      };
      this.#output.add(completedEvent(event, page && page.sendTimeMs >= eventMs - LINK_MS ? page : undefined));
    }
  }

  /** Does what reads an hour before; damage there is reported and costs what could not be read. */
  #tolerate<Result>(read: () => Result, otherwise: Result): Result {
    try {
      return read();
    } catch (error) {
      // An hour past retention may vanish meanwhile.
      if (!isLastingDamage(error) && !isSystemError(error, 'ENOENT')) throw error;
      this.#faults.add(error instanceof Error ? error.message : String(error));
      return otherwise;
    }
  }
}

type ServerEvent = {
  readonly login: Buffer;
  readonly key: Buffer;
  readonly line: Buffer;
  /** What is kept beside the completed row. */
  readonly extras: Buffer;
  readonly flags: number;
  readonly sendTimeMs: number;
};

type LastPage = {
  readonly sendTimeMs: number;
  /** Visitor and session, as CSV fields and as the key begins. */
  readonly fields: Buffer;
  readonly keyHead: Buffer;
};

const placeOf = (dataType: DataType, name: string): number =>
  columnsOf(dataType).findIndex((column) => column.name === name);
const PAGE_LOGIN_PLACE = placeOf('page', 'loginUserId');
const EVENT_LOGIN_PLACE = placeOf('custom_event', 'loginUserId');
/** The second field in both tables, behind the visitor. */
const SESSION_PLACE = placeOf('page', 'sessionId');

function readEvent(cursor: RunCursor): ServerEvent {
  const { block, keyStart, lineStart, extrasStart, recordEnd, flags, sendTimeMs } = cursor;
  const field = findField(block, lineStart, extrasStart, EVENT_LOGIN_PLACE);
  const { tm: _tm, login: _login, ...extras } = decodeExtras(block.subarray(extrasStart, recordEnd));
  return {
    login: loginOf(cursor, field ?? { start: extrasStart, end: extrasStart }),
    key: block.subarray(keyStart, lineStart),
    line: block.subarray(lineStart, extrasStart),
    extras: encodeExtras(extras),
    flags,
    sendTimeMs,
  };
}

/**
 * Gives what stands for a login user: its field as it was written, since equal texts make equal fields; where the column was too
 * narrow for it, with the hash of the whole. No login user that fits can look like one of those: they are longer.
 */
function loginOf(
  { block, extrasStart, recordEnd }: RunCursor,
  { start, end }: { readonly start: number; readonly end: number },
): Buffer {
  const { login } = decodeExtras(block.subarray(extrasStart, recordEnd));
  const field = block.subarray(start, end);
  return login === undefined ? field : Buffer.concat([field, Buffer.from(`\u0001${login}`)]);
}

function sortKeyOf(login: Buffer, sendTimeMs: number, what: number): Buffer {
  const key = Buffer.alloc(login.length + SORT_TAIL_BYTES);
  login.copy(key);
  writeKeyTime(key, sendTimeMs, login.length + 1);
  key[login.length + 1 + KEY_TIME_BYTES] = what;
  return key;
}

/** Builds the record as it is exported: visitor and session in its line and in its key, if there are any. */
function completedEvent(
  { key, line, extras, flags, sendTimeMs }: ServerEvent,
  page: LastPage | undefined,
): SortableRecord {
  const fieldsEnd = page ? (findField(line, 0, line.length, SESSION_PLACE)?.end ?? 0) : 0;
  const newKey = page ? Buffer.concat([page.keyHead, key.subarray(key.length - KEY_TAIL_BYTES)]) : key;
  const lineStart = page?.fields ?? Buffer.alloc(0);
  return {
    bytes: Buffer.concat([newKey, lineStart, line.subarray(fieldsEnd), extras]),
    flags: flags & ~ROW_FLAGS.incomplete,
    sendTimeMs,
    keyBytes: newKey.length,
    lineBytes: lineStart.length + line.length - fieldsEnd,
  };
}
