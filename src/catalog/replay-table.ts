/**
 * Which rejected events were replayed, so that none is sent twice.
 *
 * States: begun (before the event is appended) → sent (after). A process that dies between the two leaves events begun; whoever
 * replays next looks into the store whether they came in (src/imports/replay-rejected.ts).
 */
import { hourFromInteger, type Hour } from '../events/hour.ts';
import type { CatalogDatabase } from './catalog-database.ts';
import type { ReplayedEvent, ReplayTable } from './catalog.ts';

type Begun = Parameters<ReplayTable['begin']>[1];

/** The replay table of a SQL catalog. One call names at most some hundred events, so parameters never run out. */
export class SqlReplayTable implements ReplayTable {
  readonly #database: CatalogDatabase;

  constructor(database: CatalogDatabase) {
    this.#database = database;
  }

  async find(ai: string, hour: Hour, ids: readonly string[]): Promise<ReadonlyMap<string, ReplayedEvent>> {
    const rows = await this.#database.reader
      .selectFrom('replayed_event')
      .select(['id', 'begun_hour', 'sent_at_ms'])
      .where('ai', '=', ai)
      .where('hour', '=', hour)
      .where('id', 'in', ids)
      .execute();
    return new Map(
      rows.map((row) => [row.id, { begunHour: hourFromInteger(row.begun_hour), sentAtMs: row.sent_at_ms }]),
    );
  }

  async begin(ai: string, { hour, ids, begunHour }: Begun): Promise<void> {
    await this.#database.write(async (transaction) => {
      await transaction
        .insertInto('replayed_event')
        .values(ids.map((id) => ({ ai, hour, id, begun_hour: begunHour, sent_at_ms: null })))
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    });
  }

  async finish(ai: string, hour: Hour, ids: readonly string[], sentAtMs: number): Promise<void> {
    await this.#database.write(async (transaction) => {
      await transaction
        .updateTable('replayed_event')
        .set({ sent_at_ms: sentAtMs })
        .where('ai', '=', ai)
        .where('hour', '=', hour)
        .where('id', 'in', ids)
        .execute();
    });
  }

  async deleteBefore(ai: string, hour: Hour): Promise<void> {
    await this.#database.write(async (transaction) => {
      await transaction.deleteFrom('replayed_event').where('ai', '=', ai).where('hour', '<', hour).execute();
    });
  }
}
