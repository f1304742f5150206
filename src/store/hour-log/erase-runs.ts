/**
 * Finds the records of visitors in runs, and writes runs anew without them. Worker jobs, of one project each.
 *
 * A run written anew holds everything else as it was: other projects' records, the receipts, the order. What is missing is counted in its index,
 * so that the ledger of the next export balances. Incomplete records of the project are left out as a whole: the hour is prepared,
 * so each was completed into another run, and what could be erased of a server event there would be left here.
 *
 * Memory: one block to read and one to write, the ids of the erased activations and clicks, and the owners of clicks; each bounded.
 */
import { findFields, readField } from '../../events/csv-line.ts';
import { keyOfOwner, MAX_CLICK_OWNERS, ownersOf, type ClickOwner, type ErasedClick } from '../../events/click-owner.ts';
import { columnsOf, type DataType } from '../../events/data-types.ts';
import { ROW_FLAGS, type RecordKind } from '../../events/event-row.ts';
import { ROW_ID_BYTES } from '../../events/ids.ts';
import type { ErasedCount, ReceiptCount } from '../hour-store.ts';
import { readErasedClick } from './click-matcher.ts';
import { decodeExtras, ledgerLineOfCode } from './record-codec.ts';
import type { RunGroup } from './run-format.ts';
import { readRun, RunCursor, type IndexedRun } from './run-reader.ts';
import { RunWriter } from './run-writer.ts';
import { VisitorMatcher, type Erased } from './visitor-matcher.ts';

export type FindVisitorsJob = {
  readonly runPaths: readonly string[];
  readonly ai: string;
  readonly erased: readonly Erased[];
};

export type RewriteRunsJob = {
  readonly runs: readonly { readonly from: string; readonly to: string }[];
  readonly ai: string;
  readonly erased: readonly Erased[];
};

/** What one erasure takes of one kind of record. */
export type FoundCount = { readonly erasure: number; readonly kind: RecordKind; readonly rows: number };

export type FoundVisitors = {
  /** The runs that must be written anew. */
  readonly runPaths: readonly string[];
  /** Records that count for the ledger; the same record's key in a tail, or its incomplete form, is not counted again. */
  readonly counts: readonly FoundCount[];
  /** The activations among them, for whoever remembers devices. */
  readonly activations: readonly ErasedActivation[];
  /** The clicks among them, for whoever remembers clicks. */
  readonly clicks: readonly ErasedClick[];
  /** By what clicks of the visitors are known, from the rows that go. */
  readonly owners: readonly FoundOwner[];
};

/** An owner of clicks, and the erasure that it is of. */
export type FoundOwner = { readonly erasure: number; readonly owner: ClickOwner };

/** By what a device may be remembered of which an activation is erased. */
export type ErasedActivation = {
  readonly visitor: string | null;
  readonly idfa: string | null;
  readonly idfv: string | null;
  readonly imei: string | null;
  readonly androidId: string | null;
  readonly oaid: string | null;
};

/** A visitor has one activation a device, and some clicks; beyond this many of an hour, the rest is not told. */
const MAX_TOLD = 10_000;

/** Looks through the runs of an hour. @throws AppError store_corrupt */
export function findVisitors({ runPaths, ai, erased }: FindVisitorsJob): FoundVisitors {
  const matcher = new VisitorMatcher(erased);
  const counts = new Map<string, { erasure: number; kind: RecordKind; rows: number }>();
  const activations: ErasedActivation[] = [];
  const clicks: ErasedClick[] = [];
  const owners = new Map<string, FoundOwner>();
  const holding = new Set<string>();
  const runs = runPaths.map(readRun);
  for (const { path, group, cursor } of recordsOf(runs, ai, matcher)) {
    const erasure = matcher.match(group.kind, partsOf(cursor));
    if (erasure === undefined) continue;
    holding.add(path);
    if (group.part !== 'rows') continue;
    const name = `${erasure} ${group.kind}`;
    const count = counts.get(name) ?? { erasure, kind: group.kind, rows: 0 };
    counts.set(name, count);
    count.rows += 1;
    if (group.kind === 'ads_track_activation' && activations.length < MAX_TOLD) activations.push(activationOf(cursor));
    if (group.kind === 'ads_track_click' && clicks.length < MAX_TOLD) clicks.push(readErasedClick(partsOf(cursor)));
    for (const owner of clickOwnersOf(group.kind, cursor))
      if (owners.size < MAX_CLICK_OWNERS) owners.set(`${erasure} ${keyOfOwner(owner)}`, { erasure, owner });
  }
  if (holding.size > 0)
    for (const { path, index } of runs)
      if (index.groups.some((group) => group.ai === ai && group.part === 'incomplete')) holding.add(path);
  return {
    runPaths: runPaths.filter((path) => holding.has(path)),
    counts: [...counts.values()],
    activations,
    clicks,
    owners: [...owners.values()],
  };
}

