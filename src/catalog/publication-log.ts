/**
 * The publication log of each project: one entry a published revision, each with the hash of the entry before it. Entries are
 * only ever appended, and stay when retention deletes what was published.
 */
import type { Hour } from '../events/hour.ts';
import type { CatalogReader, CatalogTransaction } from './catalog-database.ts';
import type { Manifest } from './catalog.ts';
import { NO_PREVIOUS_HASH } from './public-manifest.ts';

/** Gives the revision that the next publication of an hour has: 1, then counting up, also past revisions deleted since. */
export async function readNextRevision(reader: CatalogReader, ai: string, hour: Hour): Promise<number> {
  const row = await reader
    .selectFrom('publication')
    .select((entry) => entry.fn.max('revision').as('revision'))
    .where('ai', '=', ai)
    .where('hour', '=', hour)
    .executeTakeFirst();
  return (row?.revision ?? 0) + 1;
}

/** Gives the place of a project's next entry and the hash that it follows. */
export async function readLogEnd(reader: CatalogReader, ai: string): Promise<{ seq: number; prev: string }> {
  const last = await reader
    .selectFrom('publication')
    .select(['seq', 'hash'])
    .where('ai', '=', ai)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last ? { seq: last.seq + 1, prev: last.hash } : { seq: 1, prev: NO_PREVIOUS_HASH };
}

/** Appends a manifest's entry, in the transaction that read the log's end. */
export async function appendPublication(transaction: CatalogTransaction, manifest: Manifest): Promise<void> {
  const { ai, seq, hour, revision, prev, contentSha256, hash, signature, publishedAtMs } = manifest;
  await transaction
    .insertInto('publication')
    .values({
      ai,
      seq,
      hour,
      revision,
      prev,
      content_sha256: contentSha256,
      hash,
      signature,
      published_at_ms: publishedAtMs,
    })
    .execute();
}
