/**
 * Reads prepared hours of an hour log. Holds nothing open between calls, so every thread and process may have one.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RecordKind } from '../../events/event-row.ts';
import type { ExtendedColumn } from '../../events/extended-columns.ts';
import { addHours, formatUtcHour, parseUtcHour, type Hour } from '../../events/hour.ts';
import { AppError } from '../../errors/app-error.ts';
import { isSystemError } from '../../lib/system-error.ts';
import type { ErasedCount, HourCounts, HourReader, KindCount, ReceiptCount, RowBatch } from '../hour-store.ts';
import {
  hourFolder,
  hoursFolder,
  IMPORT_ID,
  importCommitPath,
  importFolder,
  importsFolder,
  readyPath,
  RUN_SUFFIX,
  sealPath,
} from './layout.ts';
import { mergeRows } from './merge.ts';
import { hasExactly, isCount, isListOf, isText, parseCheckedJson } from './checked-json.ts';
import type { RunGroup } from './run-format.ts';
import { indexedRun } from './run-indexes.ts';
import { isMissingRun, openCursors, readThrough, type IndexedRun, type RunCursor } from './run-reader.ts';

/** What `ready.json` says: the runs of the hour, and whether its incomplete records were completed into some of them. */
export type ReadyHour = { readonly version: 1; readonly runs: readonly string[] };

/** What an import's `commit.json` says. */
export type ImportCommit = {
  readonly version: 1;
  readonly ai: string;
  readonly hours: readonly { readonly hour: Hour; readonly runs: readonly string[] }[];
};

/** How many characters of an import's run name its hour. */
const UTC_HOUR_DIGITS = 12;
/** What reading a run that is damaged, missing or of a newer program fails with. */
const DAMAGE_CODES = ['store_corrupt', 'format_too_new'];

export class HourLogReader implements HourReader {
  readonly #root: string;
  readonly #onTailFault: (message: string) => void;

  /** `onTailFault` is told of each run of the hour before whose tail cannot be read, and is done without. */
  constructor(root: string, onTailFault: (message: string) => void = () => undefined) {
    this.#root = root;
    this.#onTailFault = onTailFault;
  }

  *readSorted(hour: Hour, ai: string, kind: RecordKind, columns: readonly ExtendedColumn[] = []): Generator<RowBatch> {
    yield* mergeRows(this.sortedCursors(hour, ai, kind), columns);
  }

