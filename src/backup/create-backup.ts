/**
 * Makes a backup of a data directory while servers work on it.
 *
 * Order: the catalog as of one instant → the packages that its manifests name → the hour log. What a server does, it does the
 * other way round: rows before tasks, packages before the manifest. So whatever the catalog of the backup speaks of is in the
 * backup, and what the rest of it knows beyond that is what a crash at that instant would have left: the restored server catches
 * up with it as after a crash.
 *
 * Not taken: temporary files, imports that do not count, and packages that no manifest names.
 *
 * Cost: every byte is read once, for its checksum. Where the target is on the same file system, packages and runs take no room.
 */
import { realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { catalogPath, refuseUnusable } from '../catalog/data-catalog.ts';
import { snapshotCatalog, type SnapshotPackage } from '../catalog/catalog-snapshot.ts';
import { AppError, ConfigurationError } from '../errors/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { describeFault } from '../lib/system-error.ts';
import type { BackupFile } from './backup-file-list.ts';
import { BackupWriter } from './backup-writer.ts';
import { copyHourLog } from './hour-log-copy.ts';

export type CreateBackupOptions = {
  readonly data: string;
  /** A folder that is empty or not there yet. */
  readonly target: string;
  readonly clock: Clock;
  /** Stops the backup; nothing is left of it then. */
  readonly signal?: AbortSignal;
};

export type CreatedBackup = {
  readonly files: readonly BackupFile[];
  /** What is damaged in the data directory itself, a sentence each; the backup holds it as it is. */
  readonly faults: readonly string[];
};

const CATALOG = 'catalog.sqlite';
const PACKAGES = 'packages';
/** Each round but the first follows a sweep of retention, which comes once an hour. */
const MAX_ROUNDS = 10;

/**
 * Makes a backup: durable and whole when this returns.
 * @throws AppError data_directory, folder_not_empty, backup_failed, format_too_new, store_corrupt; ConfigurationError
 */
export async function createBackup({ data, target, clock, signal }: CreateBackupOptions): Promise<CreatedBackup> {
  refuseUnusable(data);
  await refuseInside(data, target);
  const startedAt = new Date(clock.nowMs());
  const failed = (error: unknown): unknown =>
    error instanceof AppError
      ? error
      : new AppError('backup_failed', `The backup in ${target} failed: ${describeFault(error)}.`, { cause: error });
  const backup = await BackupWriter.begin({ data, target, signal }).catch((error: unknown) =>
    Promise.reject(failed(error) as Error),
  );
  try {
    const faults = [...(await copyCatalog(data, backup)), ...(await copyHourLog(data, backup))];
    return { files: await backup.finish(startedAt, new Date(clock.nowMs())), faults };
  } catch (error) {
    await backup.abort();
    throw failed(error);
  }
}

/** Copies the catalog and every package that it names. Returns what is wrong with the packages. */
async function copyCatalog(data: string, backup: BackupWriter): Promise<readonly string[]> {
  let missingBefore: ReadonlySet<string> = new Set();
  const kept = new Set<string>();
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    await backup.drop(CATALOG);
    const packages = snapshotCatalog(catalogPath(data), backup.pathOf(CATALOG));
    const faults = new Map<string, string>();
    for (const entry of packages) {
      const fault = await keepPackage(entry, backup);
      if (fault === undefined) kept.add(entry.key);
      else faults.set(entry.key, fault);
    }
    // A manifest goes before its packages: what a newer catalog still names and is still not there, is lost.
    const isSettled = [...faults.keys()].every((key) => missingBefore.has(key));
    missingBefore = new Set(faults.keys());
    if (!isSettled) continue;
    const named = new Set(packages.map(({ key }) => key));
    for (const key of kept) if (!named.has(key)) await backup.drop(join(PACKAGES, key));
    await backup.add(CATALOG);
    return [...faults.values()];
  }
  throw new AppError('store_unavailable', 'The packages change too fast for a backup.');
}

async function keepPackage({ key, sha256 }: SnapshotPackage, backup: BackupWriter): Promise<string | undefined> {
  const sum = await backup.tryKeep(join(PACKAGES, key));
  if (!sum) return `The package ${key} is missing.`;
  return sum.sha256 === sha256 ? undefined : `The package ${key} is not what its manifest says.`;
}

async function refuseInside(data: string, target: string): Promise<void> {
  const folder = await realpath(data);
  const inside = await realpath(target).catch(() => resolve(target));
  if (`${inside}${sep}`.startsWith(`${folder}${sep}`))
    throw new ConfigurationError([
      `${target} lies in the data directory; name a folder elsewhere, best on another disk.`,
    ]);
}
