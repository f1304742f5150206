/**
 * Finds imports and back-fills that count but whose hours were never exported again, because the process died in between, and makes
 * their tasks. Called when a server starts.
 */
import type { Catalog, Manifest } from '../catalog/catalog.ts';
import type { Hour } from '../events/hour.ts';
import { isSystemError } from '../lib/system-error.ts';
import type { HourLogReader } from '../store/hour-log/hour-log-reader.ts';

export async function recoverImports(catalog: Catalog, reader: HourLogReader, nowMs: number): Promise<void> {
  for (const { commit } of reader.committedImports()) {
    if (!catalog.projects.findByAi(commit.ai)) continue;
    const unexported: Hour[] = [];
    for (const { hour } of commit.hours) {
      const manifest = await catalog.manifests.newest(commit.ai, hour);
      if (manifest && lacksAnything(manifest, reader)) unexported.push(hour);
    }
    if (unexported.length > 0) await catalog.tasks.restart(commit.ai, unexported, nowMs);
  }
}

/** What reading rows that are damaged, missing or of a newer program fails with. */
const DAMAGE_CODES = ['store_corrupt', 'format_too_new'];

/**
 * Says whether a manifest was made before some of its hour came. Not when the rows cannot be read: to export the hour again would
 * only put it into ERROR, and the server must start. They may be missing without damage: retention deletes rows after the
 * manifest, but a restored catalog may be a little older than the rows beside it and still have that.
 */
function lacksAnything({ ai, hour, facts }: Manifest, reader: HourLogReader): boolean {
  try {
    const { receipts } = reader.counts(hour, ai);
    const imported = receipts.find(({ line }) => line === 'import')?.received ?? 0;
    const tags = receipts.find(({ line }) => line === 'action_tag')?.rows ?? 0;
    return facts.ledger.imported < imported || (facts.ledger.rows.action_tag?.made ?? 0) < tags;
  } catch (error) {
    if (DAMAGE_CODES.some((code) => isSystemError(error, code))) return false;
    throw error;
  }
}