  /** Opens the cursors that `readSorted` merges, for readers that need keys and extras too. Who merges them closes them. */
  sortedCursors(hour: Hour, ai: string, kind: RecordKind): readonly RunCursor[] {
    const cursors = this.#openRuns(hour, (runs) => openCursors(runs, ai, kind, 'rows'));
    // Rejected events are never duplicates of one another.
    if (kind !== 'rejected' && cursors.length > 0) cursors.unshift(...this.#tailCursors(addHours(hour, -1), ai, kind));
    return cursors;
  }

  /** Says whether an hour can be read. */
  isReady(hour: Hour): boolean {
    if (existsSync(readyPath(this.#root, hour))) return true;
    return this.committedImports().some(({ commit }) => commit.hours.some((entry) => entry.hour === hour));
  }

  counts(hour: Hour, ai: string): HourCounts {
    const kinds = new Map<RecordKind, { ai: string; kind: RecordKind; rows: number; events: number }>();
    const receipts = new Map<string, { ai: string; line: string; received: number; ignored: number; rows: number }>();
    const erased: ErasedCount[] = [];
    for (const { index } of this.#openRuns(hour, (runs) => runs)) {
      for (const group of index.groups) if (group.ai === ai && group.part === 'rows') addGroup(kinds, group);
      for (const receipt of index.receipts) if (receipt.ai === ai) addReceipt(receipts, receipt);
      erased.push(...(index.erased ?? []).filter((count) => count.ai === ai));
    }
    return {
      kinds: [...kinds.values()] satisfies KindCount[],
      receipts: [...receipts.values()] satisfies ReceiptCount[],
      ...(erased.length > 0 && { erased }),
    };
  }

  sourceOf(hour: Hour): string {
    const before = addHours(hour, -1);
    const tails = existsSync(readyPath(this.#root, before)) ? this.#tailRunPaths(before) : [];
    const { length } = dirname(hoursFolder(this.#root)); // all lie below it, wherever it is
    return JSON.stringify([this.runPaths(hour), tails].map((paths) => paths.map((path) => path.slice(length))));
  }

  /**
   * Reads the indexes of all runs that count for an hour, and opens what is wanted of them. An erasure may put runs into the place of
   * others meanwhile; then the list names other runs, and all is opened anew.
   */
  #openRuns<Opened>(hour: Hour, open: (runs: readonly IndexedRun[]) => Opened): Opened {
    for (;;) {
      const paths = this.runPaths(hour);
      try {
        return open(paths.map(indexedRun));
      } catch (error) {
        if (!isMissingRun(error) || isSameList(paths, this.runPaths(hour))) throw error;
      }
    }
  }

  /**
   * Opens the tails that the next hour needs; none when the hour is not kept any more, never was, or failed. A tail that is damaged
   * is found before any of it is used, and left out: one hour's damage holds up no other.
   */
  #tailCursors(hour: Hour, ai: string, kind: RecordKind): readonly RunCursor[] {
    if (!existsSync(readyPath(this.#root, hour))) {
      if (existsSync(sealPath(this.#root, hour)))
        this.#onTailFault(`Hour ${formatUtcHour(hour)} (UTC) is not prepared.`);
      return [];
    }
    for (;;) {
      const paths = this.#tailRunPaths(hour);
      const opened = paths.map((path) => openTail(path, ai, kind));
      const faults = opened.filter((tail) => tail instanceof Error);
      const cursors = opened.flatMap((tail) => (tail instanceof Error ? [] : tail));
      if (faults.some(isMissingRun) && !isSameList(paths, this.#tailRunPaths(hour))) {
        for (const cursor of cursors) cursor.close();
        continue; // an erasure has put other runs into their place
      }
      for (const fault of faults) this.#reportTailFault(fault);
      return cursors;
    }
  }

  /** Lists the runs that count for a prepared hour, imported ones last. @throws AppError store_corrupt when it is not prepared */
  runPaths(hour: Hour): readonly string[] {
    const ready = readReady(this.#root, hour);
    for (const { fault } of this.damagedImports().filter(({ runs }) => runs.some((run) => hourOfRun(run) === hour)))
      throw fault;
    const imported = this.committedImports().flatMap(({ id, commit }) =>
      commit.hours
        .filter((entry) => entry.hour === hour)
        .flatMap((entry) => entry.runs.map((run) => join(importFolder(this.#root, id), run))),
    );
    // An hour before the log began has no folder of its own, and may hold imported rows only.
    if (!ready && imported.length === 0) throw new AppError('store_corrupt', `Hour ${hour} is not prepared.`);
    return [...(ready?.runs ?? []).map((run) => join(hourFolder(this.#root, hour), run)), ...imported];
  }

  /** Lists the imports that count, oldest first. Those whose commit is damaged are left out: they fail their hours, and no other. */
  committedImports(): readonly { readonly id: string; readonly commit: ImportCommit }[] {
    return this.#importIds().flatMap((id) => {
      const commit = this.#readCommit(id);
      return commit && !(commit instanceof AppError) ? [{ id, commit }] : [];
    });
  }

  /** Lists the ids of imports that have a commit, without reading it. */
  committedImportIds(): readonly string[] {
    return this.#importIds().filter((id) => existsSync(importCommitPath(this.#root, id)));
  }

  /** Lists the imports whose commit cannot be read, with the runs in their folders, whose names say for which hours they were. */
  damagedImports(): readonly { readonly id: string; readonly runs: readonly string[]; readonly fault: AppError }[] {
    return this.#importIds().flatMap((id) => {
      const fault = this.#readCommit(id);
      if (!(fault instanceof AppError)) return [];
      const runs = readdirSync(importFolder(this.#root, id)).filter((name) => name.endsWith(RUN_SUFFIX));
      return [{ id, runs, fault }];
    });
  }

  #readCommit(id: string): ImportCommit | AppError | undefined {
    try {
      return readJson(importCommitPath(this.#root, id), isCommit);
    } catch (error) {
      if (error instanceof AppError) return error;
      throw error;
    }
  }

  #importIds(): readonly string[] {
    try {
      return readdirSync(importsFolder(this.#root))
        .filter((name) => IMPORT_ID.test(name))
        .sort();
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return [];
      throw error;
    }
  }

  /** As `runPaths`; none when the lists that name them are damaged, which is reported. */
  #tailRunPaths(hour: Hour): readonly string[] {
    try {
      return this.runPaths(hour);
    } catch (error) {
      this.#reportTailFault(error);
      return [];
    }
  }

  #reportTailFault(error: unknown): void {
    if (!DAMAGE_CODES.some((code) => isSystemError(error, code))) throw error;
    this.#onTailFault(error instanceof Error ? error.message : String(error));
  }
}

/** Opens the tails of a run, every byte of them checked; or gives why they cannot be read. */
function openTail(path: string, ai: string, kind: RecordKind): readonly RunCursor[] | Error {
  try {
    const run = [indexedRun(path)];
    for (const cursor of openCursors(run, ai, kind, 'tail')) readThrough(cursor);
    return openCursors(run, ai, kind, 'tail');
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Says whether the same runs count, in the same order. */
export function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((entry, place) => entry === b[place]);
}

/** Gives the hour of a run of an import, by its name. */
export function hourOfRun(run: string): Hour | undefined {
  return parseUtcHour(run.slice(0, UTC_HOUR_DIGITS));
}

function addGroup(
  kinds: Map<RecordKind, { ai: string; kind: RecordKind; rows: number; events: number }>,
  group: RunGroup,
): void {
  const total = kinds.get(group.kind) ?? { ai: group.ai, kind: group.kind, rows: 0, events: 0 };
  total.rows += group.rows;
  total.events += group.events;
  kinds.set(group.kind, total);
}

function addReceipt(
  receipts: Map<string, { ai: string; line: string; received: number; ignored: number; rows: number }>,
  receipt: ReceiptCount,
): void {
  const total = receipts.get(receipt.line) ?? { ai: receipt.ai, line: receipt.line, received: 0, ignored: 0, rows: 0 };
  total.received += receipt.received;
  total.ignored += receipt.ignored;
  total.rows += receipt.rows;
  receipts.set(receipt.line, total);
}

/** Reads which runs a prepared hour has; undefined when it is not prepared. @throws AppError store_corrupt */
export function readReady(root: string, hour: Hour): ReadyHour | undefined {
  return readJson(readyPath(root, hour), isReady);
}

function isReady(value: object): value is ReadyHour {
  return hasExactly(value, 'version', 'runs') && isListOf(value.runs, isText);
}

function isCommit(value: object): value is ImportCommit {
  return hasExactly(value, 'version', 'ai', 'hours') && isText(value.ai) && isListOf(value.hours, isCommittedHour);
}

function isCommittedHour(value: unknown): boolean {
  return hasExactly(value, 'hour', 'runs') && isCount(value.hour) && isListOf(value.runs, isText);
}

/** Reads a small JSON file of our own; undefined when it is not there. */
function readJson<Value extends object>(path: string, isValue: (value: object) => value is Value): Value | undefined {
  try {
    return parseCheckedJson(readFileSync(path, 'utf8'), path, isValue);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}
