/**
 * Keeps the indexes of runs that were read lately: one hour's export asks for the same ones for each project and data type.
 *
 * An index is as it was read as long as its file is the same: path, inode, size and time of change. One a thread. Memory: some
 * 10 MB at most.
 */
import { statSync } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { isSystemError } from '../../lib/system-error.ts';
import { readRun, type IndexedRun } from './run-reader.ts';

type Kept = { readonly run: IndexedRun; readonly version: string };

const MAX_ENTRIES = 60_000;

/** Groups and receipts of all indexes together are bounded, and a run counts as one more. */
const kept = new LRUCache<string, Kept>({
  maxSize: MAX_ENTRIES,
  sizeCalculation: ({ run }) => 1 + run.index.groups.length + run.index.receipts.length,
});

/** Gives the index of a run that must be there. @throws AppError store_corrupt, format_too_new */
export function indexedRun(path: string): IndexedRun {
  const version = versionOf(path);
  const known = kept.get(path);
  if (known && known.version === version) return known.run;
  const run = readRun(path);
  // Changed in between: read again the next time.
  if (version !== undefined && versionOf(path) === version) kept.set(path, { run, version });
  return run;
}

function versionOf(path: string): string | undefined {
  try {
    const { ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined; // whoever reads it says that it is missing
    throw error;
  }
}
