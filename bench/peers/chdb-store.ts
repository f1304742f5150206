/**
 * ClickHouse (chdb, the engine inside the process) as a peer: one insert for all requests that wait, into a MergeTree in the order
 * of the export. Its inserts are durable only with the two fsync settings.
 */
import { ACTION_COLUMNS, tabSeparated } from './action-rows.ts';
import { importPeer } from './import-peer.ts';
import type { RowStore } from './row-store.ts';

export type ChdbSession = {
  query(sql: string): string;
  queryAsync(sql: string): Promise<unknown>;
  insert(rows: { table: string; values: Buffer; format: 'TabSeparated' }): Promise<unknown>;
  cleanup(): void;
};

/** Opens a session in a folder. */
export async function openChdb(folder: string): Promise<ChdbSession> {
  const { Session } = (await importPeer('chdb')) as { Session: new (path: string) => ChdbSession };
  return new Session(folder);
}

/** Makes the table, in the order of the export. */
export function createActionTable(session: ChdbSession): void {
  const columns = ACTION_COLUMNS.map(
    ({ name, isNumber }) => `\`${name}\` ${isNumber ? 'Nullable(Int64)' : 'Nullable(String)'}`,
  );
  session.query(
    `CREATE TABLE action (${columns.join(', ')}) ENGINE = MergeTree ORDER BY (visitUserId, sessionId, time)
     SETTINGS allow_nullable_key = 1, fsync_after_insert = 1, fsync_part_directory = 1`,
  );
}

export async function openChdbStore(folder: string): Promise<RowStore> {
  const session = await openChdb(folder);
  createActionTable(session);
  return {
    append: async (rows) => {
      await session.insert({ table: 'action', values: tabSeparated(rows), format: 'TabSeparated' });
    },
  };
}
