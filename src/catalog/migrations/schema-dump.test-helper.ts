/** Writes the tables of a fresh catalog as text. Run by itself it brings schema.sql up to date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../lib/clock.ts';
import { migrate } from './migrate.ts';
import { MIGRATIONS } from './migrations.ts';

const SCHEMA_PATH = join(import.meta.dirname, 'schema.sql');

/** Gives what schema.sql must be: all statements of a catalog that has had every migration, tables first. */
export async function dumpSchema(): Promise<string> {
  using database = new DatabaseSync(':memory:');
  await migrate({ database, path: ':memory:', migrations: MIGRATIONS, clock: systemClock, lockWaitMs: 0 });
  const statements = database
    .prepare(`SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name`)
    .all()
    .map((row) => `${String(row.sql)};\n`);
  const head = `-- The catalog's tables after migration ${MIGRATIONS.length}; for readers, nothing runs it.\n`;
  return `${head}-- Made by: node src/catalog/migrations/schema-dump.test-helper.ts\n\n${statements.join('\n')}`;
}

export function readSchemaFile(): string {
  return readFileSync(SCHEMA_PATH, 'utf8');
}

if (import.meta.main) writeFileSync(SCHEMA_PATH, await dumpSchema());
