/**
 * Finds imports that count but whose hours were never exported again, because the process died in between, and makes their
 * tasks. Called when a server starts.
 */
import type { Catalog } from '../catalog/catalog.ts';
import type { Hour } from '../events/hour.ts';
import { isSystemError } from '../lib/system-error.ts';
import type { HourLogReader } from '../store/hour-log/hour-log-reader.ts';

export async function recoverImports(catalog: Catalog, reader: HourLogReader, nowMs: number): Promise<void> {
  for (const { commit } of reader.committedImports()) {
    if (!catalog.projects.findByAi(commit.ai)) continue;
    const unexported: Hour[] = [];
    for (const { hour } of commit.hours) {
      const manifest = await catalog.manifests.newest(commit.ai, hour);
      if (manifest && manifest.facts.ledger.imported < importedEvents(reader, hour, commit.ai)) unexported.push(hour);
    }
    if (unexported.length > 0) await catalog.tasks.restart(commit.ai, unexported, nowMs);
  }
}

/** What reading rows that are damaged, missing or of a newer program fails with. */
const DAMAGE_CODES = ['store_corrupt', 'format_too_new'];

/**
 * Counts the events that imports brought into an hour, exported or not. None when their rows cannot be read: to export the hour again
 * would only put it into ERROR, and the server must start. They may be missing without damage: retention deletes rows after the
 * manifest, but a restored catalog may be a little older than the rows beside it and still have that.
 */
function importedEvents(reader: HourLogReader, hour: Hour, ai: string): number {
  try {
    return reader.counts(hour, ai).receipts.find(({ line }) => line === 'import')?.received ?? 0;
  } catch (error) {
    if (DAMAGE_CODES.some((code) => isSystemError(error, code))) return 0;
    throw error;
  }
}
