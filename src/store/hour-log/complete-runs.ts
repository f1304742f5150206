/**
 * Completes the records that came in without a domain: finds it among the pages of the same runs. A worker job, after the seal.
 *
 * Incomplete records lie in groups of their own, sorted by the time of their page, and pages are sorted by their time: both are
 * merged side by side, so memory holds the pages of one instant and one chunk of completed records, however many there are.
 * Where no page is found the domain stays null. The same runs give the same bytes, so a second process that does the same work
 * at once does no harm. Server events lie first in their group and are left to link-server-events.ts.
 */
import { columnsOf } from '../../events/data-types.ts';
import { findField } from '../../events/csv-line.ts';
import { ROW_FLAGS, type RecordKind } from '../../events/event-row.ts';
import { pageRowId, ROW_ID_BYTES } from '../../events/ids.ts';
import { mergeCursors } from './merge.ts';
import { decodeExtras, encodeExtras, KEY_TIME_BYTES, writeKeyTime } from './record-codec.ts';
import { openCursors, readRun, type IndexedRun, type RunCursor } from './run-reader.ts';
import { SortedRuns } from './sorted-runs.ts';

export type CompleteRunsJob = {
  readonly runPaths: readonly string[];
  readonly folder: string;
  readonly prefix: string;
};

/** What was made, and what is still to do. */
export type CompletedRuns = {
  /** Names of the runs that hold the completed records. */
  readonly runs: readonly string[];
  /** Projects with server events, whose visitors are found by `linkServerEvents`; they are in none of these runs. */
  readonly serverEventProjects: readonly string[];
};

/** Completes the incomplete groups of these runs, but for server events. */
export function completeRuns({ runPaths, folder, prefix }: CompleteRunsJob): CompletedRuns {
  const runs = runPaths.map(readRun);
  const output = new SortedRuns({ folder, prefix });
  const serverEventProjects = new Set<string>();
  try {
    for (const { ai, kind } of incompleteGroups(runs)) {
      output.beginGroup(ai, kind);
      complete(runs, ai, kind, output, () => serverEventProjects.add(ai));
    }
    output.finish();
  } catch (error) {
    output.abort();
    throw error;
  }
  return { runs: output.names, serverEventProjects: [...serverEventProjects] };
}

function incompleteGroups(runs: readonly IndexedRun[]): readonly { readonly ai: string; readonly kind: RecordKind }[] {
  const groups = new Map<string, { readonly ai: string; readonly kind: RecordKind }>();
  for (const { index } of runs) {
    for (const { ai, kind, part } of index.groups) if (part === 'incomplete') groups.set(`${ai} ${kind}`, { ai, kind });
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

function complete(
  runs: readonly IndexedRun[],
  ai: string,
  kind: RecordKind,
  output: SortedRuns,
  onServerEvent: () => void,
): void {
  const domainPlace = columnsOf(kind as 'custom_event').findIndex((column) => column.name === 'domain');
  const pages = new PageJoin(openCursors(runs, ai, 'page', 'rows'));
  try {
    for (const cursor of mergeCursors(openCursors(runs, ai, kind, 'incomplete'))) {
      if (isServerEvent(cursor)) {
        onServerEvent();
        continue;
      }
      const {
        pid = '',
        tm = '0',
        ...extras
      } = decodeExtras(cursor.block.subarray(cursor.extrasStart, cursor.recordEnd));
      const domain = pages.findDomain(cursor, pageRowId(pid));
      addCompleted(output, cursor, domainPlace, domain, Number(tm), encodeExtras(extras));
    }
  } finally {
    pages.close();
  }
}

/** Adds the completed record: the page's domain in its line, its own time in its key. */
function addCompleted(
  output: SortedRuns,
  { block, keyStart, lineStart, extrasStart, flags, sendTimeMs }: RunCursor,
  domainPlace: number,
  domain: Buffer | undefined,
  timeMs: number,
  extras: Buffer,
): void {
  const key = Buffer.from(block.subarray(keyStart, lineStart));
  writeKeyTime(key, timeMs, key.length - ROW_ID_BYTES - KEY_TIME_BYTES);
  const at = findField(block, lineStart, extrasStart, domainPlace)?.start ?? extrasStart;
  output.begin(flags & ~ROW_FLAGS.incomplete, sendTimeMs);
  output.key(key, 0, key.length);
  output.line(block, lineStart, at);
  if (domain) output.line(domain, 0, domain.length);
  output.line(block, at, extrasStart);
  output.extras(extras, 0, extras.length);
}

/** Says whether an incomplete record is a server event: it alone has no visitor, so its key begins with the NUL behind one. */
export function isServerEvent({ block, keyStart }: RunCursor): boolean {
  return block[keyStart] === 0;
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