/** Reads what the rows of a kind tell of devices. */
function clickOwnersOf(kind: RecordKind, cursor: RunCursor): readonly ClickOwner[] {
  const { sendTimeMs } = cursor;
  if (kind === 'ads_track_activation') {
    const { idfa, idfv, imei, androidId, oaid } = activationOf(cursor);
    const read = fieldReader(kind, cursor);
    const origin = { ip: read('ip'), userAgent: read('userAgent'), linkId: read('linkId'), sendTimeMs };
    return ownersOf({ ids: [idfa, idfv, imei, androidId, oaid], ...origin });
  }
  if (kind !== 'visit') return [];
  const read = fieldReader(kind, cursor);
  const ids = ['idfa', 'androidId', 'IMEI'].map(read);
  return ownersOf({ ids, ip: null, userAgent: null, linkId: null, sendTimeMs });
}

/** Reads columns of a row by their names. */
function fieldReader(kind: DataType, { block, lineStart, extrasStart }: RunCursor): (column: string) => string | null {
  const fields = findFields(block, lineStart, extrasStart);
  const columns = columnsOf(kind);
  return (column) => {
    const place = fields[columns.findIndex(({ name }) => name === column)];
    return place === undefined ? null : readField(block, place);
  };
}

function activationOf(cursor: RunCursor): ErasedActivation {
  const { block, extrasStart, recordEnd } = cursor;
  const read = fieldReader('ads_track_activation', cursor);
  return {
    visitor: read('visitUserId'),
    idfa: read('idfa'),
    idfv: read('uuid'),
    imei: read('imei'),
    androidId: read('androidId'),
    oaid: decodeExtras(block.subarray(extrasStart, recordEnd)).oaid ?? null,
  };
}

/** Writes each of these runs anew, under another name. Durable when it returns. @throws AppError store_corrupt */
export function rewriteRuns({ runs, ai, erased }: RewriteRunsJob): void {
  const matcher = new VisitorMatcher(erased);
  for (const { from, to } of runs) rewriteRun(readRun(from), to, ai, matcher);
}

function rewriteRun({ path, index }: IndexedRun, to: string, ai: string, matcher: VisitorMatcher): void {
  const counts = new ErasedCounts(index.erased ?? []);
  const writer = new RunWriter(to);
  try {
    for (const group of index.groups) {
      const isOfProject = group.ai === ai;
      if (isOfProject && group.part === 'incomplete') continue;
      writer.beginGroup(group.ai, group.kind, group.part);
      const cursor = new RunCursor(path, group);
      try {
        while (cursor.next()) {
          const record = { ...partsOf(cursor), flags: cursor.flags };
          if (!isOfProject || matcher.match(group.kind, record) === undefined) writer.add(record);
          else if (group.part === 'rows') counts.add(ai, group.kind, cursor);
        }
      } finally {
        cursor.close();
      }
    }
    writer.finish(index.receipts, index.source, counts.list());
  } catch (error) {
    writer.abort();
    throw error;
  }
}

function partsOf({ block, sendTimeMs, keyStart, lineStart, extrasStart, recordEnd }: RunCursor) {
  return { bytes: block, sendTimeMs, keyStart, lineStart, extrasStart, end: recordEnd };
}

/** Walks every record of a project that may be looked for. */
function* recordsOf(
  runs: readonly IndexedRun[],
  ai: string,
  matcher: VisitorMatcher,
): Generator<{ readonly path: string; readonly group: RunGroup; readonly cursor: RunCursor }> {
  for (const { path, index } of runs) {
    for (const group of index.groups.filter(({ ai: of, kind }) => of === ai && matcher.mayMatch(kind))) {
      const cursor = new RunCursor(path, group);
      try {
        while (cursor.next()) yield { path, group, cursor };
      } finally {
        cursor.close();
      }
    }
  }
}

/** Sums what was erased by ledger line, beside what the run's index said already. */
class ErasedCounts {
  readonly #counts = new Map<string, { ai: string; line: string; events: number; rows: number }>();

  constructor(known: readonly ErasedCount[]) {
    for (const count of known) this.#counts.set(`${count.ai} ${count.line}`, { ...count });
  }

  add(ai: string, kind: RecordKind, { block, flags, lineStart }: RunCursor): void {
    const isRejected = kind === 'rejected';
    const line: ReceiptCount['line'] = isRejected ? ledgerLineOfCode(block[lineStart - ROW_ID_BYTES]!) : kind;
    const count = this.#counts.get(`${ai} ${line}`) ?? { ai, line, events: 0, rows: 0 };
    this.#counts.set(`${ai} ${line}`, count);
    if (!isRejected) count.rows += 1;
    if (isRejected || (flags & ROW_FLAGS.firstOfEvent) !== 0) count.events += 1;
  }

  list(): readonly ErasedCount[] {
    return [...this.#counts.values()];
  }
}
