/** DuckDB as a peer: rows by its appender, one flush for all requests that wait, which commits and syncs its log. */
import { join } from 'node:path';
import { BIGINT, DuckDBDataChunk, DuckDBInstance, VARCHAR } from '@duckdb/node-api';
import { ACTION_COLUMNS } from './action-rows.ts';
import type { RowStore } from './row-store.ts';

/** What DuckDB takes in one chunk. */
const CHUNK_ROWS = 2048;

export async function openDuckDbStore(folder: string): Promise<RowStore> {
  const instance = await DuckDBInstance.create(join(folder, 'action.duckdb'));
  const connection = await instance.connect();
  const columns = ACTION_COLUMNS.map(({ name, isNumber }) => `"${name}" ${isNumber ? 'BIGINT' : 'VARCHAR'}`);
  await connection.run(`CREATE TABLE action (${columns.join(', ')})`);
  const appender = await connection.createAppender('action');
  const types = ACTION_COLUMNS.map(({ isNumber }) => (isNumber ? BIGINT : VARCHAR));
  return {
    append: (rows) => {
      for (let from = 0; from < rows.length; from += CHUNK_ROWS) {
        const part = rows.slice(from, from + CHUNK_ROWS);
        const chunk = DuckDBDataChunk.create(types);
        chunk.setRows(part.map((row) => row.map((value) => (typeof value === 'number' ? BigInt(value) : value))));
        appender.appendDataChunk(chunk);
      }
      appender.flushSync();
      return Promise.resolve();
    },
  };
}
