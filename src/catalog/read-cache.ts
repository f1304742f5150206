/**
 * Answers of reads that come again and again, such as the polling of a finished day, until anything in the catalog changes.
 *
 * Fresh by asking, as in project-cache.ts: each call reads SQLite's `data_version`, which changes when any other connection, of
 * this or another process, has committed; all answers are forgotten then. A commit between that and the read is noticed at the
 * next call, and a read that a later call has overtaken is not kept. So nothing is ever older than the last commit of any process.
 *
 * Memory: MAX_KEPT_ROWS rows of about 700 bytes. Cost: about 2 µs a call while nothing is committed.
 */
import type { StatementSync } from 'node:sqlite';
import { LRUCache } from 'lru-cache';
import type { SqliteDatabase } from './sqlite-database.ts';
import { withTranslatedErrors } from './sqlite-errors.ts';

const MAX_KEPT_ROWS = 20_000;

type Kept = { readonly answer: object; readonly rows: number };

/** Keeps what was read last, for as long as it is true. */
export class ReadCache {
  readonly #path: string;
  readonly #readDataVersion: StatementSync;
  readonly #kept: LRUCache<string, Kept>;
  #dataVersion: unknown;

  constructor(database: SqliteDatabase, options: { readonly maxRows?: number } = {}) {
    this.#path = database.path;
    this.#readDataVersion = database.readerConnection.prepare('PRAGMA data_version');
    this.#readDataVersion.setReturnArrays(true);
    this.#kept = new LRUCache({
      maxSize: options.maxRows ?? MAX_KEPT_ROWS,
      sizeCalculation: ({ rows }) => rows,
    });
  }

  /**
   * Gives the answer that is kept under a key, or reads it and keeps it. The same object comes back until the catalog changes;
   * nobody may change it. `undefined` is not kept.
   */
  async read<Answer extends object>(
    key: string,
    read: () => Promise<Answer | undefined>,
    rowsOf: (answer: Answer) => number = () => 1,
  ): Promise<Answer | undefined> {
    this.#refresh();
    const kept = this.#kept.get(key);
    if (kept) return kept.answer as Answer; // a key is used for one kind of answer
    const dataVersion = this.#dataVersion;
    const answer = await read();
    if (answer !== undefined && dataVersion === this.#dataVersion) {
      this.#kept.set(key, { answer, rows: 1 + rowsOf(answer) });
    }
    return answer;
  }

  #refresh(): void {
    const [dataVersion] = withTranslatedErrors(
      this.#path,
      () => this.#readDataVersion.get() as unknown as readonly unknown[],
    );
    if (dataVersion === this.#dataVersion) return;
    this.#kept.clear();
    this.#dataVersion = dataVersion;
  }
}
