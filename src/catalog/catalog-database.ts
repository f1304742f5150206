/**
 * What the catalog's tables need of a database, whatever its dialect.
 *
 * Reads and writes go apart: a read is one statement, sees everything committed before it began, and never waits for a write.
 * A table that needs two statements to agree reads them in one `write`, or joins them.
 */
import type { Kysely, Transaction } from 'kysely';
import type { CatalogSchema } from './catalog-schema.ts';

/** Runs single SELECT statements. A transaction is one, too. */
export type CatalogReader = Pick<Kysely<CatalogSchema>, 'selectFrom'>;

export type CatalogTransaction = Transaction<CatalogSchema>;

export interface CatalogDatabase {
  readonly reader: CatalogReader;
  /**
   * Runs `change` as if no other transaction of any process ran at the same time; what it did is durable and visible to every
   * process when this returns, and nothing of it is when it throws. A dialect may run `change` more than once, so it must have
   * no effect outside its transaction. Not to be called inside another `write`: it would wait for itself.
   * @throws AppError store_unavailable when the write lock does not come free, or the disk is full or fails
   */
  write<Result>(change: (transaction: CatalogTransaction) => Promise<Result>): Promise<Result>;
  /**
   * Makes sure that no file of the database holds what was deleted and committed before. False when another connection was in
   * the way: to be tried again.
   */
  wipeDeleted(): Promise<boolean>;
}
