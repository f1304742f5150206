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
import { HeldBytes } from './held-bytes.ts';
import { isLastingDamage } from './lasting-damage.ts';
import { LoginFilter } from './login-filter.ts';
import { mergeCursors } from './merge.ts';
import { findExtra, KEY_TIME_BYTES, readKeyTime, writeKeyTime } from './record-codec.ts';
import { openCursors, readRun, readThrough, type IndexedRun, type RunCursor } from './run-reader.ts';
import { SortedRuns } from './sorted-runs.ts';

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
 * The sort key of both: login user, NUL, send time, PAGE or EVENT, then time and row id as the row's own key ends with. A login user
 * holds no NUL, so that none runs on into what follows.
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
    output.remove(); // no other try has these names
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
  readonly #login = new LoginKey();
  /** What stands in a sort key between login user and row key: NUL, send time, PAGE or EVENT. */
  readonly #sortMiddle = Buffer.alloc(2 + KEY_TIME_BYTES);
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
    const key = new HeldBytes();
    let isPublished = false;
    let firstSendTimeMs = 0;
    const own = openCursors(this.#runs, this.#ai, 'custom_event', 'incomplete');
    for (const cursor of mergeCursors([...this.#openTails(), ...own])) {
      if (!isServerEvent(cursor)) break; // they come first
      const { block, keyStart, lineStart, extrasStart, flags, sendTimeMs } = cursor;
      if (!key.equals(block, keyStart, lineStart)) {
        key.hold(block, keyStart, lineStart);
        isPublished = (flags & ROW_FLAGS.published) !== 0;
        firstSendTimeMs = sendTimeMs;
      }
      if (flags & ROW_FLAGS.published) continue;
      if (!isPublished) {
        this.#addEvent(cursor, firstSendTimeMs);
        continue;
      }
      this.#output.begin(flags & ~ROW_FLAGS.incomplete, sendTimeMs);
      this.#output.key(block, keyStart, lineStart);
      this.#output.line(block, lineStart, extrasStart);
    }
    this.#events.finish();
  }

  /** Adds an event to be sorted. Its own key lies behind its line; what it was waiting with is not needed any more. */
  #addEvent(cursor: RunCursor, firstSendTimeMs: number): void {
    const { block, keyStart, lineStart, extrasStart, flags, sendTimeMs } = cursor;
    this.#fromMs = Math.min(this.#fromMs, firstSendTimeMs - LINK_MS);
    this.#untilMs = Math.max(this.#untilMs, firstSendTimeMs + 1);
    this.#login.read(cursor, EVENT_LOGIN_PLACE);
    this.#filter.add(this.#login.bytes, this.#login.start, this.#login.end);
    this.#events.begin(flags, sendTimeMs);
    this.#addSortKey(this.#events, cursor, firstSendTimeMs, EVENT);
    this.#events.line(block, lineStart, extrasStart);
    this.#events.extras(block, keyStart, lineStart);
  }

  #addSortKey(sorted: SortedRuns, { block, lineStart }: RunCursor, sendTimeMs: number, what: number): void {
    const { bytes, start, end } = this.#login;
    sorted.key(bytes, start, end);
    writeKeyTime(this.#sortMiddle, sendTimeMs, 1);
    this.#sortMiddle[1 + KEY_TIME_BYTES] = what;
    sorted.key(this.#sortMiddle, 0, this.#sortMiddle.length);
    sorted.key(block, lineStart - KEY_TAIL_BYTES, lineStart);
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
    const { block, keyStart, lineStart, extrasStart, sendTimeMs } = cursor;
    if (sendTimeMs < this.#fromMs || sendTimeMs >= this.#untilMs) return;
    const login = this.#login;
    login.read(cursor, PAGE_LOGIN_PLACE);
    if (login.start === login.end || !this.#filter.mayHave(login.bytes, login.start, login.end)) return;
    this.#pages.begin(0, sendTimeMs);
    this.#addSortKey(this.#pages, cursor, sendTimeMs, PAGE);
    this.#pages.line(block, lineStart, findField(block, lineStart, extrasStart, SESSION_PLACE)?.end ?? lineStart);
    this.#pages.extras(block, keyStart, lineStart - KEY_TAIL_BYTES);
  }

  /** Walks pages and events side by side, and gives each event the last page of its login user. */
  #merge(): void {
    const open = (sorted: SortedRuns, kind: DataType): readonly RunCursor[] =>
      openCursors(sorted.paths.map(readRun), this.#ai, kind, 'rows');
    const login = new HeldBytes();
    /** The last page: its send time, and visitor and session as CSV fields and as its key begins with them. */
    let pageMs = -Infinity;
    const fields = new HeldBytes();
    const keyHead = new HeldBytes();
    for (const cursor of mergeCursors([...open(this.#pages, 'page'), ...open(this.#events, 'custom_event')])) {
      const { block, keyStart, lineStart, extrasStart, recordEnd, sendTimeMs } = cursor;
      const loginEnd = lineStart - SORT_TAIL_BYTES;
      if (!login.equals(block, keyStart, loginEnd)) {
        login.hold(block, keyStart, loginEnd);
        pageMs = -Infinity;
      }
      if (block[loginEnd + 1 + KEY_TIME_BYTES] === PAGE) {
        pageMs = sendTimeMs;
        fields.hold(block, lineStart, extrasStart);
        keyHead.hold(block, extrasStart, recordEnd);
      } else {
        const isLinked = pageMs >= readKeyTime(block, loginEnd + 1) - LINK_MS;
        this.#addLinked(cursor, isLinked ? { fields, keyHead } : undefined);
      }
    }
  }

  /** Adds an event as it is exported: visitor and session in its line and in its key, if there are any. */
  #addLinked(
    { block, lineStart, extrasStart, recordEnd, flags, sendTimeMs }: RunCursor,
    page: { readonly fields: HeldBytes; readonly keyHead: HeldBytes } | undefined,
  ): void {
    const output = this.#output;
    output.begin(flags & ~ROW_FLAGS.incomplete, sendTimeMs);
    if (page) output.key(page.keyHead.bytes, 0, page.keyHead.length);
    output.key(block, page ? recordEnd - KEY_TAIL_BYTES : extrasStart, recordEnd);
    if (page) output.line(page.fields.bytes, 0, page.fields.length);
    const ownFields = findField(block, lineStart, extrasStart, SESSION_PLACE);
    output.line(block, page && ownFields ? ownFields.end : lineStart, extrasStart);
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

const placeOf = (dataType: DataType, name: string): number =>
  columnsOf(dataType).findIndex((column) => column.name === name);
const PAGE_LOGIN_PLACE = placeOf('page', 'loginUserId');
const EVENT_LOGIN_PLACE = placeOf('custom_event', 'loginUserId');
/** Behind the field of a login user that was cut, before its hash. */
const LOGIN_CUT = Buffer.of(1);
/** The second field in both tables, behind the visitor. */
const SESSION_PLACE = placeOf('page', 'sessionId');

/**
 * What stands for a login user: its field as it was written, since equal texts make equal fields; where the column was too narrow
 * for it, with the hash of the whole. No login user that fits can look like one of those: they are longer.
 */
class LoginKey {
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;

  /** Reads it from a page or an event; it may lie in the cursor's block. Empty where there is none. */
  read({ block, lineStart, extrasStart, recordEnd }: RunCursor, place: number): void {
    const field = findField(block, lineStart, extrasStart, place) ?? { start: 0, end: 0 };
    const hash = findExtra(block, extrasStart, recordEnd, 'login');
    this.bytes = hash
      ? Buffer.concat([block.subarray(field.start, field.end), LOGIN_CUT, block.subarray(hash.start, hash.end)])
      : block;
    this.start = hash ? 0 : field.start;
    this.end = hash ? this.bytes.length : field.end;
  }
}
