/**
 * Opens the catalog: the one place where its tables and its database meet.
 *
 * Called once by a server process or a CLI command. Several processes may open the same file, also a new one, at the same time.
 */
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Catalog } from './catalog.ts';
import { SqlErasureTable } from './erasure-table.ts';
import { SqlLegacyExportTable } from './legacy-export-table.ts';
import { SqlLinkTable } from './link-table.ts';
import { SqlManifestTable } from './manifest-table.ts';
import { ProjectCache } from './project-cache.ts';
import { SqlProjectTable } from './project-table.ts';
import { ReadCache } from './read-cache.ts';
import { SqlReplayTable } from './replay-table.ts';
import { RuleCache } from './rule-cache.ts';
import { SqlRuleTable } from './rule-table.ts';
import { loadServerKeys } from './server-keys.ts';
import { SqlSettingTable } from './setting-table.ts';
import { openSqliteDatabase } from './sqlite-database.ts';
import { SqlTaskTable } from './task-table.ts';
import { SqlTokenTable } from './token-table.ts';

const DEFAULT_LOCK_WAIT_MS = 10_000;

export type OpenCatalogOptions = {
  /** The SQLite file; its folder is made, for this user alone, when it is missing. */
  readonly path: string;
  /** Dates the migrations and the server's keys; everything else is told the time. Default: the machine's clock. */
  readonly clock?: Clock;
  /** How long a change waits while another process writes before it fails with store_unavailable. Default: 10 s. */
  readonly lockWaitMs?: number;
};

/**
 * Opens the catalog of a data directory and makes it, with its keys, when there is none.
 * @throws AppError data_directory, format_too_new, store_corrupt, store_unavailable
 */
export async function openCatalog(options: OpenCatalogOptions): Promise<Catalog> {
  const { path, clock = systemClock, lockWaitMs = DEFAULT_LOCK_WAIT_MS } = options;
  const database = await openSqliteDatabase({ path, clock, lockWaitMs });
  try {
    const serverKeys = await loadServerKeys(database, clock.nowMs());
    const readCache = new ReadCache(database);
    const projectCache = new ProjectCache(database);
    const settings = new SqlSettingTable(database, projectCache);
    return {
      projects: new SqlProjectTable(database, projectCache),
      settings,
      replays: new SqlReplayTable(database),
      tokens: new SqlTokenTable(database, readCache),
      rules: new SqlRuleTable(database, new RuleCache(database, projectCache)),
      tasks: new SqlTaskTable(database, readCache),
      manifests: new SqlManifestTable(database, { signingKeyPem: serverKeys.signingKeyPem, settings, readCache }),
      legacy: new SqlLegacyExportTable(database),
      links: new SqlLinkTable(database),
      erasures: new SqlErasureTable(database),
      serverKeys,
      close: () => database.close(),
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}
