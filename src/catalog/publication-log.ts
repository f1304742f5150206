/**
 * The publication log of each project: one entry a published revision, each with the hash of the entry before it. Entries are
 * only ever appended, and stay when retention deletes what was published.
 */
import { hourFromInteger, type Hour } from '../events/hour.ts';
import type { CatalogReader, CatalogTransaction } from './catalog-database.ts';
import type { Publication } from './catalog.ts';
import { NO_PREVIOUS_HASH } from './public-manifest.ts';

/** The columns of an entry under the names of the type `Publication`, but for its hour. */
export const PUBLICATION_COLUMNS = [
  'publication.ai',
  'publication.seq',
  'publication.revision',
  'publication.prev',
  'publication.content_sha256 as contentSha256',
  'publication.hash',
  'publication.signature',
  'publication.published_at_ms as publishedAtMs',
] as const;

/** Reads entries of a project's log in their order, from the one numbered `fromSeq` on. */
export async function readLog(
  reader: CatalogReader,
  ai: string,
  { fromSeq, limit }: { readonly fromSeq: number; readonly limit: number },
): Promise<readonly Publication[]> {
  const rows = await reader
    .selectFrom('publication')
    .select(['publication.hour', ...PUBLICATION_COLUMNS])
    .where('ai', '=', ai)
    .where('seq', '>=', fromSeq)
    .orderBy('seq')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ ...row, hour: hourFromInteger(row.hour) }));
}

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

/** Reads the last entry for an hour; undefined when it was never published. */
export async function readNewestPublication(
  reader: CatalogReader,
  ai: string,
  hour: Hour,
): Promise<Publication | undefined> {
  const row = await reader
    .selectFrom('publication')
    .select(['publication.hour', ...PUBLICATION_COLUMNS])
    .where('ai', '=', ai)
    .where('hour', '=', hour)
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && { ...row, hour: hourFromInteger(row.hour) };
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

/** Appends an entry, in the transaction that read the log's end. */
export async function appendPublication(transaction: CatalogTransaction, entry: Publication): Promise<void> {
  const { ai, seq, hour, revision, prev, contentSha256, hash, signature, publishedAtMs } = entry;
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
